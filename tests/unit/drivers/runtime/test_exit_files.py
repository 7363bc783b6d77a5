"""Exit files: the code, the time, and whether memory ran out."""

import os
from pathlib import Path

import pytest

from wharfd.drivers.runtime.placement import Placement, Placements
from wharfd.drivers.runtime.takedown import read_exit, write_exit
from wharfd.model.ids import ContainerId
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import CgroupLayout
from wharfd.testing.builders import an_id


@pytest.fixture
def placements(tmp_path: Path) -> Placements:
    placements = Placements(str(tmp_path / "exec"))
    placements.open()
    return placements


def place(placements: Placements, tmp_path: Path, slice_oom_kills: int = -1) -> ContainerId:
    identifier = ContainerId(an_id())
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    placements.put(
        Placement(
            container_id=identifier, bundle=str(bundle), cgroup="x", runtime="crun", slice_oom_kills=slice_oom_kills
        )
    )
    return identifier


def cgroup_with(tmp_path: Path, own: int | None, above: int) -> Cgroup:
    """A v2 tree whose counters say so; `own` None: the container's cgroup is gone."""
    (tmp_path / "cg/slice").mkdir(parents=True)
    (tmp_path / "cg/slice/memory.events").write_text(f"oom 9\noom_kill {above}\n")
    if own is not None:
        (tmp_path / "cg/slice/scope").mkdir()
        (tmp_path / "cg/slice/scope/memory.events").write_text(f"oom_kill {own}\n")
    layout = CgroupLayout(mode="unified", unified=str(tmp_path / "cg"), hierarchies={})
    return Cgroup(layout, "/slice/scope")


def test_without_a_file_there_is_no_exit(placements: Placements) -> None:
    assert read_exit(placements, an_id(), None) is None


@pytest.mark.parametrize(("text", "code"), [("0", 0), ("137", 137), ("3\n", 3), ("-1", 255), ("", 255), ("?", 255)])
def test_codes(placements: Placements, text: str, code: int) -> None:
    identifier = an_id()
    path = Path(placements.exit_file(identifier))
    path.write_text(text)
    os.utime(path, ns=(5, 1_700_000_000_123_456_789))
    exit_seen = read_exit(placements, identifier, None)
    assert exit_seen is not None
    assert (exit_seen.container_id, exit_seen.code, exit_seen.at_ns) == (identifier, code, 1_700_000_000_123_456_789)
    assert not exit_seen.oom_killed


def test_what_we_write_for_a_dead_monitor_is_read_back(placements: Placements) -> None:
    identifier = an_id()
    write_exit(placements, identifier, 137)
    exit_seen = read_exit(placements, identifier, None)
    assert exit_seen is not None
    assert exit_seen.code == 137


@pytest.mark.parametrize(
    ("own", "above", "before", "code", "expected"),
    [
        (1, 1, -1, 137, True),
        (1, 1, -1, 0, True),  # a child was killed, the first process went on
        (0, 5, 4, 137, False),  # another one's
        (None, 5, 4, 137, True),
        (None, 5, 5, 137, False),
        (None, 5, 4, 1, False),
        (None, 5, -1, 137, False),
    ],
)
def test_memory_that_ran_out(
    placements: Placements, tmp_path: Path, own: int | None, above: int, before: int, code: int, expected: bool
) -> None:
    identifier = place(placements, tmp_path, before)
    write_exit(placements, identifier, code)
    exit_seen = read_exit(placements, identifier, cgroup_with(tmp_path, own, above))
    assert exit_seen is not None
    assert exit_seen.oom_killed is expected


def test_the_monitors_word_counts(placements: Placements, tmp_path: Path) -> None:
    identifier = place(placements, tmp_path)
    (tmp_path / "bundle/oom").touch()
    write_exit(placements, identifier, 137)
    exit_seen = read_exit(placements, identifier, cgroup_with(tmp_path, None, 0))
    assert exit_seen is not None
    assert exit_seen.oom_killed
