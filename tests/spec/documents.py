"""The API documents in reduced form (`documents.json`, made by scripts/reduce_spec.py), as JSON schemas for tests.

The documents mark few of the places where the engine they describe answers `null` (Go's nil slices and maps), so arrays and objects may be
null here; scalars may only where a document says so.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

HERE = Path(__file__).parent


@cache
def everything() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((HERE / "documents.json").read_text())
    return loaded


def documented_versions() -> list[str]:
    return sorted(everything()["versions"], key=lambda v: int(v.split(".")[1]))


def nearest(version: str) -> str:
    """The newest document that is not newer than `version` (1.24 has none of its own: the oldest)."""
    minor = int(version.split(".")[1])
    fitting = [v for v in documented_versions() if int(v.split(".")[1]) <= minor]
    return fitting[-1] if fitting else documented_versions()[0]


class ApiDocument:
    """One version's document."""

    def __init__(self, version: str) -> None:
        self.version = nearest(version)
        self.source = everything()["versions"][self.version]
        self.pieces = everything()["pieces"]

    def operations(self) -> list[tuple[str, str]]:
        """(METHOD, path) of every operation."""
        return [(method.upper(), path) for path, methods in self.source["paths"].items() for method in methods]

    def operation(self, method: str, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.pieces[self.source["paths"][path][method.lower()]]
        return found

    def definition(self, name: str) -> Any:
        return self.pieces[self.source["definitions"][name]]

    def response_schema(self, method: str, path: str, status: int) -> dict[str, Any] | None:
        """As a self-contained JSON schema; None if the document promises no JSON body for that status."""
        node = self.operation(method, path)["responses"].get(str(status))
        return None if node is None else self.json_schema(node)

    def json_schema(self, node: Any) -> dict[str, Any]:
        used: dict[str, Any] = {}
        root = self.translate(node, used)
        return {**root, "$defs": used}

    def item(self, node: Any) -> Any:
        """Documents below 1.40 name a list of containers where one container is meant."""
        named = self.definition(node["$ref"]) if "$ref" in node else {}
        return named["items"] if named.get("type") == "array" else node

    def translate(self, node: Any, used: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in node:
            name = node["$ref"]
            if name not in used:
                used[name] = {}
                used[name] = self.translate(self.definition(name), used)
            return {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}
        if "allOf" in node:
            parts = [self.translate(part, used) for part in node["allOf"]]
            beside = {key: value for key, value in node.items() if key != "allOf"}
            return {"allOf": [*parts, self.translate(beside, used)] if "properties" in beside else parts}
        out: dict[str, Any] = {}
        kind = node.get("type") or ("object" if "properties" in node else None)
        if kind == "array":
            out = {"type": ["array", "null"]}
            if "items" in node:
                out["items"] = self.translate(self.item(node["items"]), used)
        elif kind == "object":
            out = {"type": ["object", "null"]}
            if "properties" in node:
                out["properties"] = {name: self.translate(child, used) for name, child in node["properties"].items()}
            if isinstance(node.get("additionalProperties"), dict):
                out["additionalProperties"] = self.translate(node["additionalProperties"], used)
            if "required" in node:
                # The documents demand an `UnpackedSize` of image manifests that they do not describe and that no engine sends.
                out["required"] = [name for name in node["required"] if name in node.get("properties", {})]
        elif isinstance(kind, str) and kind != "file":
            out = {"type": [kind, "null"] if node.get("x-nullable") else kind}
            if "enum" in node:
                out["enum"] = [*node["enum"], None] if node.get("x-nullable") else node["enum"]
        return out


@cache
def document(version: str) -> ApiDocument:
    return ApiDocument(version)


@cache
def validator(version: str, method: str, path: str, status: int) -> jsonschema.Draft202012Validator | None:
    schema = document(version).response_schema(method, path, status)
    return None if schema is None else jsonschema.Draft202012Validator(schema)


def check_answer(version: str, method: str, path: str, status: int, body: Any, *, has_body: bool = True) -> None:
    """Fails if the document of that version does not know the status or the body does not fit its schema.

    `path` is the document's pattern: `/containers/{id}/json`.  `has_body` False: there is none, or none that is JSON.
    """
    responses = document(version).operation(method, path)["responses"]
    assert str(status) in responses, f"{method} {path} at {version}: status {status} is not in {sorted(responses)}"
    found = validator(version, method, path, status)
    if found is None or not has_body:
        return
    minor = int(version.split(".")[1])
    faults = [
        f"{where}: {error.message[:200]}"
        for error in leaves(found.iter_errors(body))
        if not is_forgiven(where := "/".join(map(str, error.absolute_path)), minor)
    ]
    assert not faults, f"{method} {path} at {version}: " + "; ".join(faults[:10])


# Where the documents err, and dockerd never did as they say: (the end of a place in an answer, the whole of it behind ^; the last minor
# version that errs).
FORGIVEN = (
    ("ExecIDs", 37),  # null or an array, never a string
    ("NetworkSettings/Ports", 31),  # an object, never an array
    ("RestartPolicy/Name", 39),  # the word `no` is missing in the list
    ("LogConfig/Type", 47),  # `local` is missing in the list
    ("HostConfig/MemorySwappiness", 99),  # null unless it was asked for
    ("^ExitCode", 99),  # of a command (exec): null as long as it has not ended
)


def is_forgiven(where: str, minor: int) -> bool:
    return any(f"^{where}".endswith(end) and minor <= last for end, last in FORGIVEN)


def leaves(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    """Errors where they are: a reference that may also be null is no error of its own."""
    for error in errors:
        if error.validator == "anyOf":
            yield from leaves(child for child in error.context or () if child.schema_path[0] == 0)
        else:
            yield error
