"""Rotation by renaming: in order, and safe at every step."""

import os
from pathlib import Path

import pytest

from wharfd.drivers.logs.generations import rotated, shift, tidy, trim


class Died(Exception):
    pass


def names(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def fill(folder: Path, **texts: str) -> str:
    for name, text in texts.items():
        (folder / name.replace("_", ".")).write_text(text)
    return str(folder / "log")


def test_numbers_go_up(tmp_path: Path) -> None:
    path = fill(tmp_path, log="d", log_1="c", log_2_gz="b", log_3_gz="a")
    shift(path)
    assert names(tmp_path) == {"log.1": "d", "log.2": "c", "log.3.gz": "b", "log.4.gz": "a"}
    trim(path, 2)
    assert names(tmp_path) == {"log.1": "d", "log.2": "c"}
    trim(path, 0)
    assert names(tmp_path) == {}


def test_a_gap_is_filled_first(tmp_path: Path) -> None:
    path = fill(tmp_path, log="d", log_1="c", log_3="a")
    shift(path)
    assert names(tmp_path) == {"log.1": "d", "log.2": "c", "log.3": "a"}


def test_only_this_log_s_files_are_meant(tmp_path: Path) -> None:
    others = {"log_x": "-", "log_0": "-", "log_01": "-", "log_1_bz2": "-", "log1": "-", "other_1": "-", "log_tmp": "-"}
    path = fill(tmp_path, log_10="b", log_9_gz="c", **others)
    assert [(each.number, each.is_compressed) for each in rotated(path)] == [(9, True), (10, False)]


def test_what_a_broken_off_compression_leaves(tmp_path: Path) -> None:
    path = fill(tmp_path, log="d", log_1="c", log_1_gz="C", log_2="b", log_2_gz_tmp="half")
    assert [each.path.rpartition("/")[2] for each in rotated(path)] == ["log.1", "log.2"]
    tidy(path)
    assert names(tmp_path) == {"log": "d", "log.1.gz": "C", "log.2": "b"}


@pytest.mark.parametrize("steps", range(5))
def test_dying_at_any_step_loses_nothing(tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fill(tmp_path, log="e", log_1="d", log_2_gz="c", log_3="b", log_5="a")
    rename, count = os.rename, 0

    def mortal(source: str, target: str) -> None:
        nonlocal count
        if count == steps:
            raise Died
        count += 1
        assert not os.path.exists(target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", mortal)
    if steps < 4:
        with pytest.raises(Died):
            shift(path)
    else:
        shift(path)
    monkeypatch.undo()
    found = [Path(each.path).read_text() for each in reversed(rotated(path))]
    current = Path(path).read_text() if Path(path).exists() else ""
    assert "".join(found) + current == "abcde"
    if current:
        shift(path)
        assert "".join(Path(each.path).read_text() for each in reversed(rotated(path))) == "abcde"


def test_nothing_there(tmp_path: Path) -> None:
    assert rotated(str(tmp_path / "nowhere" / "log")) == []
    tidy(str(tmp_path / "nowhere" / "log"))
