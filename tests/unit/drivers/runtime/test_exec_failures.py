"""What runtimes say of an exec, in Docker's words and with its exit codes.  Samples: crun 1.8.1 and 1.28, runc 1.1.5."""

import pytest

from wharfd.drivers.runtime.failures import exec_failed

BEGIN = "OCI runtime exec failed: exec failed: unable to start container process: "


@pytest.mark.parametrize(
    ("said", "program", "text", "code"),
    [
        (
            "executable file `nope` not found in $PATH: No such file or directory",
            "nope",
            BEGIN + 'exec: "nope": executable file not found in $PATH',
            127,
        ),
        (
            "executable file `/nope` not found: No such file or directory",
            "/nope",
            BEGIN + 'exec: "/nope": stat /nope: no such file or directory',
            127,
        ),
        ("open executable: Operation not permitted", "/etc", BEGIN + 'exec: "/etc": permission denied', 126),
        ("open executable: Permission denied", "/plain", BEGIN + 'exec: "/plain": permission denied', 126),
        (
            "the path `/plain` exists but it is not executable: Operation not permitted",
            "/plain",
            BEGIN + 'exec: "/plain": permission denied',
            126,
        ),
        (
            'exec failed: unable to start container process: exec: "/etc": is a directory',
            "/etc",
            BEGIN + 'exec: "/etc": is a directory',
            126,
        ),
        (
            "open executable: Operation not permitted",
            "",
            BEGIN + 'exec: "": executable file not found in $PATH',
            127,
        ),
        (
            "chdir `/gone`: No such file or directory",
            "true",
            BEGIN + 'chdir to cwd ("/gone") set in config.json failed: no such file or directory',
            127,
        ),
        (
            "chdir to `/file`: Not a directory",
            "true",
            BEGIN + 'chdir to cwd ("/file") set in config.json failed: not a directory',
            127,
        ),
        (
            'exec failed: unable to start container process: exec: "nope": executable file not found in $PATH',
            "nope",
            BEGIN + 'exec: "nope": executable file not found in $PATH',
            127,
        ),
        (
            "the container `x` is not running",
            "true",
            "OCI runtime exec failed: exec failed: the container `x` is not running",
            128,
        ),
        ("", "true", "OCI runtime exec failed: exec failed: the runtime ended without a message", 128),
    ],
)
def test_words_and_codes(said: str, program: str, text: str, code: int) -> None:
    failure = exec_failed(said, program)
    assert (str(failure), failure.exit_code) == (f"{text}: unknown", code)
