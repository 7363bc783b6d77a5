"""What a client may ask of a Dockerfile besides building it: checks, arguments, targets (`docker build --call=…`).

Answers are JSON documents in a result's metadata, as BuildKit's frontend gives them.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from wharfd.engine.build.frontend.checks import Finding
from wharfd.engine.build.frontend.convert import Conversion
from wharfd.engine.build.frontend.stages import StageState
from wharfd.engine.build.progress import SourceFile
from wharfd.model.errors import EngineError, NotImplementedHere
from wharfd.model.json import Json
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.instructions import Arg, Definition, Dockerfile, Run
from wharfd.wire.dockerfile.mounts import csv_fields

LINT, OUTLINE, TARGETS = "frontend.lint", "frontend.outline", "frontend.targets"
DESCRIBE = "frontend.subrequests.describe"
CAPABILITIES = (
    "moby.buildkit.frontend.inputs",
    "moby.buildkit.frontend.subrequests",
    "moby.buildkit.frontend.contexts",
)
VERSION = b"1.0.0"

_DESCRIPTIONS = {
    LINT: "Lint a Dockerfile",
    OUTLINE: "List all parameters current build target supports",
    TARGETS: "List all targets current build supports",
    DESCRIBE: "List available subrequest types",
}
_METADATA = {LINT: ("result.json", "result.txt", "result.statuscode")}


def check_capabilities(asked: str) -> None:
    """Raises NotImplementedHere for one that this frontend has not."""
    for name in filter(None, asked.split(",")):
        base = name.partition("+")[0]
        if base not in CAPABILITIES:
            raise NotImplementedHere(f"unsupported frontend capability {name}")


def describe() -> dict[str, bytes]:
    requests: list[Json] = []
    for name, description in _DESCRIPTIONS.items():
        options: list[Json] = [{"name": "target", "description": "Target build stage"}] if name == OUTLINE else []
        names = _METADATA.get(name, ("result.json", "result.txt"))
        request: Json = {
            "name": name,
            "version": VERSION.decode(),
            "type": "rpc",
            "description": description,
            "opts": options,
            "inputs": None,
            "metadata": [{"name": each, "description": ""} for each in names],
            "refs": None,
        }
        requests.append(request)
    lines = [("NAME", "VERSION", "DESCRIPTION")]
    lines += [(name.removeprefix("frontend."), VERSION.decode(), text) for name, text in _DESCRIPTIONS.items()]
    return answer(requests, table(lines))


def targets(dockerfile: Dockerfile, source: SourceFile) -> dict[str, bytes]:
    found: list[Json] = []
    rows = [("TARGET", "DESCRIPTION")]
    last = len(dockerfile.stages) - 1
    for number, stage in enumerate(dockerfile.stages):
        start = stage.start
        target: dict[str, Json] = {
            "name": start.stage_name,
            "default": number == last,
            "description": start.comment,
            "base": start.base,
            "platform": start.platform,
        }
        target = {key: value for key, value in target.items() if value}
        found.append({**target, "location": location([start.lines])})
        name = start.stage_name or ("(default)" if number == last else "")
        if name:
            rows.append((name + (" (default)" if start.stage_name and number == last else ""), start.comment))
    return answer({"targets": found, "sources": [encoded(source.data)]}, table(rows))


def lint(findings: Sequence[Finding], source: SourceFile, error: EngineError | None) -> dict[str, bytes]:
    document: dict[str, Json] = {
        "warnings": [warning(finding) for finding in findings] or None,
        "sources": [{"filename": source.filename, "data": encoded(source.data), "language": source.language}],
    }
    if error is not None:
        said: dict[str, Json] = {"message": str(error)}
        if isinstance(error, DockerfileError) and error.ranges:
            said["location"] = location(error.ranges)
        document["buildError"] = said
    text = "".join(violation(finding, source) for finding in sorted(findings, key=lambda finding: finding.rule.name))
    status = b"1" if findings or error is not None else b"0"
    return {**answer(document, text), "result.statuscode": status}


def warning(finding: Finding) -> Json:
    rule = finding.rule
    url: dict[str, Json] = {"url": rule.url} if rule.url else {}
    return {
        "ruleName": rule.name,
        "description": rule.description,
        **url,
        "detail": finding.message,
        "location": location(finding.lines),
    }


def violation(finding: Finding, source: SourceFile) -> str:
    """A warning with the lines that it is about."""
    url = f" - {finding.rule.url}" if finding.rule.url else ""
    lines = [f"\nWARNING: {finding.rule.name}{url}", finding.message]
    if finding.lines:
        lines += excerpt(finding.lines[0], source)
    return "\n".join(lines) + "\n"


def excerpt(shown: LineRange, source: SourceFile) -> list[str]:
    text = source.data.decode(errors="replace").split("\n")
    first, last = max(shown.start - 2, 1), min(shown.end + 2, len(text))
    marks = dict.fromkeys(range(shown.start, shown.end + 1), ">>>")
    rows = [f"{number:4} | {marks.get(number, '   ')} {text[number - 1]}" for number in range(first, last + 1)]
    return [f"{source.filename}:{shown.start}", "-" * 20, *rows, "-" * 20]


def outline(conversion: Conversion, dockerfile: Dockerfile, source: SourceFile) -> dict[str, bytes]:
    """Arguments, secrets and agents that the target takes."""
    arguments = sorted(used_arguments(conversion, dockerfile), key=lambda found: found[1].start)
    mounts = list(secret_mounts(conversion))
    start = conversion.target.stage.start if conversion.target.stage is not None else None
    name, description = (start.stage_name, start.comment) if start is not None else ("", "")
    document: dict[str, Json] = {
        "name": name,
        "description": description,
        "args": [
            {
                **dropped({"name": each.name, "description": each.comment, "value": each.default}),
                "location": location([at]),
            }
            for each, at in arguments
        ],
        "secrets": [
            {**dropped({"name": name, "required": required}), "location": location([at])}
            for kind, name, required, at in mounts
            if kind == "secret"
        ],
        "ssh": [
            {**dropped({"name": name, "required": required}), "location": location([at])}
            for kind, name, required, at in mounts
            if kind == "ssh"
        ],
        "sources": [encoded(source.data)],
    }
    rows = [
        ("BUILD ARG", "VALUE", "DESCRIPTION"),
        *((each.name, each.default or "", each.comment) for each, _ in arguments),
    ]
    head = [("TARGET:", name), *([("DESCRIPTION:", description)] if description else [])] if name else []
    width = max((len(title) for title, _ in head), default=0)
    text = "".join(f"{title.ljust(width)} {value}\n" for title, value in head) + ("\n" if head else "")
    text += table(rows) if arguments else ""
    for kind, title in (("secret", "SECRET"), ("ssh", "SSH")):
        found = [(name, "true" if required else "") for each, name, required, _ in mounts if each == kind]
        text += f"\n{table([(title, 'REQUIRED'), *found])}" if found else ""
    return answer({key: value for key, value in document.items() if value}, text)


def used_arguments(conversion: Conversion, dockerfile: Dockerfile) -> Iterable[tuple[Definition, LineRange]]:
    """Those of the stages that are built; of the global ones those that a stage takes over or a FROM names."""
    stages = built(conversion)
    own = {
        definition.name: (definition, command.lines)
        for state in stages
        if state.stage is not None
        for command in state.stage.commands
        if isinstance(command, Arg)
        for definition in command.definitions
    }
    values = {each.name: each.default for state in stages for each in state.definitions}
    texts = [f"{state.stage.start.base} {state.stage.start.platform}" for state in stages if state.stage is not None]
    for arg in dockerfile.global_args:
        for definition in arg.definitions:
            name = definition.name
            if name in own or any(f"${name}" in text or f"${{{name}" in text for text in texts):
                value = conversion.global_args.get(name)
                own[name] = (msgspec.structs.replace(definition, default=value), arg.lines)
                values.pop(name, None)
    for name, (definition, lines) in own.items():
        default = values.get(name, definition.default)
        yield msgspec.structs.replace(definition, default=default), lines


def secret_mounts(conversion: Conversion) -> Iterable[tuple[str, str, bool, LineRange]]:
    """Kind, name, whether it has to be there, where it is asked for."""
    seen: set[tuple[str, str]] = set()
    for state in sorted(built(conversion), key=lambda state: state.index):
        for planned in state.commands:
            if not isinstance(planned.command, Run):
                continue
            for text in planned.command.mounts:
                fields = dict(field.partition("=")[::2] for field in csv_fields(text))
                kind = fields.get("type", "bind")
                target = fields.get("target") or fields.get("dst") or fields.get("destination") or ""
                name = fields.get("id") or fields.get("source") or fields.get("src") or target.rpartition("/")[2]
                name = name or fields.get("env") or ("default" if kind == "ssh" else "")
                if kind not in {"secret", "ssh"} or (kind, name) in seen:
                    continue
                seen.add((kind, name))
                required = fields.get("required")
                yield kind, name, required is not None and required in ("", "1", "true"), planned.command.lines


def built(conversion: Conversion) -> list[StageState]:
    return [state for state in conversion.stages.all if state.is_finished and not state.is_implicit]


# --- forms --------------------------------------------------------------------------------------------------------------------------


def answer(document: Json, text: str) -> dict[str, bytes]:
    data = msgspec.json.format(msgspec.json.encode(document), indent=2)
    return {"result.json": data, "result.txt": text.encode(), "version": VERSION}


def dropped(fields: Mapping[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in fields.items() if value}


def location(ranges: Iterable[LineRange]) -> Json:
    """One range per line, as BuildKit has it."""
    found: list[Json] = []
    for lines in ranges:
        found += [{"start": {"line": number}, "end": {"line": number}} for number in range(lines.start, lines.end + 1)]
    return {"ranges": found}


def encoded(data: bytes) -> str:
    return msgspec.to_builtins(data)  # type: ignore[no-any-return]


def table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines) + "\n"
