"""Whole Dockerfiles and the graphs that they become: tests/golden/dockerfile (`--update-golden` rewrites the graphs).

A case is NAME.Dockerfile, NAME.graph, and for some NAME.json with the request's `attributes`, the `images` that there are (their configs,
by canonical name), the client's `files`.  What is broken has its error in place of the graph.
"""

import json
from pathlib import Path

import pytest

from tests.unit.engine.build.frontend.rig import FakeBridge, build, image, written
from wharfd.model.errors import EngineError
from wharfd.wire.dockerfile import DockerfileError

GOLDEN = Path(__file__).parents[4] / "golden/dockerfile"
CASES = sorted(path.stem for path in GOLDEN.glob("*.Dockerfile"))


async def outcome(name: str) -> str:
    settings = GOLDEN / f"{name}.json"
    extra = json.loads(settings.read_text()) if settings.exists() else {}
    bridge = FakeBridge(
        images={ref: image(created_by=ref, **config) for ref, config in extra.get("images", {}).items()},
        files={
            name: {path: text.encode() for path, text in tree.items()} for name, tree in extra.get("files", {}).items()
        },
    )
    try:
        result = await build((GOLDEN / f"{name}.Dockerfile").read_bytes(), extra.get("attributes"), bridge)
    except DockerfileError as e:
        lines = sorted({line for each in e.ranges for line in range(each.start, each.end + 1)})
        return f"error at lines {lines}: {e}\n"
    except EngineError as e:
        return f"error: {e}\n"
    return written(result, bridge.warnings)


@pytest.mark.parametrize("name", CASES)
async def test_the_graph(name: str, update_golden: bool) -> None:
    found = await outcome(name)
    stored = GOLDEN / f"{name}.graph"
    if update_golden:
        stored.write_text(found)
    assert found == stored.read_text()


def test_every_file_belongs_to_a_case() -> None:
    assert len(CASES) >= 40
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)
