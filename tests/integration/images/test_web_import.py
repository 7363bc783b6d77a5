"""`POST /images/create?fromSrc=URL`, from a web server of the tests, as dockerd answers."""

import base64
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.images import layer
from tests.integration.images.rig import ApiRig, Reply
from tests.tars import entry
from wharfd.wire.oci import digest_of

pytestmark = pytest.mark.root

TAR = layer(entry("f", os.urandom(3_000_000)))


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    logins: ClassVar[list[str | None]] = []
    other = ""  # an address of the same server with another name

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        Site.logins.append(self.headers.get("Authorization"))
        match self.path.split("/")[1:]:
            case ["ok.tar"] | ["a%20b"]:
                self.give(200, TAR)
            case ["without-length"]:
                self.give(200, TAR, length=None)
                self.close_connection = True
            case ["garbage"]:
                self.give(200, b"no tar" * 1000)
            case ["cut", at]:
                self.give(200, TAR[: int(at)], length=len(TAR))
                self.close_connection = True
            case ["to-the-file"]:
                self.give(302, b"", location="/ok.tar")
            case ["away"]:
                self.give(302, b"", location=f"{Site.other}/ok.tar")
            case ["to-ftp"]:
                self.give(302, b"", location="ftp://127.0.0.1/x")
            case ["round"]:
                self.give(302, b"", location="/round")
            case ["status", status]:
                self.give(int(status), b"the body says why\n")
            case _:
                self.give(404, b"")

    def give(self, status: int, data: bytes, *, length: int | None = -1, location: str = "") -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(len(data) if length < 0 else length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    Site.logins.clear()
    Site.other = f"http://localhost:{port}"
    yield f"127.0.0.1:{port}"
    server.shutdown()
    server.server_close()


async def import_from(rig: ApiRig, source: str, **query: str) -> Reply:
    return await rig.ask("POST", "/images/create", b"", {"fromSrc": source, **query})


@pytest.mark.parametrize(
    ("prefix", "path"), [("http://", "/ok.tar"), ("", "/ok.tar"), ("HTTP://", "/to-the-file"), ("http://", "/a b")]
)
async def test_an_image_comes_from_an_address(rig: ApiRig, site: str, prefix: str, path: str) -> None:
    answer = await import_from(rig, f"{prefix}{site}{path}", repo="mine", tag="1", changes="CMD sh")
    assert (answer.status, answer.content_type) == (200, "application/json")
    first, *steps, last = answer.lines
    assert first == {"status": f"Downloading from http://{site}{path}"}
    assert steps[-1] == {"status": "Importing", "progressDetail": {"current": len(TAR), "total": len(TAR)}}
    doc = (await rig.ask("GET", "/images/mine:1/json")).json
    assert doc["Id"] == last["status"]
    assert doc["RootFS"]["Layers"] == [digest_of(TAR)]
    assert doc["Config"]["Cmd"] == ["/bin/sh", "-c", "sh"]
    assert doc["Comment"] == f"Imported from {prefix}{site}{path}"


async def test_a_file_whose_length_is_not_said_comes_too(rig: ApiRig, site: str) -> None:
    answer = await import_from(rig, f"http://{site}/without-length", repo="mine")
    assert answer.lines[1]["progressDetail"]["total"] == -1
    assert (await rig.ask("GET", "/images/mine/json")).json["RootFS"]["Layers"] == [digest_of(TAR)]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/status/400", 400, "failed to GET {url} with status 400 Bad Request: the body says why"),
        ("/status/401", 401, "failed to GET {url} with status 401 Unauthorized: the body says why"),
        ("/status/403", 403, "failed to GET {url} with status 403 Forbidden: the body says why"),
        ("/status/404", 404, "failed to GET {url} with status 404 Not Found: the body says why"),
        ("/status/410", 500, "failed to GET {url} with status 410 Gone: the body says why"),
        ("/status/503", 500, "failed to GET {url} with status 503 Service Unavailable: the body says why"),
        ("/nothing", 404, "failed to GET {url} with status 404 Not Found: "),
        ("/round", 500, 'Get "{url}": stopped after 10 redirects'),
        ("/to-ftp", 500, "Get \"{url}\": redirect to 'ftp://127.0.0.1/x' refused"),
    ],
)
async def test_what_the_server_does_not_give_is_told_before_anything(
    rig: ApiRig, site: str, path: str, status: int, message: str
) -> None:
    url = f"http://{site}{path}"
    answer = await import_from(rig, url)
    assert (answer.status, answer.message) == (status, message.format(url=url))
    assert rig.stored() == []


async def test_nobody_listens(rig: ApiRig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = await import_from(rig, f"http://127.0.0.1:{port}/x")
    assert (answer.status, answer.message) == (500, f'Get "http://127.0.0.1:{port}/x": connection refused')


@pytest.mark.parametrize("at", [0, 512, 1_000_000, len(TAR) - 1])
async def test_a_connection_that_is_cut_leaves_nothing(rig: ApiRig, site: str, at: int) -> None:
    """Also where what came is an archive by itself."""
    answer = await import_from(rig, f"http://{site}/cut/{at}", repo="mine")
    assert answer.status == 200
    assert answer.lines[-1] == {"errorDetail": {"message": "unexpected EOF"}, "error": "unexpected EOF"}
    assert rig.stored() == []
    assert os.listdir(rig.content.ingest) == []


async def test_what_is_no_archive_leaves_nothing(rig: ApiRig, site: str) -> None:
    answer = await import_from(rig, f"http://{site}/garbage")
    assert answer.lines[0] == {"status": f"Downloading from http://{site}/garbage"}
    assert answer.lines[-1]["error"].startswith("archive/tar: invalid tar header")
    assert rig.stored() == []


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"repo": "UPPER"}, 400, "invalid reference format: repository name (library/UPPER) must be lowercase"),
        ({"platform": "*"}, 400, '"*": wildcards not yet supported: invalid argument'),
    ],
)
async def test_what_is_asked_wrongly_fetches_nothing(
    rig: ApiRig, site: str, query: dict[str, str], status: int, message: str
) -> None:
    answer = await import_from(rig, f"http://{site}/ok.tar", **query)
    assert (answer.status, answer.message) == (status, message)
    assert Site.logins == []


async def test_a_password_goes_to_its_host_alone_and_is_shown_nowhere(rig: ApiRig, site: str) -> None:
    for path in ("ok.tar", "away"):
        answer = await import_from(rig, f"http://user:p%40ss@{site}/{path}", repo="mine")
        assert answer.status == 200
        assert b"p%40ss" not in answer.body
    basic = "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert Site.logins == [basic, basic, None]
    assert "p%40ss" not in (await rig.ask("GET", "/images/mine/history")).body.decode()
