"""A client on a terminal of its own: what a person at a keyboard does."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

from conformance.checks import Mismatch, brief, same


class Terminal:
    def __init__(self, words: list[str], environment: dict[str, str], rows: int, columns: int) -> None:
        self.output = bytearray()
        self.looked_at = 0  # what `expect` has already passed
        self.code: int | None = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.execve(words[0], words, environment)
            os._exit(127)

    @property
    def text(self) -> str:
        return bytes(self.output).decode(errors="replace")

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, keys: str | bytes) -> None:
        os.write(self.fd, keys.encode() if isinstance(keys, str) else keys)

    def more(self, within_s: float) -> bool:
        """Read what is there; False at the end or when nothing came."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, within_s))
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # Linux: EIO once nobody has the other side open
            return False
        self.output += data
        return bool(data)

    def expect(self, text: str, within_s: float = 15.0) -> None:
        """Wait for `text` behind what was expected before."""
        deadline = time.monotonic() + within_s
        wanted = text.encode()
        while True:
            at = self.output.find(wanted, self.looked_at)
            if at >= 0:
                self.looked_at = at + len(wanted)
                return
            left = deadline - time.monotonic()
            if left <= 0 or (not self.more(left) and self.has_ended(0)):
                self.more(0)
                if self.output.find(wanted, self.looked_at) < 0:
                    raise Mismatch(f"{text!r} does not come on the terminal: {brief(self.text[-600:], 700)}")

    def has_ended(self, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() >= deadline:
                return False
            if not self.more(0.05):
                time.sleep(0.01)
        return True

    def wait(self, code: int = 0, within_s: float = 20.0) -> str:
        """The whole output, once the client has ended with `code`."""
        if not self.has_ended(within_s):
            raise Mismatch(f"the client does not end: {brief(self.text[-600:], 700)}")
        while self.more(0):
            pass
        same(self.code, code, f"exit code (output {brief(self.text[-300:])})")
        return self.text

    def close(self) -> None:
        if self.code is None and not self.has_ended(0):
            os.kill(self.pid, signal.SIGKILL)
            self.has_ended(5)
        with contextlib.suppress(OSError):
            os.close(self.fd)
