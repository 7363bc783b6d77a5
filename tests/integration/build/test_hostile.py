"""Contexts and clients that mean no good: an error, and nothing left."""

import io
import json
import os
import socket
import tarfile
import threading
import time
from pathlib import Path

import pytest

from tests.engine import PATIENCE
from tests.integration.build.contexts import FROM, Builder, context, dockerfile


def archive(*members: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        data = dockerfile("RUN true").encode()
        first = tarfile.TarInfo("Dockerfile")
        first.size = len(data)
        tar.addfile(first, io.BytesIO(data))
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


@pytest.mark.parametrize(
    "members",
    [
        [member("../../../../../../tmp/wharf-evil", size=1)],
        [member("l", tarfile.SYMTYPE, "../.."), member("l/../../../wharf-evil", size=1)],
        [member("h", tarfile.LNKTYPE, "../../../../../../../etc/passwd")],
        [member("d", tarfile.BLKTYPE)],
        [member("d", tarfile.CHRTYPE)],
    ],
    ids=["name", "link", "hard link", "block device", "device"],
)
def test_a_context_that_reaches_out_is_refused(builder: Builder, members: list[tarfile.TarInfo]) -> None:
    answer = builder.send(archive(*members))
    assert answer.status in (400, 500), answer.body
    assert not os.path.exists("/tmp/wharf-evil")


def test_links_out_of_the_context_lead_nowhere(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    body = archive(member("out", tarfile.SYMTYPE, str(tmp_path)))
    text = dockerfile("COPY out/secret /s").encode()
    assert b"file does not exist" in builder.send(replaced(body, text)).body


def replaced(body: bytes, text: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(body)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for each in old:
            if each.name == "Dockerfile":
                each.size = len(text)
                new.addfile(each, io.BytesIO(text))
            else:
                new.addfile(each)
    return out.getvalue()


def test_steps_do_not_see_the_host(builder: Builder) -> None:
    built = builder.build(
        "RUN ln -s /etc /link && ln -s ../../../../../../../etc/passwd /up",
        "COPY f /link/wharf-evil",
        "RUN cat /etc/wharf-evil && head -c 4 /up",
        files={"f": "mine\n"},
    )
    assert "mine\n" in built.text
    assert not os.path.exists("/etc/wharf-evil")


@pytest.mark.parametrize(
    "body", [b"", b"garbage" * 1000, b"\x1f\x8b" + b"\0" * 600, context({"Dockerfile": FROM})[:700]]
)
def test_a_body_that_is_no_archive_is_refused(builder: Builder, body: bytes) -> None:
    assert builder.send(body).status in (400, 500)


def request(path: str, body: bytes, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + body


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_client_that_goes_ends_its_build(builder: Builder, share: float) -> None:
    body = context({"Dockerfile": dockerfile(f"RUN echo begun; sleep 1000 # {share}")})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60 * PATIENCE)
        connection.connect(builder.engine.socket)
        connection.sendall(request("/build?rm=1", body[: int(len(body) * share)], len(body)))
        if share == 1.0:
            received = b""
            while b"begun" not in received:
                received += connection.recv(65536)


def test_a_build_can_be_cancelled_by_its_id(builder: Builder) -> None:
    body = context({"Dockerfile": dockerfile("RUN echo begun; sleep 1000 # cancel")})
    answers = []
    thread = threading.Thread(target=lambda: answers.append(builder.send(body, {"buildid": "mine"})))
    thread.start()
    deadline = time.monotonic() + 30 * PATIENCE
    while not any("sleep 1000" in each for path in Path("/proc").glob("*/cmdline") for each in [safe_read(path)]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert builder.engine.post("/build/cancel?id=mine").status == 200
    thread.join(30 * PATIENCE)
    assert not thread.is_alive()
    assert builder.engine.post("/build/cancel?id=nobody").status == 200
    assert builder.engine.post("/build/cancel").status == 400


def safe_read(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def test_output_without_end_does_not_fill_the_engine(builder: Builder) -> None:
    def resident() -> int:
        return int(Path(f"/proc/{builder.engine.pid}/statm").read_text().split()[1]) * 4096

    before = resident()
    body = context({"Dockerfile": dockerfile("RUN yes")})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60 * PATIENCE)
        connection.connect(builder.engine.socket)
        connection.sendall(request("/build?rm=1", body, len(body)))
        while b"Running in" not in connection.recv(65536):
            pass
        time.sleep(2)  # nobody reads
        assert resident() - before < 64 << 20


def test_broken_bytes_of_a_step_are_shown_somehow(builder: Builder) -> None:
    built = builder.build(r"RUN printf 'a\377b\303'; sleep 0.1; printf '\251c\n'")
    assert "a\ufffdbéc\n" in built.text
    json.dumps(built.lines)
