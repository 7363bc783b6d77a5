import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.globs import matches


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*", "a/b", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[a-z]c", "abc", True),
        ("a[^a-z]c", "abc", False),
        ("a[^b]c", "adc", True),
        ("[x-]", "x", None),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("", "", True),
        ("", "a", False),
        ("**", "a", True),
        ("[", "a", None),
        ("[]a]", "a", None),
        ("a\\", "a", None),
        ("[a", "b", None),
        ("*a*a*a*a*a*a*a*a*a*a*b", "a" * 2000, False),
    ],
)
def test_as_gos_path_match(pattern: str, text: str, fits: bool | None) -> None:
    if fits is None:
        with pytest.raises(InvalidParameter, match="syntax error in pattern"):
            matches(pattern, text)
    else:
        assert matches(pattern, text) is fits
