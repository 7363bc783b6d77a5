"""What a container uses, as clients read it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.spec.documents import check_answer

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Path(tmp_path_factory.mktemp("stats"))) as engine:
        engine.load_base_image()
        yield engine


@pytest.mark.parametrize("version", ["1.25", "1.40", "1.51", "1.52", "1.55"])
def test_one_sample_fits_the_document_and_is_true(engine: Engine, version: str) -> None:
    busy = engine.run("sh", "-c", "while :; do :; done", HostConfig={"Memory": 32 << 20, "PidsLimit": 50})
    answer = engine.get(f"/containers/{busy}/stats?stream=0", version=version)
    check_answer(version, "GET", "/containers/{id}/stats", answer.status, answer.json)
    found = answer.json
    assert found["id"] == busy
    assert found["memory_stats"]["limit"] == 32 << 20
    assert found["memory_stats"]["usage"] > 0
    assert found["pids_stats"] == {"current": 1, "limit": 50}
    assert "eth0" in found["networks"]
    assert found["cpu_stats"]["cpu_usage"]["total_usage"] > found["precpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert ("os_type" in found) == (version in ("1.52", "1.55"))
    engine.delete(f"/containers/{busy}?force=1")


def test_one_shot_has_nothing_before_it(engine: Engine) -> None:
    container = engine.run("sleep", "1000")
    found = engine.get(f"/containers/{container}/stats?stream=0&one-shot=1").json
    assert found["preread"] == "0001-01-01T00:00:00Z"
    assert found["precpu_stats"]["cpu_usage"]["total_usage"] == 0
    old = engine.get(f"/containers/{container}/stats?stream=0&one-shot=1", version="1.40").json
    assert old["preread"] != "0001-01-01T00:00:00Z"
    engine.delete(f"/containers/{container}?force=1")


def test_a_stopped_container_gives_zeros(engine: Engine) -> None:
    container = engine.create("true")
    found = engine.get(f"/containers/{container}/stats?stream=0").json
    assert found["read"] == "0001-01-01T00:00:00Z"
    assert found["memory_stats"] == {}
    assert "networks" not in found
    engine.delete(f"/containers/{container}")


def test_a_stream_goes_on_until_the_container_is_removed(engine: Engine) -> None:
    container = engine.run("sleep", "1000")
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(engine.timeout)
    client.connect(engine.socket)
    client.sendall(f"GET /containers/{container}/stats HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    data = b""
    while data.count(b'"preread"') < 2:
        data += client.recv(65536)
    engine.delete(f"/containers/{container}?force=1")
    while not data.endswith(b"0\r\n\r\n"):
        data += client.recv(65536)
    first, second = [json.loads(line) for line in data.split(b"\n") if line.startswith(b"{")][:2]
    assert first["preread"] == "0001-01-01T00:00:00Z"
    assert second["preread"] == first["read"]
    client.close()
