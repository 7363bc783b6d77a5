"""aiodocker as a client.  Scenarios are coroutines.

@scenario("containers", "a life")
async def _(aio: Aio) -> None:
    container = await aio.docker.containers.create({"Image": aio.image, "Cmd": ["true"]})
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

from conformance.scenario import scenario_of
from conformance.target import Target

CLIENT = "aiodocker"
_scenario = scenario_of(CLIENT)
LIMIT_S = 60.0

Steps = Callable[["Aio"], Coroutine[Any, Any, None]]


@dataclass
class Aio:
    target: Target
    docker: Any = None  # aiodocker.Docker, inside a scenario
    steps: list[str] = field(default_factory=list)

    @property
    def image(self) -> str:
        return self.target.image

    def name(self, word: str) -> str:
        return f"{self.target.prefix}{word}"

    async def create(self, *command: str, name: str = "c", **config: Any) -> Any:
        return await self.docker.containers.create(
            {"Image": self.image, "Cmd": command, **config}, name=self.name(name)
        )

    async def run(self, *command: str, name: str = "c", **config: Any) -> Any:
        container = await self.create(*command, name=name, **config)
        await container.start()
        return container


@contextlib.contextmanager
def open_aio(target: Target) -> Iterator[Aio]:
    yield Aio(target)


def scenario(area: str, name: str, **more: Any) -> Callable[[Steps], Steps]:
    def note(steps: Steps) -> Steps:
        def run(aio: Aio) -> None:
            asyncio.run(with_client(aio, steps))

        run.__wrapped__ = steps  # type: ignore[attr-defined]
        _scenario(area, name, **more)(run)
        return steps

    return note


async def with_client(aio: Aio, steps: Steps) -> None:
    import aiodocker

    version = f"v{aio.target.api}" if aio.target.api else "auto"
    async with (
        asyncio.timeout(LIMIT_S),
        aiodocker.Docker(url=f"unix://{aio.target.socket}", api_version=version) as client,
    ):
        aio.docker = client
        await steps(aio)
