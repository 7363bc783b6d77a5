"""Every documented operation that is built is called in tests/api, where its answers are held against the documents."""

from pathlib import Path

import pytest

from tests.unit.test_status import load
from wharfd.api.router import Route

TESTS = Path(__file__).resolve().parents[1] / "api"
# Their answers are no documents: tests/integration/streams and tests/api/test_absent_parts hold them.
ELSEWHERE = {"containers.attach_ws"}


@pytest.fixture(scope="module")
def text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(TESTS.glob("*.py")))


def built() -> list[Route]:
    status = load()
    return [
        route
        for route in status.table()
        if status.status(route).startswith("works") and not route.undocumented and route.name not in ELSEWHERE
    ]


@pytest.mark.parametrize("route", built(), ids=lambda route: route.name)
def test_operation_is_called(text: str, route: Route) -> None:
    pattern = load().shown(route.pattern)
    assert f'"{route.method}", "{pattern}"' in text
