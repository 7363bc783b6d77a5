"""Deletion marks of layers."""

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.wire.whiteout import Classified, Mark, classify, is_overlay_whiteout, opaque_name, whiteout_name


@pytest.mark.parametrize(
    ("path", "mark", "target"),
    [
        ("a/b", Mark.NONE, "a/b"),
        ("a/b/", Mark.NONE, "a/b/"),
        ("a/.wh.b", Mark.WHITEOUT, "a/b"),
        (".wh.b", Mark.WHITEOUT, "b"),
        ("./.wh.b", Mark.WHITEOUT, "./b"),
        ("/.wh.b", Mark.WHITEOUT, "/b"),
        ("a/.wh..b", Mark.WHITEOUT, "a/.b"),
        ("a/.wh..wh..opq", Mark.OPAQUE, "a"),
        (".wh..wh..opq", Mark.OPAQUE, ""),
        (".wh..wh.plnk", Mark.IGNORED, ".wh..wh.plnk"),
        ("a/.wh..wh.aufs", Mark.IGNORED, "a/.wh..wh.aufs"),
        ("a/.wh.", Mark.IGNORED, "a/.wh."),
        ("a/.wh..", Mark.IGNORED, "a/.wh.."),
        ("a/.wh...", Mark.IGNORED, "a/.wh..."),
        ("a.wh.b", Mark.NONE, "a.wh.b"),
        (".wh.a/b", Mark.NONE, ".wh.a/b"),
    ],
)
def test_classify(path: str, mark: Mark, target: str) -> None:
    assert classify(path) == Classified(mark, target)


names = st.text(alphabet="ab.-é", min_size=1, max_size=5).filter(
    lambda n: n not in {".", ".."} and not n.startswith(".wh.")
)


@given(st.lists(names, min_size=1, max_size=3).map("/".join))
def test_round_trip(path: str) -> None:
    assert classify(whiteout_name(path)) == Classified(Mark.WHITEOUT, path)
    assert classify(opaque_name(path)) == Classified(Mark.OPAQUE, path)
    assert classify(opaque_name("")) == Classified(Mark.OPAQUE, "")


def test_overlay_inodes() -> None:
    assert is_overlay_whiteout(stat.S_IFCHR | 0o600, 0)
    assert not is_overlay_whiteout(stat.S_IFCHR, 259)
    assert not is_overlay_whiteout(stat.S_IFREG, 0)
