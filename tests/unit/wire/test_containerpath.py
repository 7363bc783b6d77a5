"""The rows were read off dockerd 28.5."""

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.containerpath import parse_container_path


@pytest.mark.parametrize(
    ("path", "clean", "shown", "base", "follows"),
    [
        ("/etc", "/etc", "/etc", "etc", False),
        ("/etc/", "/etc", "/etc/", "etc", True),
        ("/etc/.", "/etc", "/etc/.", ".", True),
        ("/etc/./", "/etc", "/etc/./", ".", True),
        ("etc/../tmp/x", "/tmp/x", "/tmp/x", "x", False),
        ("../../etc", "/etc", "/etc", "etc", False),
        ("/", "/", "/", "/", False),
        ("//", "/", "/", "/", False),
        (".", "/", "/.", ".", True),
        ("/.", "/", "/.", ".", True),
        ("/a/..", "/", "/", "/", False),
        ("/x..", "/x..", "/x..", "x..", False),
    ],
)
def test_a_path_is_cleaned_and_keeps_the_meaning_of_its_end(
    path: str, clean: str, shown: str, base: str, follows: bool
) -> None:
    found = parse_container_path(path)
    assert (found.clean, found.shown, found.base, found.follows) == (clean, shown, base, follows)


@pytest.mark.parametrize(("path", "words"), [("", "bad parameter: pathcannot be empty"), ("/a\0b", "NUL")])
def test_what_is_no_path_is_refused(path: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        parse_container_path(path)
