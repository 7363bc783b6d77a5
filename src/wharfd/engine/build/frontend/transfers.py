"""COPY and ADD: files from the context, from a stage, from the net or from the Dockerfile itself, as file actions."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import msgspec

from wharfd.engine.build.frontend.draft import Draft
from wharfd.engine.build.frontend.naming import internal
from wharfd.engine.build.frontend.owners import parse_mode, parse_owner
from wharfd.engine.build.graph import ProgressGroup, VertexMeta, content_digest
from wharfd.engine.build.ops import (
    NO_OUTPUT,
    SCRATCH,
    AnyAction,
    Copy,
    FileOp,
    GitSource,
    HttpSource,
    MakeFile,
    MergeOp,
)
from wharfd.model.errors import InvalidParameter
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.instructions import Add, Transfer
from wharfd.wire.dockerfile.instructions import Copy as CopyInstruction
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.gitref import GitRef, parse_git_ref
from wharfd.wire.oci import Platform
from wharfd.wire.reference import parse_digest

UNNAMED = "__unnamed__"  # what a file from the net is called if its address ends in no name


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a transfer happens.  `source`: the root that plain paths are of (None: an empty one).  `label`: the step's name."""

    root: Draft | None
    source: Draft | None
    directory: str
    platform: Platform
    label: str
    link_label: str
    lines: LineRange
    description: Mapping[str, str]
    ignores_cache: bool
    epoch_ns: int | None


@dataclass(slots=True)
class Sequel:
    """Copies, one after the other, on one root.  `names`: the root in which users are looked up."""

    root: Draft | None
    names: Draft | None
    owner: str
    inputs: list[Draft] = field(default_factory=list)
    copies: list[tuple[Draft | None, Copy]] = field(default_factory=list)

    def number(self, draft: Draft | None) -> int:
        if draft is None:
            return SCRATCH
        if draft not in self.inputs:
            self.inputs.append(draft)
        return self.inputs.index(draft)

    def draft(self, place: Place, meta: VertexMeta) -> Draft:
        root = self.number(self.root)
        sources = [self.number(source) for source, _ in self.copies]
        needs_names = parse_owner(self.owner, 0) != parse_owner(self.owner, 1)
        names = self.number(self.names) if needs_names else SCRATCH
        actions: list[AnyAction] = []
        last = len(self.copies) - 1
        for number, ((_, copy), source) in enumerate(zip(self.copies, sources, strict=True)):
            action = msgspec.structs.replace(
                copy,
                source_input=source,
                input=len(self.inputs) + number - 1 if number else root,
                output=0 if number == last else NO_OUTPUT,
                owner=parse_owner(self.owner, names),
            )
            actions.append(action)
        op = FileOp(actions=actions)
        return Draft(op=op, inputs=tuple(self.inputs), platform=place.platform, meta=meta, lines=place.lines)


def transfer(instruction: CopyInstruction | Add, place: Place) -> Draft:
    """The root after it.  Raises DockerfileError."""
    check_checksum(instruction)
    is_linked = instruction.link and not instruction.chmod
    sequel = Sequel(None if is_linked else place.root, place.root, instruction.chown)
    sequel.copies = [(source, finished(copy, instruction, place)) for source, copy in copies_of(instruction, place)]
    meta = VertexMeta(name=place.label, description=place.description, ignore_cache=place.ignores_cache)
    return linked(sequel, place, meta) if is_linked else sequel.draft(place, meta)


def copies_of(instruction: CopyInstruction | Add, place: Place) -> list[tuple[Draft | None, Copy]]:
    """What is copied out of which root; the destination is filled in by `finished`."""
    found: list[tuple[Draft | None, Copy]] = []
    for source in instruction.sources:
        git = git_ref(source)
        if git is not None and not git.looks_local:
            if not isinstance(instruction, Add):
                raise DockerfileError("source can't be a git ref for COPY")
            found.append((git_draft(git, instruction, place), whole("/", contents_only=True)))
        elif source.startswith(("http://", "https://")):
            if not isinstance(instruction, Add):
                raise DockerfileError("source can't be a URL for COPY")
            name = file_name(source)
            unpack = instruction.unpack is True
            found.append((http_draft(source, name, instruction, place), whole(f"/{name}", unpack=unpack)))
        else:
            found.append((place.source, path_copy(source, instruction)))
    for heredoc in instruction.inline:
        path = rooted(heredoc.name)
        found.append((inline_draft(path, heredoc.text, 0o644, place.platform, place.epoch_ns), whole(path)))
    return found


def git_ref(source: str) -> GitRef | None:
    try:
        return parse_git_ref(source)
    except InvalidParameter as e:
        raise DockerfileError(str(e)) from e


