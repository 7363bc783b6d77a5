"""A builder that has a few images and files, and a graph written down for people and for comparison."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.engine.build.frontend.entry import dockerfile_frontend
from wharfd.engine.build.graph import Output, check, walk
from wharfd.engine.build.ops import LocalSource, ResolveMode
from wharfd.engine.build.progress import Warned
from wharfd.engine.build.requests import BuildResult, FrontendRequest, ResolvedImageSource
from wharfd.model.errors import NotFound
from wharfd.model.ids import Digest
from wharfd.model.image import HistoryEntry, RunConfig
from wharfd.model.json import Json
from wharfd.model.tree import TreeEntry
from wharfd.wire.oci import ConfigDocument, Platform, RootFS, digest_of, encode_config
from wharfd.wire.reference import parse_normalised

AMD64 = Platform(os="linux", architecture="amd64")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def image(architecture: str = "amd64", created_by: str = "a base", **config: object) -> ConfigDocument:
    config.setdefault("env", [f"PATH={PATH}"])
    return ConfigDocument(
        created="2020-01-01T00:00:00Z",
        architecture=architecture,
        os="linux",
        config=msgspec.structs.replace(RunConfig(), **config),
        history=[HistoryEntry(created="2020-01-01T00:00:00Z", created_by=created_by)],
        rootfs=RootFS(diff_ids=[digest_of(created_by.encode())]),
    )


@dataclass(slots=True)
class FakeBridge:
    """`images` by canonical name; one that is not there is a plain one, unless its name has `missing` in it.

    `files`: of the client's directories, by their name.
    """

    images: Mapping[str, ConfigDocument] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    platform: Platform = AMD64
    warnings: list[Warned] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    async def solve(self, output: Output | None) -> None:
        raise AssertionError("a frontend has nothing to solve")

    async def read_file(self, output: Output | None, path: str, offset: int = 0, length: int | None = None) -> bytes:
        assert output is not None
        self.read.append(f"{output.vertex.name}: {path}")
        op = output.vertex.op
        name = op.name if isinstance(op, LocalSource) else output.vertex.name
        data = self.files.get(name, {}).get(path)
        if data is None:
            raise NotFound(f"{path}: no such file")
        return data[offset:] if length is None else data[offset : offset + length]

    async def read_directory(self, output: Output | None, path: str, pattern: str = "") -> Sequence[TreeEntry]:
        raise AssertionError("no directory is read")

    async def stat_file(self, output: Output | None, path: str) -> TreeEntry:
        raise AssertionError("no file is looked at")

    async def resolve_image(
        self, ref: str, platform: Platform | None = None, mode: ResolveMode = ResolveMode.DEFAULT, log_name: str = ""
    ) -> ResolvedImageSource:
        platform = platform or self.platform
        self.asked.append((ref, log_name))
        if "missing" in ref:
            raise NotFound(f"{ref}: not found")
        document = self.images.get(ref) or image(platform.architecture)
        digest = Digest(digest_of(ref.encode()))
        pinned = f"{parse_normalised(ref).name}@{digest}"
        return ResolvedImageSource(ref=pinned, digest=digest, config=encode_config(document), platform=platform)

    def warn(self, warning: Warned) -> None:
        self.warnings.append(warning)


async def build(
    text: str | bytes,
    attributes: Mapping[str, str] | None = None,
    bridge: FakeBridge | None = None,
    inputs: Mapping[str, Output | None] | None = None,
) -> BuildResult:
    data = text.encode() if isinstance(text, str) else text
    bridge = bridge or FakeBridge()
    bridge.files = {**bridge.files, "dockerfile": {"Dockerfile": data, **bridge.files.get("dockerfile", {})}}
    result = await dockerfile_frontend(FrontendRequest(attributes=attributes or {}, inputs=inputs or {}), bridge)
    check(result.roots.values())
    return result


def written(result: BuildResult, warnings: Sequence[Warned] = ()) -> str:
    """Steps, images and warnings as text; digests left out."""
    lines: list[str] = []
    numbers: dict[Digest, int] = {}
    for vertex in walk(result.roots.values()):
        numbers[vertex.digest] = len(numbers) + 1
        marks = " (anew)" if vertex.meta.ignore_cache else ""
        lines.append(f"{numbers[vertex.digest]}. {vertex.name}{marks}")
        inputs = [numbers[each.vertex.digest] for each in vertex.inputs]
        if inputs:
            lines.append(f"   inputs {inputs}")
        platform = vertex.platform
        if platform is not None and platform != AMD64:
            lines.append(f"   platform {platform.os}/{platform.architecture}/{platform.variant}")
        lines.append(f"   {compact(vertex.op)}")
    for name, root in result.roots.items():
        lines.append(f"root {name or '-'}: {numbers[root.vertex.digest] if root else 'empty'}")
    for key, value in sorted(result.metadata.items()):
        if key.startswith("containerimage.config"):
            document = json.loads(value)
            lines.append(f"{key}:")
            for entry in document.pop("history"):
                mark = "-" if entry.get("empty_layer") else "+"
                lines.append(f"  {mark} {entry.get('created_by')!r} {entry.get('created', '')}".rstrip())
            lines += ["  " + line for line in json.dumps(document, indent=1, sort_keys=True).split("\n")]
    lines += [
        f"warning: {warning.short.decode()} {[each.start_line for each in warning.ranges]}" for warning in warnings
    ]
    return "\n".join(lines) + "\n"


def compact(op: msgspec.Struct) -> str:
    return json.dumps(plain(op), sort_keys=True)


def plain(value: object) -> Json:
    """Structs without what is at its default."""
    if isinstance(value, msgspec.Struct):
        found: dict[str, Json] = {}
        tag = type(value).__struct_config__.tag
        if isinstance(tag, str):
            found[str(type(value).__struct_config__.tag_field)] = tag
        for each in msgspec.structs.fields(value):
            field_value = getattr(value, each.name)
            if each.default_factory is not msgspec.NODEFAULT:
                default = each.default_factory()
            else:
                default = each.default
            if field_value != default:
                found[each.name] = plain(field_value)
        return found
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return msgspec.to_builtins(value)
