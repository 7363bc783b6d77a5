"""Overlay mounts with any number of lower layers.

The options of mount(2) end at one page, some thirty layers.  fsopen/fsconfig takes the layers one by one (`lowerdir+`, Linux 6.5); older
kernels get mount(2) with the layers named through /proc/self/fd, which makes room for over 200 of them.
"""

import contextlib
import ctypes
import errno
import os
from collections.abc import Sequence

from wharfd.sys import libc
from wharfd.sys.libc import check, failure, syscall
from wharfd.sys.mount import MOUNT_ATTR_RDONLY, MS_RDONLY, mount, move_mount

_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6
_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
# Linux: fsconfig copies strings of at most 256 bytes with their NUL.
_FSCONFIG_STRING_MAX = 255
_MOUNT_DATA_MAX = os.sysconf("SC_PAGE_SIZE") - 1

_kernel_lacks_append = False


def mount_overlay(
    lowerdirs: Sequence[str],
    target: str,
    *,
    upperdir: str | None = None,
    workdir: str | None = None,
    options: Sequence[str] = (),
    read_only: bool = False,
    source: str = "overlay",
) -> None:
    """Mount an overlay at `target`.

    `lowerdirs` run from the topmost layer to the lowest.  Without `upperdir` (and `workdir`) the mount is read-only and needs two lower
    layers at least; one layer alone is a bind mount, which is the caller's affair.  `options` are further ones such as "userxattr"
    or "index=off".

    Raises:
        OSError: EINVAL for options or layers that the kernel refuses (its own words are in the message), ENOENT for missing directories.
    """
    global _kernel_lacks_append
    layers = _Layers(tuple(lowerdirs), upperdir, workdir, tuple(options), read_only, source)
    if _kernel_lacks_append:
        _mount_joined(layers, target)
        return
    try:
        _mount_appended(layers, target)
    except OSError as e:
        if e.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        try:
            _mount_joined(layers, target)
        except OSError as joined:
            # Two times EINVAL: the newer call's words say more.
            raise (e if joined.errno == errno.EINVAL else joined) from None
        _kernel_lacks_append = True


class _Layers:
    def __init__(
        self,
        lower: tuple[str, ...],
        upper: str | None,
        work: str | None,
        options: tuple[str, ...],
        read_only: bool,
        source: str,
    ) -> None:
        if (upper is None) != (work is None):
            raise ValueError("upperdir and workdir go together")
        self.lower = lower
        self.upper = upper
        self.work = work
        self.options = options
        self.read_only = read_only or upper is None
        self.source = source


def _mount_appended(layers: _Layers, target: str) -> None:
    with contextlib.ExitStack() as stack:
        context = _fsopen("overlay")
        stack.callback(os.close, context)

        def short(path: str, value: str) -> str:
            return value if len(os.fsencode(value)) <= _FSCONFIG_STRING_MAX else _by_descriptor(path, stack)

        try:
            _fsconfig(context, _FSCONFIG_SET_STRING, "source", layers.source)
            for path in layers.lower:
                _fsconfig(context, _FSCONFIG_SET_STRING, "lowerdir+", short(path, path))
            if layers.upper is not None and layers.work is not None:
                # Linux: upperdir and workdir are unescaped, lowerdir+ is not.
                _fsconfig(context, _FSCONFIG_SET_STRING, "upperdir", short(layers.upper, _escape(layers.upper)))
                _fsconfig(context, _FSCONFIG_SET_STRING, "workdir", short(layers.work, _escape(layers.work)))
            for option in layers.options:
                key, equals, value = option.partition("=")
                _fsconfig(
                    context, _FSCONFIG_SET_STRING if equals else _FSCONFIG_SET_FLAG, key, value if equals else None
                )
            _fsconfig(context, _FSCONFIG_CMD_CREATE, None, None)
        except OSError as e:
            raise libc.os_error(e.errno or 0, "mount overlay", target, _kernel_words(context)) from e
        attributes = MOUNT_ATTR_RDONLY if layers.read_only else 0
        fd = check(syscall(libc.SYS_FSMOUNT, context, _FSMOUNT_CLOEXEC, attributes), "fsmount overlay", target)
        stack.callback(os.close, fd)
        move_mount(fd, target)


def _mount_joined(layers: _Layers, target: str) -> None:
    flags = MS_RDONLY if layers.read_only else 0
    data = _joined_options(layers, [_escape(path) for path in layers.lower])
    if len(os.fsencode(data)) <= _MOUNT_DATA_MAX:
        mount(layers.source, target, "overlay", flags, data)
        return
    with contextlib.ExitStack() as stack:
        data = _joined_options(layers, [_by_descriptor(path, stack) for path in layers.lower])
        if len(os.fsencode(data)) > _MOUNT_DATA_MAX:
            raise libc.os_error(errno.E2BIG, "mount overlay", target, f"{len(layers.lower)} layers")
        mount(layers.source, target, "overlay", flags, data)


def _joined_options(layers: _Layers, lower: Sequence[str]) -> str:
    options = ["lowerdir=" + ":".join(lower)]
    if layers.upper is not None and layers.work is not None:
        options += [f"upperdir={_escape(layers.upper)}", f"workdir={_escape(layers.work)}"]
    return ",".join((*options, *layers.options))


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _by_descriptor(path: str, stack: contextlib.ExitStack) -> str:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return f"/proc/self/fd/{fd}"


def _fsopen(fs_type: str) -> int:
    name = ctypes.create_string_buffer(fs_type.encode())
    return check(syscall(libc.SYS_FSOPEN, ctypes.addressof(name), _FSOPEN_CLOEXEC), f"fsopen {fs_type}")


def _fsconfig(context: int, command: int, key: str | None, value: str | None) -> None:
    key_buffer = None if key is None else ctypes.create_string_buffer(os.fsencode(key))
    value_buffer = None if value is None else ctypes.create_string_buffer(os.fsencode(value))
    result = syscall(
        libc.SYS_FSCONFIG,
        context,
        command,
        0 if key_buffer is None else ctypes.addressof(key_buffer),
        0 if value_buffer is None else ctypes.addressof(value_buffer),
        0,
    )
    if result == -1:
        raise failure("fsconfig", key)


def _kernel_words(context: int) -> str:
    """The messages that the file system left in its context ("e overlay: …")."""
    words: list[str] = []
    while True:
        try:
            line = os.read(context, 1024)
        except OSError:
            return "; ".join(words)
        words.append(line.decode(errors="replace").strip()[2:])  # "e ", "w " or "i " stands before each
