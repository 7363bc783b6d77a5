"""`POST /build?version=2`: BuildKit's stream over REST, with archives."""

import base64
import io
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.engine import BASE_IMAGE, Answer, Engine
from wharfd.wire.proto.control_pb2 import StatusResponse

FROM = f"FROM {BASE_IMAGE}\n"


def archive(**files: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def traces(answer: Answer) -> list[StatusResponse]:
    lines = [line for line in answer.lines() if line.get("id") == "moby.buildkit.trace"]
    return [StatusResponse.FromString(base64.b64decode(line["aux"])) for line in lines]


def build(engine: Engine, body: bytes, **query: Any) -> Answer:
    return engine.post("/build", body, query={"version": "2", **query})


def test_an_archive_in_the_body(engine: Engine) -> None:
    body = archive(Dockerfile=FROM + "ARG X\nRUN echo said $X\nCOPY f /f\n", f="content")
    answer = build(engine, body, t="rest:1", buildargs={"X": "this"}, labels={"a": "b"})
    told = traces(answer)
    assert b"said this\n" in [log.message for each in told for log in each.logs]
    last = answer.lines()[-1]
    assert last["id"] == "moby.image.id"
    image = engine.get("/images/rest:1/json").json
    assert image["Id"] == last["aux"]["ID"]
    assert image["Config"]["Labels"]["a"] == "b"
    assert engine.run_to_end("cat", "/f", Image="rest:1") == (0, "content")


def test_a_step_that_fails_is_the_last_line(engine: Engine) -> None:
    answer = build(engine, archive(Dockerfile=FROM + "RUN exit 3\n"))
    text = 'process "/bin/sh -c exit 3" did not complete successfully: exit code: 3'
    assert answer.lines()[-1] == {"errorDetail": {"message": text}, "error": text}
    assert text in [vertex.error for each in traces(answer) for vertex in each.vertexes]


@pytest.mark.parametrize("upload_first", [True, False])
def test_an_archive_in_a_request_of_its_own(engine: Engine, upload_first: bool) -> None:
    answers: dict[str, Answer] = {}

    def upload() -> None:
        body = archive(Dockerfile=FROM + "COPY Dockerfile /d\n")
        answers["upload"] = build(engine, body, remote="upload-request", buildid="upload-request:b")

    def main() -> None:
        answers["build"] = build(engine, b"", remote="upload-request", buildid="b", t="uploaded:1")

    threads = [threading.Thread(target=each) for each in ((upload, main) if upload_first else (main, upload))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers["upload"].status == 200
    assert answers["build"].lines()[-1]["aux"]["ID"] == engine.get("/images/uploaded:1/json").json["Id"]


def test_what_buildkit_does_not_take(engine: Engine) -> None:
    body = archive(Dockerfile=FROM)
    answer = build(engine, body, networkmode="mine")
    assert answer.message == 'network mode "mine" not supported by buildkit'
    assert build(engine, body, outputs=[{"Type": "local"}]).status == 501


def kept(trees: Path) -> set[str]:
    """What is deleted goes by another name until it is gone."""
    return {path.name for path in trees.iterdir() if not path.name.startswith("trash-")}


def test_a_hostile_archive_leaves_nothing(engine: Engine) -> None:
    trees = engine.data_root / "build/trees"
    before = kept(trees)
    answer = build(engine, archive(**{"../../escape": "x", "Dockerfile": FROM}))
    assert answer.status == 400 or "error" in answer.lines()[-1]
    assert kept(trees) == before
    assert not (trees.parent / "escape").exists()
