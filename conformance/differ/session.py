"""A session of calls, played to one socket."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from conformance.target import Target
from tests.engine import UnixConnection


@dataclass(frozen=True)
class Call:
    """`{name}` in path and body stands for the id that an earlier call was told to `keep` as name; `@name`, IMAGE as in scenarios.

    `body`: bytes are sent as they are, anything else as JSON.  `answer`: json, lines (of JSON), frames (stdcopy), tar or text.
    """

    method: str
    path: str
    body: Any = None
    keep: str = ""
    answer: str = "json"
    headers: dict[str, str] = field(default_factory=dict)
    since: str = "1.24"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


def play(target: Target, calls: Sequence[Call], version: str) -> list[Answer | None]:
    """None where the call is younger than the version, or an id that it needs was not to be had."""
    kept: dict[str, str] = {}
    answers: list[Answer | None] = []
    for call in calls:
        if tuple(map(int, version.split("."))) < tuple(map(int, call.since.split("."))):
            answers.append(None)
            continue
        try:
            answer = ask(target, call, kept, version)
        except KeyError:
            answers.append(None)
            continue
        if call.keep and isinstance(answer.body, dict):
            kept[call.keep] = str(answer.body.get("Id") or answer.body.get("ID") or answer.body.get("Name") or "")
        answers.append(answer)
    return answers


def ask(target: Target, call: Call, kept: dict[str, str], version: str) -> Answer:
    path = quote(target.expand(filled(call.path, kept)), safe="/?&=%:@,+!")
    data: bytes | None = call.body if isinstance(call.body, bytes) else None
    headers = dict(call.headers)
    if data is not None:
        headers.setdefault("Content-Type", "application/x-tar")
    elif call.body is not None:
        data = target.expand(filled(json.dumps(call.body), kept)).encode()
        headers.setdefault("Content-Type", "application/json")
    connection = UnixConnection(target.socket, 60)
    try:
        connection.request(call.method, f"/v{version}{path}", data, headers)
        got = connection.getresponse()
        text = got.read()
        fields = {name.lower(): value for name, value in got.getheaders()}
        return Answer(got.status, fields, parsed(text, call.answer if got.status < 300 else "json", fields))
    finally:
        connection.close()


def filled(text: str, kept: dict[str, str]) -> str:
    """Raises KeyError for an id that is not there."""
    for word in {part.split("}")[0] for part in text.split("{")[1:] if part.split("}")[0].isidentifier()}:
        if not kept[word]:
            raise KeyError(word)
        text = text.replace("{" + word + "}", kept[word])
    return text


def parsed(data: bytes, kind: str, headers: dict[str, str]) -> Any:
    if kind == "tar":
        return "tar" if len(data) >= 1024 and len(data) % 512 == 0 else data.decode(errors="replace")
    if kind == "frames":
        return frames(data)
    text = data.decode(errors="replace")
    if not text:
        return ""
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()] if kind == "lines" else json.loads(text)
    except ValueError:
        return text


def frames(data: bytes) -> list[str]:
    found = []
    while len(data) >= 8 and data[0] in (0, 1, 2, 3) and data[1:4] == b"\0\0\0":
        length = int.from_bytes(data[4:8], "big")
        found.append(f"{data[0]}:{data[8 : 8 + length].decode(errors='replace')}")
        data = data[8 + length :]
    return [*found, data.decode(errors="replace")] if data else found
