"""The route table has every documented operation once, from the right version on, and docs/status.md says so."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.spec.documents import document, documented_versions
from wharfd.api.router import Route, RouteTable
from wharfd.api.versions.version import MIN, Version

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "status.py"

# dockerd serves these to older versions than the documents say.
SERVED_EARLIER = {("HEAD", "/_ping"): "1.24"}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("status", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def status() -> ModuleType:
    return load()


@pytest.fixture(scope="module")
def table(status: ModuleType) -> RouteTable:
    found: RouteTable = status.table()
    return found


def nameless(pattern: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", pattern)


def routes_of(table: RouteTable, method: str, path: str) -> list[Route]:
    return [route for route in table if (route.method, nameless(route.pattern)) == (method, nameless(path))]


def first_seen(method: str, path: str) -> tuple[str, str]:
    """The newest version whose document lacks it, and the first that has it."""
    before = str(MIN)
    for version in documented_versions():
        if any((m, nameless(p)) == (method, nameless(path)) for m, p in document(version).operations()):
            return before, version
        before = version
    raise AssertionError(f"{method} {path} is in no document")


@pytest.mark.parametrize(("method", "path"), document("1.55").operations())
def test_documented_operation_has_one_route_from_the_right_version_on(
    table: RouteTable, method: str, path: str
) -> None:
    (route,) = routes_of(table, method, path)
    assert route.until is None
    assert not route.undocumented
    if (method, path) in SERVED_EARLIER:
        assert route.since == SERVED_EARLIER[method, path]
        return
    before, seen = first_seen(method, path)
    since = Version.parse(route.since)
    # There is no document for every version, and none for 1.24.
    assert Version.parse(before) <= since <= Version.parse(seen)
    if seen != documented_versions()[0]:
        assert since > Version.parse(before), f"the document of {before} does not have it"


def test_other_routes_are_marked(table: RouteTable) -> None:
    known = {(method, nameless(path)) for method, path in document("1.55").operations()}
    unmarked = [r.name for r in table if (r.method, nameless(r.pattern)) not in known and not r.undocumented]
    assert unmarked == []


def test_page_is_current(status: ModuleType) -> None:
    assert status.PAGE.read_text(encoding="utf-8") == status.page(), "run scripts/status.py"


def test_remarks_speak_of_routes_that_are_there(status: ModuleType, table: RouteTable) -> None:
    assert set(status.REMARKS) <= {route.name for route in table}


def test_every_route_has_its_section(status: ModuleType, table: RouteTable) -> None:
    text = status.page()
    for route in table:
        assert f"| {route.method} {status.shown(route.pattern)}" in text
