import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.wire.hosts_toml import HostEntry, parse_hosts_file

WHOLE = b"""
server = "https://registry.example"
ca = "/etc/ca.pem"
unknown = 3

[host."https://first.example:5000"]
  capabilities = ["pull", "Resolve"]
  ca = ["a.pem", "/b.pem"]
  client = [["c.cert", "c.key"], "both.pem"]
  skip_verify = true
  dial_timeout = "1500ms"
  [host."https://first.example:5000".header]
    x-one = "1"
    x-two = ["2", "3"]

[host."second.example/deep/"]

[host."http://third.example/odd/root"]
  override_path = true

[host."http://fourth.example/a/v2"]
"""


def test_a_whole_file() -> None:
    first, second, third, fourth, server = parse_hosts_file(WHOLE, "/etc/certs.d/registry.example")
    assert first == HostEntry(
        url="https://first.example:5000/v2",
        capabilities=frozenset({"pull", "resolve"}),
        ca=("/etc/certs.d/registry.example/a.pem", "/b.pem"),
        client=(
            ("/etc/certs.d/registry.example/c.cert", "/etc/certs.d/registry.example/c.key"),
            ("/etc/certs.d/registry.example/both.pem", ""),
        ),
        skip_verify=True,
        headers={"x-one": ("1",), "x-two": ("2", "3")},
        dial_timeout_s=1.5,
    )
    assert second == HostEntry(url="https://second.example/deep/v2")
    assert third.url == "http://third.example/odd/root"
    assert fourth.url == "http://fourth.example/a/v2"
    assert server == HostEntry(url="https://registry.example/v2", ca=("/etc/ca.pem",))


def test_a_server_that_is_not_named() -> None:
    assert parse_hosts_file(b"skip_verify = false\n", "/d") == [HostEntry(skip_verify=False)]


@pytest.mark.parametrize(
    "text",
    [
        b"server = ",
        b"\xff",
        b"server = 3",
        b"host = 3",
        b'[host]\na = "b"',
        b'server = "https://"',
        b'server = "https://u:p@a.example"',
        b'server = "https://a.example:port"',
        b'capabilities = ["fly"]',
        b"ca = 3",
        b'client = [["only-one"]]',
        b"skip_verify = 3",
        b'override_path = "yes"',
        b"dial_timeout = 3",
        b'dial_timeout = "soon"',
        b"header = 3",
        b'[header]\nx = "a\\r\\ny: z"',
    ],
)
def test_what_is_no_hosts_file(text: bytes) -> None:
    with pytest.raises(InvalidParameter):
        parse_hosts_file(text, "/d")
