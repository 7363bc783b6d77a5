"""Make tests/spec/documents.json from a folder of the engine's API documents (v1.25.yaml … v1.55.yaml).

usage: reduce_spec.py FOLDER

Kept are facts: paths, methods, parameter and field names, types, formats, enumerations, required and nullable marks, statuses.  No prose,
no examples.  Equal pieces are stored once: `pieces` maps a key to a piece, `versions` maps each version to keys.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMA_KEYS = {
    "type",
    "format",
    "enum",
    "required",
    "x-nullable",
    "minimum",
    "maximum",
    "items",
    "additionalProperties",
}


def schema(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"].rsplit("/", 1)[-1]}
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            out[key] = {name: schema(child) for name, child in value.items()}
        elif key == "allOf":
            out[key] = [schema(child) for child in value]
        elif key in ("items", "additionalProperties"):
            out[key] = schema(value)
        elif key in SCHEMA_KEYS:
            out[key] = value
    return out


def operation(node: dict[str, Any]) -> dict[str, Any]:
    parameters = []
    for parameter in node.get("parameters", []):
        kept = {
            key: parameter[key]
            for key in ("name", "in", "required", "type", "format", "enum", "items")
            if key in parameter
        }
        if "items" in kept:
            kept["items"] = schema(kept["items"])
        if "schema" in parameter:
            kept["schema"] = schema(parameter["schema"])
        parameters.append(kept)
    responses = {}
    for status, answer in node.get("responses", {}).items():
        responses[str(status)] = schema(answer["schema"]) if "schema" in answer else None
    return {
        "id": node.get("operationId", ""),
        "parameters": parameters,
        "responses": responses,
        "produces": node.get("produces", []),
        "consumes": node.get("consumes", []),
        "tag": (node.get("tags") or [""])[0],
    }


def main(folder: str) -> None:
    pieces: dict[str, Any] = {}
    versions: dict[str, Any] = {}

    def keep(piece: Any) -> str:
        text = json.dumps(piece, sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(text.encode()).hexdigest()[:10]
        pieces[key] = piece
        return key

    for file in sorted(Path(folder).glob("v*.yaml"), key=lambda f: int(f.stem.split(".")[1])):
        doc = yaml.safe_load(file.read_text())
        versions[file.stem[1:]] = {
            "definitions": {name: keep(schema(node)) for name, node in doc["definitions"].items()},
            "paths": {
                path: {
                    method: keep(operation(node))
                    for method, node in methods.items()
                    if method in ("get", "head", "post", "put", "delete")
                }
                for path, methods in doc["paths"].items()
            },
        }
    target = Path(__file__).parent.parent / "tests/spec/documents.json"
    lines = [json.dumps({"versions": versions}, sort_keys=True, separators=(",", ":"))[:-1] + ',"pieces":{']
    lines += [
        f'"{key}":' + json.dumps(piece, sort_keys=True, separators=(",", ":")) + ","
        for key, piece in sorted(pieces.items())
    ]
    lines[-1] = lines[-1][:-1]
    target.write_text("\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main(sys.argv[1])
