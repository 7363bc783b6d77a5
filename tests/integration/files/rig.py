"""Archives of a container through the API."""

import base64
import io
import json
import tarfile
from typing import Any

from tests.engine import Answer, Engine
from tests.tars import Member, tar_of


def put(engine: Engine, ref: str, path: str, body: bytes, **more: Any) -> Answer:
    return engine.request("PUT", f"/containers/{ref}/archive", body, query={"path": path, **more})


def put_members(engine: Engine, ref: str, path: str, *members: Member, **more: Any) -> None:
    answer = put(engine, ref, path, tar_of(*members), **more)
    assert (answer.status, answer.body) == (200, b"")


def get(engine: Engine, ref: str, path: str, **more: Any) -> Answer:
    return engine.get(f"/containers/{ref}/archive", query={"path": path}, **more)


def files(answer: Answer) -> dict[str, bytes]:
    """Content by name; of what is no file, its type."""
    assert answer.status == 200, answer.body
    found = {}
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as tar:
        for member in tar:
            reader = tar.extractfile(member) if member.isfile() else None
            found[member.name] = reader.read() if reader else member.type
    return found


def path_stat(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(answer.headers["x-docker-container-path-stat"]))
    return found


def changes(engine: Engine, ref: str) -> dict[str, int] | None:
    answer = engine.get(f"/containers/{ref}/changes")
    assert answer.status == 200, answer.body
    return None if answer.json is None else {each["Path"]: each["Kind"] for each in answer.json}


def actions(engine: Engine, since: float) -> list[str]:
    """Of containers and images, in their order."""
    until = engine.get("/info").json["SystemTime"]
    answer = engine.get("/events", query={"since": f"{since:.9f}", "until": until})
    return [f"{each['Type']} {each['Action']}" for each in answer.lines()]
