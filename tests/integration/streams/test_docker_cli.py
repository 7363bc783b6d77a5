"""The docker client's run, attach and exec, with pipes and with a terminal."""

import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine import BASE_IMAGE, PATIENCE, Engine
from tests.integration.engine.rig import until

TIMEOUT_S = 60 * PATIENCE


def run(docker: list[str], *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*docker, *words], input=stdin, capture_output=True, timeout=TIMEOUT_S, check=False)


class Terminal:
    """A client on a terminal of its own."""

    def __init__(self, command: list[str], height: int = 33, width: int = 101) -> None:
        self.master, slave = pty.openpty()
        self.resize(height, width)
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509
        )
        os.close(slave)
        self.seen = b""

    def resize(self, height: int, width: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))

    def types(self, text: bytes) -> None:
        os.write(self.master, text)

    def says(self, pattern: bytes) -> bytes:
        """Returns when something like that has come, with what was said until then."""
        deadline = time.monotonic() + TIMEOUT_S
        while (found := re.search(pattern, self.seen)) is None:
            if time.monotonic() > deadline or not self.more(deadline):
                raise AssertionError(f"{pattern!r} was not said, but {self.seen!r}")
        said, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return said

    def more(self, deadline: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += data
        return bool(data)

    def ends(self) -> int:
        while self.more(time.monotonic() + TIMEOUT_S):
            pass
        return self.process.wait(TIMEOUT_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


def take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def on_terminal(docker: list[str], *words: str) -> Iterator[Terminal]:
    terminal = Terminal([*docker, *words])
    try:
        yield terminal
    finally:
        terminal.close()


# Pipes


@pytest.mark.parametrize(
    ("command", "code", "stdout", "stderr"),
    [
        (["echo", "hello"], 0, b"hello\n", b""),
        (["sh", "-c", "echo out; echo err >&2; exit 5"], 5, b"out\n", b"err\n"),
        (["sh", "-c", "exit 255"], 255, b"", b""),
    ],
)
def test_run(docker: list[str], command: list[str], code: int, stdout: bytes, stderr: bytes) -> None:
    for flags in ([], ["-a", "stdout", "-a", "stderr"], ["-i"]):
        done = run(docker, "run", "--rm", *flags, BASE_IMAGE, *command)
        assert (done.returncode, done.stdout, done.stderr) == (code, stdout, stderr)


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [("nope", 127, b"executable file not found in $PATH"), ("/etc", 126, b"permission denied")],
)
def test_run_what_cannot_be_run(docker: list[str], program: str, code: int, text: bytes) -> None:
    done = run(docker, "run", "--rm", BASE_IMAGE, program)
    assert (done.returncode, done.stdout) == (code, b"")
    assert text in done.stderr


def test_run_with_input(docker: list[str]) -> None:
    done = run(docker, "run", "--rm", "-i", BASE_IMAGE, "sh", "-c", "cat; echo end", stdin=b"in\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"in\nend\n", b"")
    assert run(docker, "run", "--rm", "-i", BASE_IMAGE, "cat").stdout == b""


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_64_mib_through_cat(engine: Engine, docker: list[str], tmp_path: Path, verb: str) -> None:
    file = tmp_path / "big"
    file.write_bytes(os.urandom(64 << 20))
    if verb == "run":
        words = ["run", "--rm", "-i", BASE_IMAGE, "cat"]
    else:
        words = ["exec", "-i", engine.run("sleep", "600"), "cat"]
    digest = hashlib.sha256()
    with open(file, "rb") as stdin, subprocess.Popen([*docker, *words], stdin=stdin, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        while data := client.stdout.read(1 << 20):
            digest.update(data)
    assert client.returncode == 0
    assert digest.digest() == hashlib.sha256(file.read_bytes()).digest()


def test_a_reader_that_goes_ends_the_pipeline(docker: list[str]) -> None:
    with subprocess.Popen(
        [*docker, "run", "--rm", BASE_IMAGE, "yes"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as client:
        assert client.stdout is not None
        assert client.stdout.read(4) == b"y\ny\n"
        client.stdout.close()
        client.send_signal(signal.SIGINT)
        client.wait(TIMEOUT_S)


def test_signals_reach_the_container(engine: Engine, docker: list[str]) -> None:
    script = "trap 'echo got it; exit 9' TERM; echo up; while :; do sleep 0.05; done"
    with subprocess.Popen([*docker, "run", "--rm", BASE_IMAGE, "sh", "-c", script], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"up\n"
        client.send_signal(signal.SIGTERM)
        assert client.stdout.read() == b"got it\n"
    assert client.returncode == 9


def test_start_attached(engine: Engine, docker: list[str]) -> None:
    identifier = engine.create("sh", "-c", "echo again; exit 3")
    for _ in range(2):
        done = run(docker, "start", "-a", identifier)
        assert (done.returncode, done.stdout) == (3, b"again\n")


def test_exec(engine: Engine, docker: list[str]) -> None:
    web = engine.run("sleep", "600")
    done = run(docker, "exec", web, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert run(docker, "exec", "-i", web, "cat", stdin=b"data").stdout == b"data"
    said = run(docker, "exec", "-u", "1000", "-w", "/tmp", "-e", "A=b c", web, "sh", "-c", "id -u; pwd; echo $A")
    assert said.stdout == b"1000\n/tmp\nb c\n"
    assert run(docker, "exec", "-d", web, "sh", "-c", "echo x >/tmp/made").returncode == 0
    until(lambda: run(docker, "exec", web, "cat", "/tmp/made").stdout == b"x\n")


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [("nope", 127, b"executable file not found in $PATH"), ("/etc", 126, b"permission denied")],
)
def test_exec_what_cannot_be_run(engine: Engine, docker: list[str], program: str, code: int, text: bytes) -> None:
    done = run(docker, "exec", engine.run("sleep", "600"), program)
    assert done.returncode == code
    assert done.stdout.startswith(b"OCI runtime exec failed: exec failed: unable to start container process: ")
    assert text in done.stdout


# Terminals


def test_run_on_a_terminal(docker: list[str]) -> None:
    script = "tty; stty size; until stty size | grep -q '^20 60$'; do sleep 0.05; done; read x; echo it was $x"
    with on_terminal(docker, "run", "--rm", "-it", BASE_IMAGE, "sh", "-c", script) as at:
        at.says(rb"/dev/pts/\d+\r\n33 101\r\n")
        at.resize(20, 60)
        at.process.send_signal(signal.SIGWINCH)
        at.types(b"changed\n")
        at.says(rb"it was changed\r\n")
        assert at.ends() == 0


def test_interrupting_on_a_terminal(docker: list[str]) -> None:
    with on_terminal(
        docker, "run", "--rm", "-it", BASE_IMAGE, "sh", "-c", "trap 'exit 5' INT; echo up; while :; do sleep 0.05; done"
    ) as at:
        at.says(rb"up")
        at.types(b"\x03")
        assert at.ends() == 5


def test_detach_and_attach_again(engine: Engine, docker: list[str]) -> None:
    with on_terminal(docker, "run", "--name", "shell", "-it", BASE_IMAGE, "sh") as at:
        at.types(b"echo h''i\n")
        at.says(rb"hi\r\n")
        at.types(b"\x10\x11")
        assert at.ends() == 0
    assert engine.inspect("shell")["State"]["Running"]
    with on_terminal(docker, "attach", "shell") as at:
        at.types(b"echo ag''ain\n")
        at.says(rb"again\r\n")
        at.types(b"exit 4\n")
        assert at.ends() == 4
    assert engine.inspect("shell")["State"]["ExitCode"] == 4


def test_exec_on_a_terminal(engine: Engine, docker: list[str]) -> None:
    web = engine.run("sleep", "600")
    with on_terminal(docker, "exec", "-it", web, "sh") as at:
        at.types(b"stty size; echo $TERM\n")
        at.says(rb"33 101\r\nxterm\r\n")
        at.resize(21, 61)
        at.process.send_signal(signal.SIGWINCH)
        settle(lambda: at.types(b"stty size\n"), lambda: b"21 61" in at.says(rb"\d+ \d+\r\n"))
        at.types(b"exit 6\n")
        assert at.ends() == 6


def settle(act: Callable[[], None], claim: Callable[[], bool]) -> None:
    """Act until the claim holds."""
    for _ in range(50):
        act()
        if claim():
            return
        time.sleep(0.1)
    raise AssertionError


def test_exec_and_detach(engine: Engine, docker: list[str]) -> None:
    web = engine.run("sleep", "600")
    with on_terminal(docker, "exec", "-it", web, "sh") as at:
        at.types(b"echo h''i\n")
        at.says(rb"hi\r\n")
        at.types(b"\x10\x11")
        at.ends()
    assert len(engine.inspect(web)["ExecIDs"]) == 1
