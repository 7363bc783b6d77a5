import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.chmod import apply_mode_text


@pytest.mark.parametrize(
    ("text", "before", "is_directory", "after"),
    [
        ("u=rwX,go=rX", 0o600, False, 0o644),
        ("u=rwX,go=rX", 0o600, True, 0o755),
        ("u=rwX,go=rX", 0o700, False, 0o755),
        ("+x", 0o644, False, 0o755),
        ("a-w", 0o666, False, 0o444),
        ("go=", 0o777, False, 0o700),
        ("u+s,g+s,+t", 0o755, False, 0o7755),
        ("g=u", 0o740, False, 0o770),
        ("u-x+w", 0o500, False, 0o600),
        ("o+r", 0o4700, False, 0o4704),
    ],
)
def test_symbolic_modes(text: str, before: int, is_directory: bool, after: int) -> None:
    assert oct(apply_mode_text(text, before, is_directory=is_directory)) == oct(after)


@pytest.mark.parametrize("text", ["", "u", "z+x", "u+q", "+x,", "644"])
def test_what_is_no_mode_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        apply_mode_text(text, 0o644, is_directory=False)
