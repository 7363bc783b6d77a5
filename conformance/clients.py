"""The clients: where each is, what stands in the way if it is not there, and how a scenario gets it."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from conformance import docker_cli
from conformance.target import Target


class Missing(Exception):
    """The client is not on this machine; says what to do."""


@dataclass(frozen=True)
class Programs:
    docker: str  # path of the docker command line; empty if there is none

    @classmethod
    def find(cls, docker: str = "") -> "Programs":
        return cls(docker=docker or os.environ.get("WHARF_DOCKER") or shutil.which("docker") or "")


@contextlib.contextmanager
def open_docker_cli(target: Target, programs: Programs) -> Iterator[docker_cli.Cli]:
    if not programs.docker:
        raise Missing("there is no `docker` command line: name one with --docker PATH")
    with docker_cli.Cli.open(target, programs.docker) as cli:
        yield cli


OPENERS: dict[str, Callable[[Target, Programs], AbstractContextManager[Any]]] = {
    docker_cli.CLIENT: open_docker_cli,
}


def versions(programs: Programs) -> dict[str, str]:
    """Name of each client and its version, for the report."""
    found = {}
    if programs.docker:
        done = subprocess.run([programs.docker, "--version"], capture_output=True, text=True, check=False)
        found[docker_cli.CLIENT] = done.stdout.strip().removeprefix("Docker version ").split(",")[0]
    return found
