import pytest

from wharfd.wire.masking import masked


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("", ""),
        ("http://p:80", "http://p:80"),
        ("http://me:s@cret@p:80/x", "http://xxxxx:xxxxx@p:80/x"),
        ("http://me@p", "http://xxxxx:xxxxx@p"),
        ("http://[bad", ""),
    ],
)
def test_secrets_are_hidden(proxy: str, shown: str) -> None:
    assert masked(proxy) == shown
