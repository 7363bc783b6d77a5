"""Requests made from the API's documents: half of them nearly right, half of them hostile.  The same seed makes the same request."""

import base64
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote, quote_from_bytes

from tests.api.wrong import WRONG
from tests.spec.documents import ApiDocument

ODD = (
    "",
    " ",
    "..",
    "../../../../etc/passwd",
    "/etc/passwd",
    "a\0b",
    "a\r\nX-Header: x",
    "é",
    "\U0001f600",
    "%",
    "%zz",
    "-1",
    "0",
    "1e9",
    "99999999999999999999999",
    "null",
    "true",
    "[]",
    "{}",
    '{"x":["y"]}',
    "a" * 300,
    "A" * 9000,
    "*",
    "?",
    "sha256:" + "0" * 64,
    "localhost:5000/a/b:c@sha256:" + "1" * 64,
    "UPPER/case",
    "a:b:c",
    "'; DROP TABLE containers; --",
    "{id}",
)
FILTERS = ("name", "id", "label", "label!", "status", "before", "since", "until", "dangling", "type", "driver", "scope",
           "ancestor", "exited", "health", "network", "volume", "expose", "publish", "is-task", "reference", "event",
           "container", "image", "all", "x")  # fmt: skip
DEEPEST = 5


@dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None

    def encode(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: d", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body is not None:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + (self.body or b"")

    def __str__(self) -> str:
        return f"{self.method} {self.target[:600]} {self.headers} {(self.body or b'')[:600]!r}"


class Generator:
    """`known`: names of what exists, by the first word of paths, so that requests reach something."""

    def __init__(self, document: ApiDocument, version: str, seed: str, known: Mapping[str, Sequence[str]]) -> None:
        self.document = document
        self.version = version
        self.rng = Random(seed)
        self.known = known
        self.names = [name for names in known.values() for name in names]
        self.is_mild = self.rng.random() < 0.5  # nearly right

    def request(self, method: str, path: str) -> Request:
        operation = self.document.operation(method, path)
        request = Request(method, path)
        query: list[tuple[str, str]] = []
        for parameter in operation.get("parameters", ()):
            name, kind = parameter["name"], parameter.get("in")
            likely = 0.9 if parameter.get("required") else 0.4
            if kind == "path":
                word = self.reference(path.split("/")[1])
                # Dots alone would be taken out by a client; here they are escaped, so that they arrive.
                escaped = quote(word, safe="/:@").replace("..", "%2e%2e") or "%20"
                request.target = request.target.replace(f"{{{name}}}", escaped)
            elif self.rng.random() > likely:
                continue
            elif kind == "query":
                query += [(name, self.query_value(parameter)) for _ in range(1 + (self.rng.random() < 0.1))]
            elif kind == "header":
                request.headers.append((name, self.header()))
            elif kind == "body":
                request.headers.append(("Content-Type", self.content_type(operation)))
                request.body = self.body(parameter, operation)
        if query:
            pairs = [
                f"{quote(name)}={quote_from_bytes(value.encode('utf-8', 'surrogatepass'))}" for name, value in query
            ]
            request.target += "?" + "&".join(pairs)
        request.target = f"/v{self.version}{request.target}"
        return request

    def reference(self, kind: str = "") -> str:
        """In a path: mostly one of its kind."""
        if self.is_mild or self.rng.random() < 0.4:
            return self.rng.choice(self.known.get(kind) or self.names)
        return self.rng.choice(ODD)

    def query_value(self, parameter: Any) -> str:
        if parameter["name"] == "filters" and self.rng.random() < 0.8:
            return json.dumps(self.filters())
        if not self.is_mild and self.rng.random() < 0.6:
            return self.rng.choice(ODD)
        kind = parameter.get("type")
        if "enum" in parameter:
            return str(self.rng.choice(parameter["enum"]))
        if kind == "boolean":
            return self.rng.choice(("0", "1", "true", "false", "yes", ""))
        if kind == "integer":
            return str(self.rng.choice((0, 1, 2, 10, 80) if self.is_mild else (-1, 2**31, 2**63 - 1, 2**64)))
        return self.rng.choice((*self.names, "linux/amd64", "json", "SIGTERM", "15"))

    def filters(self) -> Any:
        found: dict[str, Any] = {}
        for _ in range(self.rng.randrange(3)):
            values = [self.reference() for _ in range(self.rng.randrange(1, 3))]
            form: Any = values if self.rng.random() < 0.5 else dict.fromkeys(values, self.rng.random() < 0.9)
            found[self.rng.choice(FILTERS)] = form
        return found

    def header(self) -> str:
        plain = self.rng.choice((b"{}", b'{"username":"a","password":"b"}', b"x", b"\xff\xfe", b"[" * 5000, b"null"))
        return base64.urlsafe_b64encode(plain).decode() if self.rng.random() < 0.7 else self.rng.choice(ODD[8:]).strip()

    def content_type(self, operation: Any) -> str:
        right = (operation.get("consumes") or ["application/json"])[0]
        return (
            str(right)
            if self.rng.random() < 0.9
            else self.rng.choice(("text/plain", "", "a/b/c", "application/json; x"))
        )

    def body(self, parameter: Any, operation: Any) -> bytes:
        schema = parameter.get("schema", {})
        if schema.get("format") == "binary" or "application/x-tar" in operation.get("consumes", ()):
            return self.archive()
        if not self.is_mild and self.rng.random() < 0.2:
            return self.rng.choice((b"", b"{", b"null", b"[]", b'"x"', b"{}{}", b"\xff", b"1e999"))
        return json.dumps(self.instance(schema, 0)).encode("utf-8", "surrogatepass")

    def instance(self, node: Any, depth: int) -> Any:
        """Something like what the schema wants; if it is not mild, every tenth value is another one."""
        if depth and not self.is_mild and self.rng.random() < 0.1:
            wrong = self.rng.choice([text for text in WRONG.values() if len(text) < 200])
            return None if wrong == "1e400" else json.loads(wrong)
        if "$ref" in node:
            return self.instance(self.document.definition(node["$ref"]), depth)
        if "allOf" in node:
            parts = [self.instance(part, depth) for part in node["allOf"]]
            return {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
        if "enum" in node:
            return self.rng.choice(node["enum"])
        match node.get("type") or ("object" if "properties" in node else ""):
            case "object":
                return self.an_object(node, depth)
            case "array":
                if depth > DEEPEST:
                    return []
                return [self.instance(node.get("items", {}), depth + 1) for _ in range(self.rng.randrange(3))]
            case "boolean":
                return self.rng.random() < 0.5
            case "integer" | "number":
                return self.rng.choice((0, 1, 5, 100, 10**6, 10**9) if self.is_mild else (-1, 2**31, 2**62, 2**63))
        return self.rng.choice(self.names if self.is_mild else (*self.names, *ODD))

    def an_object(self, node: Any, depth: int) -> Any:
        properties = node.get("properties", {})
        share = 1.0 if not depth else min(1.0, 4 / (len(properties) or 1))
        if depth > DEEPEST:
            return {}
        if len(properties) > 10:
            share = (1 if self.is_mild else 4) / len(properties)
        found = {
            name: self.instance(child, depth + 1)
            for name, child in properties.items()
            if name in node.get("required", ()) or self.rng.random() < share
        }
        if "Image" in properties and (self.is_mild or self.rng.random() < 0.5):
            found |= {"Image": self.known["images"][0], "Cmd": ["true"]}
        if isinstance(node.get("additionalProperties"), dict):
            for _ in range(self.rng.randrange(3)):
                found[self.reference()] = self.instance(node["additionalProperties"], depth + 1)
        return found

    def archive(self) -> bytes:
        if self.rng.random() < 0.4:
            return self.rng.choice((b"", b"x", b"\0" * 1024, b"\x1f\x8b" + b"x" * 100, b"\x28\xb5\x2f\xfd" + b"x" * 50))
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for _ in range(self.rng.randrange(1, 4)):
                info = tarfile.TarInfo(
                    self.rng.choice(("manifest.json", "oci-layout", "../../x", "/x", "a" * 200, "Dockerfile"))
                )
                info.type = self.rng.choice(
                    (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE)
                )
                info.linkname = self.rng.choice(("", "..", "/etc/passwd", "x"))
                data = self.rng.choice(
                    (b"", b"[]", b"{}", b'[{"Config":"../x","Layers":["/etc/passwd"]}]', b"FROM scratch")
                )
                info.size = len(data) if info.type == tarfile.REGTYPE else 0
                tar.addfile(info, io.BytesIO(data))
        packed = out.getvalue()
        return packed[: self.rng.randrange(len(packed))] if self.rng.random() < 0.2 else packed