def check_checksum(instruction: Transfer) -> None:
    if not isinstance(instruction, Add) or not instruction.checksum:
        return
    if len(instruction.sources) != 1:
        raise DockerfileError("checksum can't be specified for multiple sources")
    source = instruction.sources[0]
    git = git_ref(source)
    if (git is None or git.looks_local) and not source.startswith(("http://", "https://")):
        raise DockerfileError("checksum requires HTTP(S) or Git sources")


def whole(path: str, *, contents_only: bool = False, unpack: bool = False) -> Copy:
    return Copy(
        source_input=SCRATCH,
        source=path,
        destination="",
        create_destination=True,
        contents_only=contents_only,
        unpack=unpack,
    )


def path_copy(source: str, instruction: CopyInstruction | Add) -> Copy:
    include: list[str] = []
    required: list[str] = []
    unpack = instruction.unpack is not False if isinstance(instruction, Add) else False
    if isinstance(instruction, CopyInstruction) and instruction.parents:
        parent, pivot, pattern = source.partition("/./")
        source, pattern = (parent, pattern) if pivot else ("/", source)
        pattern = rooted(pattern)
        include = [pattern[1:]]
        if not has_wildcards(source + pattern):
            required = [rooted(f"{source}/{pattern}")]
    return Copy(
        source_input=SCRATCH,
        source=rooted(source),
        destination="",
        create_destination=True,
        contents_only=True,
        follow_links=True,
        wildcard=True,
        allow_empty_wildcard=True,
        unpack=unpack,
        include=include,
        required=required,
    )


def finished(copy: Copy, instruction: Transfer, place: Place) -> Copy:
    mode, mode_text = parse_mode(instruction.chmod)
    return msgspec.structs.replace(
        copy,
        destination=destination(place.directory, instruction.destination),
        mode=mode,
        mode_text=mode_text,
        exclude=list(instruction.excludes),
        timestamp_ns=place.epoch_ns,
    )


def linked(sequel: Sequel, place: Place, meta: VertexMeta) -> Draft:
    """`--link`: the files as a layer of their own, laid over the root, so that they need not be copied anew when the root changes."""
    group = content_digest([place.label, dict(place.description)])
    copied = sequel.draft(place, replace(meta, progress_group=ProgressGroup(group, place.label, weak=True)))
    if place.root is None:
        return copied
    merged = replace(meta, name=place.link_label, progress_group=ProgressGroup(group, place.label))
    inputs = (place.root, copied)
    return Draft(op=MergeOp(), inputs=inputs, platform=place.platform, meta=merged, lines=place.lines)


def git_draft(git: GitRef, instruction: Add, place: Place) -> Draft:
    keeps = (instruction.keep_git_dir, git.keep_git_dir)
    if None not in keeps and keeps[0] != keeps[1]:
        raise DockerfileError("inconsistent keep-git-dir configuration")
    if instruction.checksum and git.checksum and instruction.checksum != git.checksum:
        raise DockerfileError(f"checksum mismatch {quote(instruction.checksum)} != {quote(git.checksum)}")
    op = GitSource(
        remote=git.remote,
        ref=git.ref,
        subdir=git.subdir,
        checksum=git.checksum or instruction.checksum,
        keep_git_dir=True in keeps,
        skip_submodules=git.submodules is False,
    )
    return Draft(op=op, meta=VertexMeta(name=place.label, description=place.description), lines=place.lines)


def http_draft(url: str, name: str, instruction: Add, place: Place) -> Draft:
    checksum = ""
    if instruction.checksum:
        try:
            checksum = parse_digest(instruction.checksum)
        except InvalidParameter as e:
            raise DockerfileError(str(e)) from e
    op = HttpSource(url=url, checksum=checksum, filename=name)
    return Draft(op=op, meta=VertexMeta(name=place.label, description=place.description), lines=place.lines)


def inline_draft(path: str, text: str, mode: int, platform: Platform, epoch_ns: int | None) -> Draft:
    """A root that holds nothing but one file of the Dockerfile's."""
    make = MakeFile(path=path, data=text.encode(), mode=mode, output=0, timestamp_ns=epoch_ns)
    return Draft(
        op=FileOp(actions=[make]), platform=platform, meta=VertexMeta(name=internal("preparing inline document"))
    )


def file_name(url: str) -> str:
    try:
        name = posixpath.basename(posixpath.normpath(urlsplit(url).path))
    except ValueError:
        name = ""
    return name if name not in ("", ".", "..") else UNNAMED


def rooted(path: str) -> str:
    """From the root, in its shortest form, without a slash at its end."""
    return "/" + posixpath.normpath("/" + path).lstrip("/")


def destination(directory: str, path: str) -> str:
    """A slash at the end says that it is a directory, and stays."""
    if path in ("", "."):
        path = "./"
    found = rooted(posixpath.join("/", directory, path))
    return f"{found}/" if path.endswith(("/", "/.")) and found != "/" else found


def has_wildcards(path: str) -> bool:
    quoted = False
    for char in path:
        if not quoted and char in "*?[":
            return True
        quoted = char == "\\" and not quoted
    return False
