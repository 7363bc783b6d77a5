"""Run scenarios, one after the other, against one engine."""

import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from conformance.checks import Mismatch
from conformance.clients import OPENERS, Missing, Programs
from conformance.scenario import Scenario
from conformance.target import Target
from wharfd.sys import netns


@dataclass(frozen=True)
class Outcome:
    engine: str
    client: str
    area: str
    name: str
    place: str
    verdict: str  # passed, failed, not run
    difference: str = ""
    steps: Sequence[str] = ()
    machine: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_all(
    target: Target, scenarios: Sequence[Scenario], programs: Programs, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """In the engine's network namespace, so that its published ports are reached."""

    def inside() -> list[Outcome]:
        target.prepare()
        outcomes = []
        try:
            for each in scenarios:
                outcome = run(target, each, programs)
                tell(outcome)
                outcomes.append(outcome)
        finally:
            target.close()
        return outcomes

    return netns.run_in(target.netns, inside) if target.netns else inside()


def run(target: Target, scenario: Scenario, programs: Programs) -> Outcome:
    def outcome(verdict: str, difference: str = "", steps: Sequence[str] = ()) -> Outcome:
        return Outcome(
            target.name,
            scenario.client,
            scenario.area,
            scenario.name,
            scenario.place,
            verdict,
            difference,
            tuple(steps),
            scenario.machine,
            round(time.monotonic() - began, 3),
        )

    began = time.monotonic()
    if target.api and version(target.api) < version(scenario.since):
        return outcome("not run", f"needs API {scenario.since}")
    target.directory.mkdir(parents=True, exist_ok=True)
    steps: list[str] = []
    try:
        with OPENERS[scenario.client](target, programs) as client:
            steps = getattr(client, "steps", steps)
            scenario.steps(client)
    except Missing as e:
        return outcome("not run", str(e))
    except Mismatch as e:
        return outcome("failed", str(e), steps)
    except Exception as e:
        frames = traceback.extract_tb(e.__traceback__)
        at = next((f"{f.filename}:{f.lineno}" for f in reversed(frames) if "/conformance/scenarios/" in f.filename), "")
        return outcome("failed", f"{type(e).__name__}: {e} ({at})", steps)
    finally:
        try:
            target.clean()
        except Exception as e:
            print(f"after {scenario.title}: cannot tidy up: {e!r}", file=sys.stderr)
        shutil.rmtree(target.directory, ignore_errors=True)
    return outcome("passed", "", steps)


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
