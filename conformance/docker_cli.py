"""The docker command line as a client.

docker("run --rm IMAGE echo hi", out="hi\n")       # runs `docker run …`; what is not as wanted is a Mismatch
docker.inspect("@web")["State"]                     # the object of `docker inspect`
docker.begin("logs -f @web")                        # in the background
docker.terminal("run -it IMAGE")                    # on a terminal
"""

import contextlib
import json
import os
import re
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from conformance.checks import Expected, Mismatch, brief, lead, same
from conformance.scenario import scenario_of
from conformance.target import Target
from conformance.terminal import Terminal

CLIENT = "docker-cli"
scenario = scenario_of(CLIENT)
ANY: Expected = None
PLUGINS = (
    "{beside}/config/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "{home}/.docker/cli-plugins",
)
TIMEOUT_S = 60.0 * float(os.environ.get("WHARF_TEST_PATIENCE", "1"))


@dataclass(frozen=True)
class Done:
    out: str
    err: str
    code: int
    raw: bytes  # standard output as it came

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def word(self) -> str:
        return self.out.strip()


class Background:
    """A client that runs while the scenario goes on.  Its output is read as it comes."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        self.out = bytearray()
        self.err = bytearray()
        self.readers = [
            threading.Thread(target=self.read, args=(pipe, kept), daemon=True)
            for pipe, kept in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for reader in self.readers:
            reader.start()

    def read(self, pipe: Any, kept: bytearray) -> None:
        with contextlib.suppress(ValueError, OSError):
            while data := pipe.read1(65536):
                kept += data

    @property
    def text(self) -> str:
        return bytes(self.out).decode(errors="replace")

    def until(self, text: str, within_s: float = 15.0) -> str:
        """Everything read as soon as `text` is in it."""
        deadline = time.monotonic() + within_s
        while text not in self.text:
            if time.monotonic() > deadline:
                raise Mismatch(f"{text!r} does not come: {brief(self.text)}, {brief(bytes(self.err))}")
            time.sleep(0.02)
        return self.text

    def write(self, data: str | bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data.encode() if isinstance(data, str) else data)
        self.process.stdin.flush()

    def close_stdin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, code: int | None = 0, within_s: float = 20.0) -> str:
        try:
            ended = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise Mismatch(f"the client does not end: {brief(self.text)}, {brief(bytes(self.err))}") from None
        for reader in self.readers:
            reader.join(5)
        if code is not None:
            same(ended, code, "exit code")
        return self.text

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass
class Cli:
    target: Target
    program: str
    config: Path
    started: list[Background | Terminal] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)  # what was run, for the report
    base: tuple[str, ...] = ()  # words before those of each call
    extra: dict[str, str] = field(default_factory=dict)  # more of its environment

    @classmethod
    @contextlib.contextmanager
    def open(cls, target: Target, program: str) -> Iterator[Self]:
        with tempfile.TemporaryDirectory(prefix="conformance-") as home:
            places = [each.format(beside=Path(program).resolve().parent, home=Path.home()) for each in PLUGINS]
            places += [str(Path(program).parent / "config/cli-plugins")]
            config = {"cliPluginsExtraDirs": [place for place in dict.fromkeys(places) if Path(place).is_dir()]}
            (Path(home) / "config.json").write_text(json.dumps(config))
            cli = cls(target, program, Path(home))
            try:
                yield cli
            finally:
                for each in cli.started:
                    each.close()

    @property
    def directory(self) -> Path:
        """The scenario's own directory; DIR in a line."""
        return self.target.directory

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "DOCKER_HOST": f"unix://{self.target.socket}",
            "DOCKER_CONFIG": str(self.config),
            "HOME": str(self.config),
            "PATH": os.environ["PATH"],
            "TERM": "xterm",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "DOCKER_CLI_HINTS": "false",
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
            "BUILDX_CONFIG": str(self.config / "buildx"),
        }
        return own | self.extra | ({"DOCKER_API_VERSION": self.target.api} if self.target.api else {})

    def words(self, line: str) -> list[str]:
        expanded = self.target.expand(line)
        self.steps.append(" ".join((*self.base, expanded)))
        return [self.program, *self.base, *shlex.split(expanded)]

    def __call__(
        self,
        line: str,
        *,
        out: Expected = ANY,
        err: Expected = "",
        code: int | None = 0,
        stdin: str | bytes | None = None,
        env: dict[str, str] | None = None,
        timeout: float = TIMEOUT_S,
    ) -> Done:
        """Run it to its end.  Unless told otherwise a success must be silent on standard error, and a failure may say anything there.

        Texts may have `@name`, PREFIX, IMAGE and DIR, as the line itself.  A trailing newline of `err` is left out of the comparison.
        """
        words = self.words(line)
        try:
            done = subprocess.run(
                words,
                input=stdin.encode() if isinstance(stdin, str) else stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                env={**self.environment, **(env or {})},
                timeout=timeout,
                check=False,
                cwd=self.directory,
            )
        except subprocess.TimeoutExpired as e:
            raise Mismatch(
                f"docker {line}: no end after {timeout:.0f} s; output {brief(e.stdout)}, {brief(e.stderr)}"
            ) from None
        result = Done(
            done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode, done.stdout
        )
        what = f"docker {line}"
        if code is not None and result.code != code:
            raise Mismatch(
                f"{lead(what)}exit code {result.code} instead of {code}; "
                f"output {brief(result.out)}, errors {brief(result.err, 3000)}"
            )
        if isinstance(out, bytes):
            same(result.raw, out, f"{what}: output")
        else:
            same(result.out, self.wanted(out, result.out), f"{what}: output")
        if err == "" and code != 0:
            return result
        same(result.err.rstrip("\n"), self.wanted(err, result.err.rstrip("\n")), f"{what}: errors")
        return result

    def wanted(self, expected: Expected, actual: str) -> Any:
        if expected is None:
            return actual
        if isinstance(expected, re.Pattern):
            return re.compile(self.target.expand(expected.pattern), expected.flags)
        return self.target.expand(expected) if isinstance(expected, str) else expected

    def begin(self, line: str) -> Background:
        begun = Background(self.words(line), self.environment)
        self.started.append(begun)
        return begun

    def terminal(self, line: str, rows: int = 24, columns: int = 80) -> Terminal:
        begun = Terminal(self.words(line), self.environment, rows, columns)
        self.started.append(begun)
        return begun

    def inspect(self, name: str, kind: str = "container") -> Any:
        return self(f"{kind} inspect {name}").json[0]

    def state(self, name: str) -> Any:
        return self.inspect(name)["State"]

    def has_cgroup_v2(self) -> bool:
        return bool(self.target.info.get("CgroupVersion") == "2")

    def file(self, path: str, text: str | bytes = "", mode: int = 0o644) -> Path:
        """A file in the scenario's directory."""
        place = self.directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(self.target.expand(text).encode() if isinstance(text, str) else text)
        place.chmod(mode)
        return place
