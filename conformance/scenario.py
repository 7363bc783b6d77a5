"""A scenario: what one user does with one client, and what exactly must come of it.

    @scenario("run", "the exit code is the command's")
    def _(docker: Cli) -> None:
        docker("run --rm IMAGE sh -c 'exit 7'", code=7)

A scenario is right when it passes on dockerd.  Where dockerd itself cannot pass for a reason of some machines, `machine` says so; it is
told beside the failure and changes nothing in the count.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from conformance import scenarios

ROOT = Path(__file__).parent.parent
W = TypeVar("W")


@dataclass(frozen=True)
class Scenario:
    client: str
    area: str
    name: str
    steps: Callable[[Any], Any]
    place: str  # file:line
    since: str  # API version below which it is left out
    machine: str  # why dockerd fails on some machines; empty if nothing is known to hinder it
    smoke: bool  # one of the few that the project's tests run

    @property
    def title(self) -> str:
        return f"{self.client}/{self.area}: {self.name}"


SCENARIOS: list[Scenario] = []


def scenario_of(client: str) -> Callable[..., Callable[[Callable[[W], Any]], Callable[[W], Any]]]:
    """The decorator for scenarios of one client."""

    def scenario(
        area: str, name: str, *, since: str = "1.24", machine: str = "", smoke: bool = False
    ) -> Callable[[Callable[[W], Any]], Callable[[W], Any]]:
        def note(steps: Callable[[W], Any]) -> Callable[[W], Any]:
            code = inspect.unwrap(steps).__code__
            place = f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno}"
            SCENARIOS.append(Scenario(client, area, name, steps, place, since, machine, smoke))
            return steps

        return note

    return scenario


def load() -> list[Scenario]:
    """Import every module below `scenarios`; returns what they hold, in the order of their files."""
    for module in pkgutil.walk_packages(scenarios.__path__, f"{scenarios.__name__}."):
        importlib.import_module(module.name)
    titles = [each.title for each in SCENARIOS]
    doubles = {title for title in titles if titles.count(title) > 1}
    if doubles:
        raise ValueError(f"two scenarios of one name: {sorted(doubles)}")
    return SCENARIOS


def select(
    found: Iterable[Scenario], clients: list[str], areas: list[str], words: list[str], *, smoke: bool = False
) -> list[Scenario]:
    return [
        each
        for each in found
        if (not clients or each.client in clients)
        and (not areas or each.area in areas)
        and (not words or any(word in each.title or word in each.place for word in words))
        and (each.smoke or not smoke)
    ]
