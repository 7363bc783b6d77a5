import pytest

from wharfd.wire.noproxy import NoProxy


@pytest.mark.parametrize(
    ("entries", "host", "port", "covered"),
    [
        ("", "a.example", 443, False),
        ("", "localhost", 443, True),
        ("", "127.9.9.9", 443, True),
        ("", "::1", 443, True),
        ("*", "a.example", 443, True),
        ("example.com", "example.com", 443, True),
        ("example.com", "A.Example.COM", 443, True),
        ("example.com", "example.com.", 443, True),
        ("example.com", "badexample.com", 443, False),
        (".example.com", "example.com", 443, False),
        (".example.com", "a.example.com", 443, True),
        ("*.example.com", "a.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("a.example:5000", "a.example", 5000, True),
        ("a.example:5000", "a.example", 443, False),
        ("10.0.0.1", "10.0.0.1", 443, True),
        ("10.0.0.1:5000", "10.0.0.1", 443, False),
        ("10.0.0.0/8", "10.2.3.4", 443, True),
        ("10.0.0.0/8", "11.2.3.4", 443, False),
        ("10.0.0.0/8", "ten.example", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("[fd00::1]:5000", "fd00::1", 5000, True),
        (" b.example , a.example", "a.example", 443, True),
        ("10.0.0.0/99, a.example", "a.example", 443, True),
    ],
)
def test_no_proxy(entries: str, host: str, port: int, covered: bool) -> None:
    assert NoProxy(entries).covers(host, port) is covered
