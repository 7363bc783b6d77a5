import pytest

from wharfd.wire.dockerfile.directives import detect_syntax, directive_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("# syntax=docker/dockerfile:1\nFROM x", "docker/dockerfile:1"),
        ("#syntax = a/b  \r\n", "a/b"),
        ("\ufeff# syntax=a", "a"),
        ("# escape=`\n# SYNTAX=a", "a"),
        ("# syntax=a with arguments", "a"),
        ("#!/usr/bin/env docker\n# syntax=a", "a"),
        ("// syntax=a\n{}", "a"),
        ('{"syntax": "a", "x": [1]}', "a"),
        ("# a comment\n# syntax=a", None),
        ("\n# syntax=a", None),
        ("FROM x\n# syntax=a", None),
        ("# syntax=", None),
        ("# syntax a", None),
        ('{"syntax": 1}', None),
        ("", None),
    ],
)
def test_detect_syntax(text: str, value: str | None) -> None:
    found = detect_syntax(text)
    assert (None if found is None else found.first_word) == value


def test_where_it_stands() -> None:
    found = detect_syntax("#!/x\n# escape=`\n# syntax=a b")
    assert found is not None
    assert (found.line, found.value) == (3, "a b")


def test_other_directives() -> None:
    found = directive_of("# check=skip=all;error=true\n", "check")
    assert found is not None
    assert found.value == "skip=all;error=true"
    assert directive_of("# check=a\n# check=b\n", "syntax") is None
