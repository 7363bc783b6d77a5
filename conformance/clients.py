"""The clients: where each is, what stands in the way if it is not there, and how a scenario gets it."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import aio, compose, docker_cli, docker_py, node, testcontainers, testcontainers_node
from conformance.target import Target

OWN = Path(sys.prefix)  # what a run fetches for itself lies in the virtual environment
FETCHED = OWN / "docker-client"  # by scripts/docker-client.sh
NODE_PACKAGES = {node.CLIENT: "dockerode", testcontainers_node.CLIENT: "testcontainers"}


class Missing(Exception):
    """The client is not on this machine; says what to do."""


@dataclass(frozen=True)
class Programs:
    """`docker`: path of the docker command line; empty if there is none.

    `modules`: of the clients in Node.js, where the modules lie, or why they do not.
    """

    docker: str
    modules: Mapping[str, Path | str]

    @classmethod
    def find(cls, docker: str, clients: Collection[str]) -> "Programs":
        """What is there; clients in Node.js are fetched if they are asked for."""
        fetched = FETCHED / "docker"
        ways = (
            docker,
            os.environ.get("WHARF_DOCKER"),
            str(fetched) if fetched.exists() else "",
            shutil.which("docker"),
        )
        modules = {client: node_modules(package) for client, package in NODE_PACKAGES.items() if client in clients}
        return cls(docker=next((way for way in ways if way), ""), modules=modules)


def node_modules(package: str) -> Path | str:
    if not shutil.which("node") or not shutil.which("npm"):
        return "there is no node and npm: install Debian's packages nodejs and npm"
    try:
        return node.install(package, OWN / "npm" / package)
    except RuntimeError as e:
        return str(e)


@contextlib.contextmanager
def open_docker_cli(target: Target, programs: Programs) -> Iterator[docker_cli.Cli]:
    if not programs.docker:
        raise Missing("there is no `docker` command line: name one with --docker PATH")
    with docker_cli.Cli.open(target, programs.docker) as cli:
        yield cli


@contextlib.contextmanager
def open_compose(target: Target, programs: Programs) -> Iterator[compose.Compose]:
    with open_docker_cli(target, programs) as cli:
        if cli("compose version --short", code=None, err=None).code:
            raise Missing("the docker command line has no compose plugin")
        cli.steps.clear()
        with compose.open_compose(cli) as client:
            yield client


@contextlib.contextmanager
def open_docker_py(target: Target, programs: Programs) -> Iterator[docker_py.Py]:
    with docker_py.Py.open(target) as client:
        yield client


@contextlib.contextmanager
def open_aiodocker(target: Target, programs: Programs) -> Iterator[aio.Aio]:
    if importlib.util.find_spec("aiodocker") is None:
        raise Missing("the Python package aiodocker is not installed")
    with aio.open_aio(target) as client:
        yield client


@contextlib.contextmanager
def open_dockerode(target: Target, programs: Programs) -> Iterator[node.Node]:
    with node.open_node(target, modules_of(programs, node.CLIENT)) as client:
        yield client


@contextlib.contextmanager
def open_testcontainers_node(target: Target, programs: Programs) -> Iterator[testcontainers_node.NodeTests]:
    with tempfile.TemporaryDirectory(prefix="conformance-") as home:
        modules = modules_of(programs, testcontainers_node.CLIENT)
        yield testcontainers_node.NodeTests(target, modules, Path(home))


def modules_of(programs: Programs, client: str) -> Path:
    found = programs.modules[client]
    if isinstance(found, str):
        raise Missing(found)
    return found


@contextlib.contextmanager
def open_testcontainers(target: Target, programs: Programs) -> Iterator[testcontainers.Tests]:
    if importlib.util.find_spec("testcontainers") is None:
        raise Missing("the Python package testcontainers is not installed")
    with contextlib.ExitStack() as stack:
        cli = stack.enter_context(open_docker_cli(target, programs)) if programs.docker else None
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="conformance-")))
        yield stack.enter_context(testcontainers.open_tests(target, cli, home))


OPENERS: dict[str, Callable[[Target, Programs], AbstractContextManager[Any]]] = {
    docker_cli.CLIENT: open_docker_cli,
    compose.CLIENT: open_compose,
    docker_py.CLIENT: open_docker_py,
    aio.CLIENT: open_aiodocker,
    node.CLIENT: open_dockerode,
    testcontainers.CLIENT: open_testcontainers,
    testcontainers_node.CLIENT: open_testcontainers_node,
}


def versions(programs: Programs) -> dict[str, str]:
    """Name of each client and its version, for the report."""
    found = {}
    if programs.docker:
        done = subprocess.run([programs.docker, "--version"], capture_output=True, text=True, check=False)
        found[docker_cli.CLIENT] = done.stdout.strip().removeprefix("Docker version ").split(",")[0]
        config = {**os.environ, "DOCKER_CONFIG": str(Path(programs.docker).parent / "config")}
        done = subprocess.run(
            [programs.docker, "compose", "version", "--short"], capture_output=True, text=True, check=False, env=config
        )
        if not done.returncode:
            found[compose.CLIENT] = done.stdout.strip()
    for client, package in (
        (docker_py.CLIENT, "docker"),
        (aio.CLIENT, "aiodocker"),
        (testcontainers.CLIENT, "testcontainers"),
    ):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[client] = importlib.metadata.version(package)
    for client, package in NODE_PACKAGES.items():
        installed = OWN / "npm" / package / "node_modules" / package / "package.json"
        if installed.exists():
            found[client] = json.loads(installed.read_text())["version"]
    return found
