"""docker compose as a client.

    compose.project(YAML)                       # compose.yaml of the scenario's project
    compose("up -d")                            # `docker compose … up -d`
    compose("exec web hostname", out="…")
    compose.docker("ps")                        # the docker command line beside it

Texts may have `@name`, IMAGE, REDIS, POSTGRES and DIR.  A scenario's project is called like its prefix and a number.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from conformance.checks import Expected
from conformance.docker_cli import ANY, TIMEOUT_S, Background, Cli, Done
from conformance.scenario import scenario_of
from conformance.target import Target

CLIENT = "compose"
scenario = scenario_of(CLIENT)
QUIET = {"COMPOSE_ANSI": "never", "COMPOSE_PROGRESS": "quiet", "COMPOSE_STATUS_STDOUT": "0"}


class Compose:
    def __init__(self, docker: Cli, cli: Cli, name: str) -> None:
        self.docker = docker
        self.cli = cli  # the same with compose's words before each line
        self.name = name

    @property
    def target(self) -> Target:
        return self.cli.target

    @property
    def steps(self) -> list[str]:
        return self.cli.steps

    @property
    def directory(self) -> Any:
        return self.cli.directory

    def project(self, text: str, path: str = "compose.yaml") -> None:
        self.cli.file(path, text)

    def file(self, path: str, text: str | bytes = "", mode: int = 0o644) -> Any:
        return self.cli.file(path, text, mode)

    def __call__(
        self,
        line: str,
        *,
        out: Expected = ANY,
        err: Expected = ANY,
        code: int | None = 0,
        stdin: str | bytes | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 2 * TIMEOUT_S,
    ) -> Done:
        """As the command line's, but errors are looked at only when asked: compose tells its progress there."""
        return self.cli(line, out=out, err=err, code=code, stdin=stdin, env={**QUIET, **(env or {})}, timeout=timeout)

    def begin(self, line: str) -> Background:
        return self.cli.begin(line)

    def names(self, line: str = "") -> list[str]:
        """Of the running containers, without the project's."""
        found = self(f"ps {line} --format '{{{{.Name}}}}'").lines
        return sorted(name.removeprefix(f"{self.name}-") for name in found)


@contextlib.contextmanager
def open_compose(docker: Cli) -> Iterator[Compose]:
    name = f"{docker.target.prefix}p"
    base = (
        "compose",
        "-p",
        name,
        "--project-directory",
        str(docker.directory),
        "-f",
        str(docker.directory / "compose.yaml"),
    )
    cli = Cli(docker.target, docker.program, docker.config, docker.started, docker.steps, base, QUIET)
    try:
        yield Compose(docker, cli, name)
    finally:
        for each in docker.started:
            each.close()
