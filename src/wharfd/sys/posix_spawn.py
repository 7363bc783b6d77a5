"""posix_spawn(3) by ctypes: start a program without forking the engine.

`os.posix_spawn` is not enough: it knows neither a working directory nor "close everything from here on".  The latter matters because C
libraries open descriptors that are not close-on-exec (libnftables its netlink socket), and a conmon that inherits one keeps it for
the container's life.  The C library suspends the calling thread until the exec, without copying page tables; errors of the exec come
back as errno.
"""

import ctypes
import fcntl
import os
from collections.abc import Mapping, Sequence
from functools import cache

from wharfd.sys.libc import LIBC, os_error

# glibc's structures take 80 and 336 bytes; room is left for others.
_OPAQUE_BYTES = 1024
_POSIX_SPAWN_SETSIGDEF = 0x04
_POSIX_SPAWN_SETSIGMASK = 0x08
_POSIX_SPAWN_SETSID = 0x80
_SIGSET_BYTES = 128

_add_dup2 = LIBC.posix_spawn_file_actions_adddup2
_add_dup2.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
_add_open = LIBC.posix_spawn_file_actions_addopen
_add_open.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint]
_add_close = LIBC.posix_spawn_file_actions_addclose
_add_close.argtypes = [ctypes.c_void_p, ctypes.c_int]
_add_chdir = LIBC.posix_spawn_file_actions_addchdir_np
_add_chdir.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
_add_closefrom = LIBC.posix_spawn_file_actions_addclosefrom_np
_add_closefrom.argtypes = [ctypes.c_void_p, ctypes.c_int]
_spawn = LIBC.posix_spawn
_spawn.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]


def posix_spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    fds: Mapping[int, int | None],
    *,
    cwd: str | None = None,
    new_session: bool = False,
) -> int:
    """Start `argv[0]` (a path; PATH is not searched) and return its pid.

    `fds` maps each descriptor of the child to one of ours, or to None for /dev/null; the child has no others.  Its signal mask is
    empty and every signal has its default action.

    Raises:
        OSError: with the errno of the step that failed; the path is argv[0].
        ValueError: an argument or variable holds a NUL byte.
    """
    arguments = _string_array([os.fsencode(a) for a in argv])
    environment = _string_array([os.fsencode(k) + b"=" + os.fsencode(v) for k, v in env.items()])
    top = max(fds, default=-1)
    moved: list[int] = []
    actions = ctypes.create_string_buffer(_OPAQUE_BYTES)
    LIBC.posix_spawn_file_actions_init(actions)
    try:
        sources = {}
        for target, source in fds.items():
            if source is not None and source != target and source in fds:
                # An earlier dup2 would overwrite it.
                source = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, top + 1)
                moved.append(source)
            sources[target] = source
        for target, source in sources.items():
            if source is not None:
                # Linux: dup2 of a descriptor to itself clears close-on-exec here (glibc 2.29).
                _must(_add_dup2(actions, source, target), "spawn: dup2")
        for target, source in sources.items():
            if source is None:
                _must(_add_open(actions, target, b"/dev/null", os.O_RDWR, 0), "spawn: open /dev/null")
        if cwd is not None:
            _must(_add_chdir(actions, os.fsencode(cwd)), "spawn: chdir")
        for gap in range(3, top):
            if gap not in fds:
                _add_close(actions, gap)
        _add_closefrom(actions, max(top + 1, 3))
        pid = ctypes.c_int(0)
        error = _spawn(
            ctypes.byref(pid), os.fsencode(argv[0]), actions, _attributes(new_session), arguments, environment
        )
    finally:
        LIBC.posix_spawn_file_actions_destroy(actions)
        for fd in moved:
            os.close(fd)
    if error:
        raise os_error(error, "spawn", argv[0])
    return pid.value


def _must(error: int, operation: str) -> None:
    if error:
        raise os_error(error, operation)


def _string_array(strings: Sequence[bytes]) -> "ctypes.Array[ctypes.c_char_p]":
    for s in strings:
        if b"\0" in s:
            raise ValueError("embedded NUL byte in an argument or variable")
    return (ctypes.c_char_p * (len(strings) + 1))(*strings, None)


@cache
def _attributes(new_session: bool) -> "ctypes.Array[ctypes.c_char]":
    """Read by posix_spawn only, so one of each kind serves all threads for ever."""
    attributes = ctypes.create_string_buffer(_OPAQUE_BYTES)
    LIBC.posix_spawnattr_init(attributes)
    signals = ctypes.create_string_buffer(_SIGSET_BYTES)
    LIBC.sigemptyset(signals)
    LIBC.posix_spawnattr_setsigmask(attributes, signals)
    # Linux: a signal left out here stays ignored where the interpreter (SIGPIPE) or our parent ignores it, and glibc ignores its own
    # two (32, 33) for the child, which it would pass on to a container.  sigfillset leaves those out, hence the memset.
    ctypes.memset(signals, 0xFF, _SIGSET_BYTES)
    LIBC.posix_spawnattr_setsigdefault(attributes, signals)
    flags = _POSIX_SPAWN_SETSIGDEF | _POSIX_SPAWN_SETSIGMASK | (_POSIX_SPAWN_SETSID if new_session else 0)
    LIBC.posix_spawnattr_setflags(attributes, ctypes.c_short(flags))
    return attributes
