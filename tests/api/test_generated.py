"""Requests made from the documents, for every operation at several versions: an answer with words, never a fault; the engine lives on.

Broken heads and chunks are the business of the transport's own tests.
"""

import json
import socket
import time

import pytest

from tests.api.generate import Generator, Request
from tests.engine import BASE_IMAGE, Engine, settled
from tests.spec.documents import document, documented_versions

pytestmark = pytest.mark.root

VERSIONS = ("1.24", "1.43", "1.51", "1.55")
EXAMPLES = 12
NAMES = {
    "images": (BASE_IMAGE,),
    "containers": ("created", "exited"),
    "volumes": ("data",),
    "networks": ("bridge", "none", "host"),
}
# What runs in the container, or fails to, is no fault of the engine, and neither is a registry that is not there; dockerd, too, says 500
# then.
MAY_FAIL = (
    "/containers/{id}/start",
    "/containers/{id}/restart",
    "/exec/{id}/start",
    "/auth",
    "/images/create",
    "/images/search",
    "/distribution/{name}/json",
)
ENDLESS_S = 0.1  # how long a stream that has begun is listened to


def operations() -> list[tuple[str, str]]:
    """Of all documents."""
    return list(dict.fromkeys(each for version in documented_versions() for each in document(version).operations()))


@pytest.fixture(scope="module")
def quiet(engine: Engine) -> dict[str, list[str]]:
    """What is on the host while nothing is there."""
    engine.run_to_end("true", Volumes={"/data": {}})
    time.sleep(0.5)
    return engine.traces()


def set_up(engine: Engine) -> None:
    """What requests before have removed or renamed."""
    if engine.get("/images/json", query={"filters": {"reference": [BASE_IMAGE]}}).json == []:
        engine.load_base_image()
    engine.post("/volumes/create", {"Name": "data"})
    for name, command in (("created", "true"), ("exited", "true")):
        if engine.get(f"/containers/{name}/json").status == 404:
            engine.create(command, name=name)
    engine.post("/containers/exited/start")


def exchange(engine: Engine, request: Request) -> tuple[int, bytes]:
    """Status and the beginning of the body; a stream that goes on is left."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(engine.timeout)
        connection.connect(engine.socket)
        try:
            connection.sendall(request.encode())
        except BrokenPipeError:  # the answer has come, and the rest was not wanted
            pass
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
                if b"\r\n\r\n" in received:
                    connection.settimeout(ENDLESS_S)
        except TimeoutError:
            assert b"\r\n\r\n" in received, f"no answer to {request}"
        except ConnectionResetError:
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), f"{received[:200]!r} to {request}"
    return int(head.split(b" ")[1]), body


def is_fault(status: int, body: bytes, path: str) -> bool:
    if status < 500 or status in {501, 503}:
        return False
    return not (path in MAY_FAIL and status == 500 and json.loads(body)["message"])


@pytest.mark.parametrize(("method", "path"), operations())
def test_any_request_is_answered(engine: Engine, quiet: dict[str, list[str]], method: str, path: str) -> None:
    for version in VERSIONS:
        known = document(version)
        if (method, path) not in known.operations():
            continue
        set_up(engine)
        for number in range(EXAMPLES):
            generator = Generator(known, version, f"{method} {path} {version} {number}", NAMES)
            request = generator.request(method, path)
            status, body = exchange(engine, request)
            assert not is_fault(status, body, path), f"{status} {body[:500]!r} to {request}"
            if status >= 400 and method != "HEAD" and body.startswith(b"{"):
                assert json.loads(body)["message"], request
    assert engine.get("/_ping").status == 200


def test_nothing_is_left(engine: Engine, quiet: dict[str, list[str]]) -> None:
    engine.remove_all()
    for network in engine.get("/networks", query={"filters": {"type": ["custom"]}}).json:
        assert engine.delete(f"/networks/{network['Id']}").status == 204
    for volume in engine.get("/volumes").json["Volumes"]:
        assert engine.delete(f"/volumes/{volume['Name']}").status == 204
    assert settled(engine, quiet) == quiet
