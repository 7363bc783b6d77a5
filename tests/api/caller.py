"""Calls at one version of the API, each answer held against that version's document.

at = Caller(engine, "1.44")
at("GET", "/containers/{id}/json", id=web)                          # 200, and the body fits the document
at("POST", "/containers/{id}/start", id=web, status=304)
at.refused("GET", "/containers/{id}/json", 404, "No such container: x", id="x")
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.engine import Answer, Engine
from tests.spec.documents import check_answer, document

# The versions at which something changes.
EDGES = (
    "1.24",
    "1.25",
    "1.30",
    "1.40",
    "1.41",
    "1.42",
    "1.43",
    "1.44",
    "1.46",
    "1.48",
    "1.49",
    "1.50",
    "1.51",
    "1.52",
    "1.55",
)
NEWEST = EDGES[-1]


def minor(version: str) -> int:
    return int(version.split(".")[1])


def edges(since: str = "1.24", until: str = NEWEST) -> list[str]:
    return [version for version in EDGES if minor(since) <= minor(version) <= minor(until)]


@dataclass(frozen=True)
class Caller:
    """`version` empty: paths without a version, which are served at the newest."""

    engine: Engine
    version: str = ""

    def __call__(
        self,
        method: str,
        pattern: str,
        body: Any = None,
        *,
        status: int | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **names: str,
    ) -> Answer:
        """`status` None: the one success that the document knows."""
        answer = self.send(method, pattern, body, query=query, headers=headers, **names)
        wanted = self.success(method, pattern) if status is None else status
        assert answer.status == wanted, f"{method} {pattern} at {self.version}: {answer.status} {answer.body[:500]!r}"
        check_heads(answer)
        self.check(method, pattern, answer)
        return answer

    def refused(
        self,
        method: str,
        pattern: str,
        status: int,
        message: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **names: str,
    ) -> None:
        answer = self.send(method, pattern, body, query=query, headers=headers, **names)
        assert answer.status == status, f"{method} {pattern} at {self.version}: {answer.status} {answer.body[:500]!r}"
        assert answer.message == message, f"{method} {pattern} at {self.version}: {answer.message!r}"
        check_heads(answer)
        assert answer.headers["content-type"] == "application/json"
        assert answer.body.endswith(b"}\n")

    def send(
        self,
        method: str,
        pattern: str,
        body: Any = None,
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        **names: str,
    ) -> Answer:
        path = pattern.format(**names)
        return self.engine.request(method, path, body, version=self.version, query=query, headers=headers)

    def success(self, method: str, pattern: str) -> int:
        found = [int(s) for s in document(self.documented).operation(method, pattern)["responses"] if s[:1] == "2"]
        assert len(found) == 1, f"{method} {pattern} has {found}: say which"
        return found[0]

    @property
    def documented(self) -> str:
        return self.version or NEWEST

    def check(self, method: str, pattern: str, answer: Answer) -> None:
        kind = answer.headers.get("content-type", "")
        if not answer.body or answer.status in {204, 304}:
            assert answer.body == b""
            check_answer(self.documented, method, pattern, answer.status, None, has_body=False)
        elif kind == "application/json":
            for item in documents_in(answer.body):
                check_answer(self.documented, method, pattern, answer.status, item)
        else:
            check_answer(self.documented, method, pattern, answer.status, None, has_body=False)


def documents_in(body: bytes) -> list[Any]:
    """One document, or several, one per line."""
    try:
        return [json.loads(body)]
    except ValueError:
        return [json.loads(line) for line in body.splitlines() if line.strip()]


def check_heads(answer: Answer) -> None:
    """What every answer says."""
    assert answer.headers["api-version"] == NEWEST
    assert answer.headers["docker-experimental"] == "false"
    assert answer.headers["ostype"] == "linux"
    assert answer.headers["server"]
