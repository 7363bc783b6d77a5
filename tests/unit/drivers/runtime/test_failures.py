"""What runtimes say, in Docker's words and with its exit codes.  Samples: crun 1.8.1, 1.21 and 1.28, runc 1.1.5 and 1.1.15."""

import pytest

from wharfd.drivers.runtime.failures import start_failed

FRAME = "failed to create task for container: failed to create shim task: OCI runtime create failed: "
RUNC = "runc create failed: unable to start container process: "
INIT = RUNC + "error during container init: "


@pytest.mark.parametrize(
    ("said", "program", "reason", "code"),
    [
        (
            "executable file `nope` not found in $PATH: No such file or directory",
            "nope",
            INIT + 'exec: "nope": executable file not found in $PATH',
            127,
        ),
        (
            "cannot find `nope` in $PATH: No such file or directory",
            "nope",
            INIT + 'exec: "nope": executable file not found in $PATH',
            127,
        ),
        (
            "executable file `/nope` not found in $PATH: No such file or directory",
            "/nope",
            INIT + 'exec: "/nope": stat /nope: no such file or directory',
            127,
        ),
        ("open executable: Permission denied", "/plain", INIT + 'exec: "/plain": permission denied', 126),
        ("open executable: Operation not permitted", "/etc", INIT + 'exec: "/etc": permission denied', 126),
        (
            "executable file `/nope` not found: No such file or directory",
            "/nope",
            INIT + 'exec: "/nope": stat /nope: no such file or directory',
            127,
        ),
        (
            "the path `/plain` exists but it is not executable: Operation not permitted",
            "/plain",
            INIT + 'exec: "/plain": permission denied',
            126,
        ),
        (
            "the path `/etc` is not a regular file: Operation not permitted",
            "/etc",
            INIT + 'exec: "/etc": permission denied',
            126,
        ),
        (RUNC + 'exec: "/etc": is a directory', "/etc", RUNC + 'exec: "/etc": is a directory', 126),
        ("open executable: Operation not permitted", "", INIT + 'exec: "": executable file not found in $PATH', 127),
        (
            "error stat'ing file `/gone`: No such file or directory",
            "true",
            INIT + 'error mounting "/gone" to rootfs: stat /gone: no such file or directory',
            127,
        ),
        (
            'time="2026-01-01T00:00:00Z" level=warning msg="something"\n'
            'time="2026-01-01T00:00:00Z" level=error msg="runc create failed: unable to start container process: '
            'exec: \\"nope\\": executable file not found in $PATH"',
            "nope",
            RUNC + 'exec: "nope": executable file not found in $PATH',
            127,
        ),
        ("write to `/proc/sys/x`: Invalid argument", "true", "crun: write to `/proc/sys/x`: Invalid argument", 128),
        ("", "true", "crun: the runtime ended without a message", 128),
    ],
)
def test_words_and_codes(said: str, program: str, reason: str, code: int) -> None:
    error = start_failed(said, "crun", program)
    assert (error.message, error.exit_code) == (f"{FRAME}{reason}: unknown", code)


def test_a_directory_on_a_file_comes_with_advice() -> None:
    error = start_failed("chdir `/etc/passwd`: Not a directory", "crun", "true")
    assert error.exit_code == 127
    assert error.message.endswith(
        "mkdir /etc/passwd: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)? "
        "Check if the specified host path exists and is the expected type"
    )
