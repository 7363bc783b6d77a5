"""Where plugins are found."""

import json
import socket
from pathlib import Path

import pytest

from wharfd.drivers.volumes.plugin.discovery import Address, TLSConfig, find, names
from wharfd.drivers.volumes.plugin.driver import parse_time


def listen(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def test_sockets_and_files(tmp_path: Path) -> None:
    listen(tmp_path / "one.sock")
    listen(tmp_path / "two" / "two.sock")
    (tmp_path / "three.spec").write_text("tcp://localhost:8080\n")
    tls = {"InsecureSkipVerify": False, "CAFile": "/ca", "CertFile": "/cert", "KeyFile": "/key"}
    (tmp_path / "four.json").write_text(json.dumps({"Name": "four", "Addr": "https://host:1", "TLSConfig": tls}))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.sock").write_text("no socket")
    directories = ["/nosuch", str(tmp_path)]
    assert names(directories) == ["four", "one", "three", "two"]
    assert find("one", directories) == Address(f"unix://{tmp_path}/one.sock")
    assert find("two", directories) == Address(f"unix://{tmp_path}/two/two.sock")
    assert find("three", directories) == Address("tcp://localhost:8080")
    assert find("four", directories) == Address(
        "https://host:1", TLSConfig(ca_file="/ca", cert_file="/cert", key_file="/key")
    )


def test_a_socket_comes_before_a_file(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "one.spec").write_text("tcp://localhost:1")
    listen(tmp_path / "one.sock")
    assert find("one", [str(tmp_path / "first"), str(tmp_path)]) == Address(f"unix://{tmp_path}/one.sock")


@pytest.mark.parametrize("name", ["", "..", "../one", "a/b", ".one", "one\0", "x" * 5000])
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    listen(tmp_path / "one.sock")
    assert find(name, [str(tmp_path / "sub"), str(tmp_path)]) is None


@pytest.mark.parametrize(
    ("words", "ns"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("1970-01-01T01:00:00.5+01:00", 500_000_000),
        ("", 0),
        ("yesterday", 0),
    ],
)
def test_times(words: str, ns: int) -> None:
    assert parse_time(words) == ns
