"""docker-py as a client.

@scenario("run", "output")
def _(py: Py) -> None:
    same(py.docker.containers.run(py.image, ["echo", "hi"], remove=True), b"hi\n")
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import docker
from docker.errors import APIError

from conformance.checks import Mismatch
from conformance.scenario import scenario_of
from conformance.target import Target

CLIENT = "docker-py"
scenario = scenario_of(CLIENT)


@dataclass
class Py:
    target: Target
    docker: Any  # docker.DockerClient: its hints forbid what its documentation shows
    steps: list[str] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def open(cls, target: Target) -> Iterator[Self]:
        client = docker.DockerClient(base_url=f"unix://{target.socket}", version=target.api or "auto", timeout=60)
        try:
            yield cls(target, client)
        finally:
            client.close()

    @property
    def api(self) -> Any:
        return self.docker.api

    @property
    def image(self) -> str:
        return self.target.image

    def name(self, word: str) -> str:
        """The run's own name."""
        return f"{self.target.prefix}{word}"

    def sleeper(self, name: str = "c", **options: Any) -> Any:
        return self.docker.containers.run(self.image, ["sleep", "1000"], name=self.name(name), detach=True, **options)

    def minor(self) -> int:
        return int(self.api.api_version.split(".")[1])


def refused(status: int, text: str, attempt: Callable[[], Any], kind: type[APIError] = APIError) -> None:
    """`attempt` must end in an error of that status whose text holds `text`."""
    try:
        got = attempt()
    except kind as e:
        if e.status_code != status or text not in str(e.explanation):
            raise Mismatch(f"wanted {status} with {text!r}, got {e.status_code} {e.explanation!r}") from e
        return
    raise Mismatch(f"wanted {status} with {text!r}, got no error but {got!r}")
