"""Overlay mounts: many layers, hard names, both ways of mounting, refusals."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wharfd.sys import mount, overlay
from wharfd.sys.mountinfo import mounts_below
from wharfd.sys.overlay import mount_overlay

pytestmark = pytest.mark.root

LACKS_APPEND = tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 5)


@pytest.fixture
def area(tmp_path: Path) -> Iterator[Path]:
    mount.mount("tmpfs", str(tmp_path), "tmpfs", mount.MS_NOSUID, "mode=755")
    mount.set_propagation(str(tmp_path), "private")
    try:
        yield tmp_path
    finally:
        for entry in mounts_below(str(tmp_path)):
            mount.detach(entry.mount_point)


@pytest.fixture(params=["appended", "joined"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of mounting; "joined" is what kernels before 6.5 get."""
    monkeypatch.setattr(overlay, "_kernel_lacks_append", request.param == "joined")
    return str(request.param)


def layers(area: Path, count: int, name: Callable[[int], str] = str) -> list[str]:
    """Topmost first; each has a file of its own name and "same" with its number."""
    made = []
    for number in range(count):
        layer = area / name(number)
        layer.mkdir(parents=True)
        (layer / f"f{number}").touch()
        (layer / "same").write_text(str(number))
        made.append(str(layer))
    return made


def upper(area: Path) -> tuple[str, str, str]:
    for name in ("upper", "work", "merged"):
        (area / name).mkdir()
    return str(area / "upper"), str(area / "work"), str(area / "merged")


def test_topmost_layer_wins_and_writes_go_to_upper(area: Path, way: str) -> None:
    lower = layers(area, 3)
    upperdir, workdir, merged = upper(area)
    mount_overlay(lower, merged, upperdir=upperdir, workdir=workdir, options=["redirect_dir=on", "volatile"])
    assert Path(merged, "same").read_text() == "0"
    assert sorted(os.listdir(merged)) == ["f0", "f1", "f2", "same"]
    Path(merged, "new").write_text("n")
    Path(merged, "f2").unlink()
    assert Path(upperdir, "new").read_text() == "n"
    assert os.stat(Path(upperdir, "f2")).st_rdev == 0  # a whiteout
    assert "redirect_dir=on" in mounts_below(merged)[0].super_options


def test_128_layers_whose_names_fill_more_than_a_page(area: Path, way: str) -> None:
    lower = layers(area, 128, lambda n: f"{n:03d}" + "x" * 80)
    upperdir, workdir, merged = upper(area)
    before = len(os.listdir("/proc/self/fd"))
    mount_overlay(lower, merged, upperdir=upperdir, workdir=workdir)
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(os.listdir(merged)) == 129
    assert Path(merged, "same").read_text() == "0"


def test_read_only_without_upper(area: Path, way: str) -> None:
    lower = layers(area, 2)
    (area / "merged").mkdir()
    mount_overlay(lower, str(area / "merged"))
    with pytest.raises(OSError) as refused:
        (area / "merged" / "new").touch()
    assert refused.value.errno == errno.EROFS
    assert "ro" in mounts_below(str(area / "merged"))[0].options


def test_names_with_separators_and_backslashes(area: Path, way: str) -> None:
    odd = area / "a:b,c\\d e"
    odd.mkdir()
    lower = layers(odd, 2, lambda n: f"l:{n},\\")
    upperdir, workdir, merged = upper(odd)
    mount_overlay(lower, merged, upperdir=upperdir, workdir=workdir)
    assert Path(merged, "same").read_text() == "0"
    Path(merged, "new").touch()
    assert Path(upperdir, "new").exists()


def test_paths_beyond_the_length_that_fsconfig_takes(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "_kernel_lacks_append", False)
    deep = area / ("d" * 200) / ("e" * 200)
    deep.mkdir(parents=True)
    lower = layers(deep, 2)
    upperdir, workdir, merged = upper(deep)
    mount_overlay(lower, merged, upperdir=upperdir, workdir=workdir)
    assert Path(merged, "same").read_text() == "0"
    assert overlay._kernel_lacks_append is LACKS_APPEND


def test_refusals(area: Path, way: str) -> None:
    lower = layers(area, 2)
    upperdir, workdir, merged = upper(area)
    with pytest.raises(OSError) as unknown:
        mount_overlay(lower, merged, upperdir=upperdir, workdir=workdir, options=["nonsense=1"])
    assert unknown.value.errno == errno.EINVAL
    with pytest.raises(FileNotFoundError):
        mount_overlay([*lower, str(area / "absent")], merged, upperdir=upperdir, workdir=workdir)
    with pytest.raises(ValueError, match="go together"):
        mount_overlay(lower, merged, upperdir=upperdir)
    assert mounts_below(merged) == []


def test_an_error_of_the_caller_does_not_condemn_the_kernel(area: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlay, "_kernel_lacks_append", False)
    (area / "merged").mkdir()
    with pytest.raises(OSError, match="overlay"):
        mount_overlay(layers(area, 2), str(area / "merged"), options=["nonsense=1"])
    assert overlay._kernel_lacks_append is False
