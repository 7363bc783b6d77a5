import pytest

from wharfd.engine.build.frontend.owners import parse_mode, parse_owner
from wharfd.engine.build.ops import Named, Owner
from wharfd.wire.dockerfile import DockerfileError


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("", None),
        ("1000", Owner(user=1000)),
        ("0:5", Owner(user=0, group=5)),
        ("app", Owner(user=Named(name="app", input=2))),
        ("app:grp", Owner(user=Named(name="app", input=2), group=Named(name="grp", input=2))),
        (":5", Owner(group=5)),
        ("99999999999", Owner(user=Named(name="99999999999", input=2))),
    ],
)
def test_owners(text: str, owner: Owner | None) -> None:
    assert parse_owner(text, 2) == owner


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", (None, "")),
        ("0644", (0o644, "")),
        ("7777", (0o7777, "")),
        ("u=rwX,go=rX", (None, "u=rwX,go=rX")),
        ("+x", (None, "+x")),
    ],
)
def test_modes(text: str, mode: tuple[int | None, str]) -> None:
    assert parse_mode(text) == mode


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99", "invalid chmod parameter: '99'. it should be octal string and between 0 and 07777"),
        ("10000", "invalid chmod parameter: '10000'. it should be octal string and between 0 and 07777"),
        ("foo", "invalid syntax"),
        ("u=rwX,", "invalid syntax"),
    ],
)
def test_what_is_no_mode(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_mode(text)
    assert str(caught.value) == message
