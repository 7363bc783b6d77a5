import pytest

from wharfd.engine.build.exporters.images import names_of
from wharfd.engine.build.exporters.imaging import dated, epoch, fitted, packing_of, truth
from wharfd.engine.build.exporters.layers import Packing
from wharfd.engine.build.requests import BuildResult
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import HistoryEntry

S = 10**9


def entry(what: str, *, empty: bool = False, created: str = "") -> HistoryEntry:
    return HistoryEntry(created_by=what, empty_layer=empty, created=created)


def test_history_has_as_many_entries_with_a_layer_as_there_are_layers() -> None:
    history = [entry("a"), entry("e", empty=True), entry("b")]
    assert fitted(history, 2) == history
    assert [each.empty_layer for each in fitted(history, 1)] == [False, True, True]
    more = fitted(history, 4)
    assert more[:3] == history
    assert [each.comment for each in more[3:]] == ["buildkit.exporter.image.v0"] * 2


def test_times_are_those_of_the_layers() -> None:
    history = [
        entry("base", created="2020-01-01T00:00:00Z"),
        entry("ENV", empty=True),
        entry("RUN"),
        entry("LABEL", empty=True),
        entry("COPY"),
    ]
    found = [each.created for each in dated(history, [0, 100 * S, 200 * S])]
    assert found == [
        "2020-01-01T00:00:00Z",
        "1970-01-01T00:01:40Z",
        "1970-01-01T00:01:40Z",
        "1970-01-01T00:01:40Z",
        "1970-01-01T00:03:20Z",
    ]


def test_what_adds_no_layer_is_as_old_as_the_base() -> None:
    history = [entry("base", created="2020-01-01T00:00:00Z"), entry("ENV", empty=True)]
    assert [each.created for each in dated(history, [0])] == ["2020-01-01T00:00:00Z"] * 2


@pytest.mark.parametrize(
    ("attributes", "packing"),
    [
        ({}, Packing()),
        ({"compression": "zstd", "force-compression": "true"}, Packing(compression="zstd", force=True)),
        ({"compression": "uncompressed"}, Packing(compression="")),
        ({"rewrite-timestamp": "true"}, Packing(clamp_ns=5)),
    ],
)
def test_how_layers_are_packed(attributes: dict[str, str], packing: Packing) -> None:
    assert packing_of(attributes, 5) == packing


def test_attributes_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="unsupported layer compression type: rar"):
        packing_of({"compression": "rar"}, None)
    with pytest.raises(InvalidParameter, match="non-bool value for push"):
        truth({"push": "perhaps"}, "push", False)
    with pytest.raises(InvalidParameter, match="source-date-epoch"):
        epoch({"source-date-epoch": "yesterday"}, BuildResult())
    assert truth({"push": ""}, "push", False)
    assert epoch({}, BuildResult(metadata={"source-date-epoch": b"7"})) == 7 * S
    assert epoch({}, BuildResult()) is None


def test_names() -> None:
    names = names_of({"name": "x, y:1,docker.io/library/x:latest,*,"})
    assert [str(name) for name in names] == ["docker.io/library/x:latest", "docker.io/library/y:1"]
    with pytest.raises(InvalidParameter, match="failed to parse A"):
        names_of({"name": "A"})
