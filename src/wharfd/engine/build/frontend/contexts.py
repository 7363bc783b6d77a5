"""Where files come from: the build's context, the Dockerfile's directory, named contexts, as the attributes of a request say it.

context=https://host/repo.git#main       context:base=docker-image://alpine       context:src=local:src       context:x=input:y
"""

import asyncio
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from wharfd.engine.build.frontend.draft import Builder, Draft
from wharfd.engine.build.frontend.naming import internal
from wharfd.engine.build.frontend.settings import DEFAULT_FILENAME, Settings, boolean
from wharfd.engine.build.frontend.stages import SCRATCH, StageState
from wharfd.engine.build.frontend.surroundings import LoadedContext, ResolvedImage, pinned_name
from wharfd.engine.build.graph import Output, VertexMeta
from wharfd.engine.build.ops import (
    Copy,
    FileOp,
    GitSource,
    HttpSource,
    ImageSource,
    LayoutSource,
    LocalSource,
)
from wharfd.engine.build.requests import FrontendRequest, ResolvedImageSource
from wharfd.engine.build.service import Bridge
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.wire.dockerignore import PathPatterns, parse_ignore_file
from wharfd.wire.gitref import parse_git_ref
from wharfd.wire.oci import ConfigDocument, Platform, decode_config, format_platform, normalise
from wharfd.wire.reference import parse_normalised

CONTEXT = "context"
DOCKERFILE = "dockerfile"
IGNORE_FILE = ".dockerignore"
HTTP_NAME = "context"  # what a context from the net is called in its root
SESSION = "local-sessionid:"
MAX_IGNORE_FILE = 16 << 20  # bytes

_ARCHIVES = (b"BZh", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """`context` and `dockerfile`: roots that the client does not send file by file; None: he does, as the local of that name."""

    filename: str
    context: Draft | None
    dockerfile: Draft | None
    context_name: str = CONTEXT
    dockerfile_name: str = DOCKERFILE


async def places_of(request: FrontendRequest, bridge: Bridge) -> Places:
    attributes = request.attributes
    filename = attributes.get("filename", DEFAULT_FILENAME)
    own_dockerfile = "dockerfilekey" in attributes
    dockerfile_name = attributes.get("dockerfilekey", DOCKERFILE)
    address = attributes.get(attributes.get("contextkey", CONTEXT), "")
    remote: Draft | None = None
    if address:
        remote = git_context(address, attributes)
        if remote is None and address.startswith(("http://", "https://")):
            remote, filename = await http_context(address, filename, bridge)
    inputs = request.inputs
    context = remote or given(inputs, CONTEXT)
    dockerfile = remote or given(inputs, dockerfile_name)
    if context is not None and attributes.get("contextsubdir"):
        context = subdirectory(context, attributes["contextsubdir"])
    return Places(
        filename=filename,
        context=context,
        dockerfile=None if own_dockerfile else dockerfile,
        dockerfile_name=dockerfile_name,
    )


def given(inputs: Mapping[str, Output | None], name: str) -> Draft | None:
    output = inputs.get(name)
    return None if output is None else Draft(given=output)


def git_context(address: str, attributes: Mapping[str, str]) -> Draft | None:
    git = parse_git_ref(address)
    if git is None:
        return None
    keeps = boolean(attributes.get("build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR", "")) or bool(git.keep_git_dir)
    op = GitSource(
        remote=git.remote,
        ref=git.ref,
        subdir=git.subdir,
        checksum=git.checksum,
        keep_git_dir=keeps,
        skip_submodules=git.submodules is False,
    )
    return Draft(op=op, meta=VertexMeta(name=internal(f"load git source {address}")))


async def http_context(address: str, filename: str, bridge: Bridge) -> tuple[Draft, str]:
    """An archive is a context; any other file is a Dockerfile without one."""
    source = HttpSource(url=address, filename=HTTP_NAME)
    draft = Draft(op=source, meta=VertexMeta(name=internal("load remote build context")))
    head = await bridge.read_file(Builder().build(draft), HTTP_NAME, length=1024)
    if not is_archive(head):
        return draft, HTTP_NAME
    unpack = Copy(input=-1, output=0, source_input=0, source=f"/{HTTP_NAME}", destination="/", unpack=True)
    return Draft(op=FileOp(actions=[unpack]), inputs=(draft,)), filename


def is_archive(head: bytes) -> bool:
    return head.startswith(_ARCHIVES) or head[257:262] == b"ustar"


def subdirectory(context: Draft, path: str) -> Draft:
    copy = Copy(input=-1, output=0, source_input=0, source=path, destination="/", contents_only=True)
    return Draft(op=FileOp(actions=[copy]), inputs=(context,))


@dataclass(slots=True, kw_only=True)
class FilesOfBuild:
    """What `Surroundings` asks for, from the builder (`bridge`) and the request.  One for all platforms of a build."""

    bridge: Bridge
    request: FrontendRequest
    settings: Settings
    places: Places
    own_ignore: bytes | None = None  # `Dockerfile.dockerignore`, if there is one
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    patterns: list[str] | None = None

    def session(self, name: str) -> str:
        return self.request.attributes.get(f"{SESSION}{name}", "")

    async def resolve_image_config(self, ref: str, platform: Platform, log_name: str) -> ResolvedImage:
        found = await self.bridge.resolve_image(ref, platform, self.settings.resolve_mode, log_name)
        return resolved(found)

    # --- the context ---------------------------------------------------------------------------------------------------------------

    def main_context(self, used_paths: set[str]) -> Draft:
        if self.places.context is not None:
            return self.places.context
        name = self.places.context_name
        return self.local(name, internal("load build context"), used_paths, self.patterns or [], shared_key=name)

    def local(self, name: str, label: str, used_paths: set[str], exclude: list[str], *, shared_key: str) -> Draft:
        def op() -> LocalSource:
            return LocalSource(
                name=name,
                exclude=exclude,
                follow_paths=[] if "/" in used_paths else sorted(path[1:] for path in used_paths),
                shared_key=shared_key,
                session_id=self.session(name),
            )

        return Draft(op=op, meta=VertexMeta(name=label))

    async def ignored(self) -> PathPatterns | None:
        if self.places.context is not None:
            return None
        async with self.loading:
            if self.patterns is None:
                self.patterns = await self.load_patterns()
        return PathPatterns(self.patterns) if self.patterns else None

    async def load_patterns(self) -> list[str]:
        if self.own_ignore is not None:
            return parse_ignore_file(self.own_ignore.decode(errors="replace"))
        name = self.places.context_name
        return await self.ignore_file(name, internal(f"load {IGNORE_FILE}"), f"{name}-{IGNORE_FILE}")

    async def ignore_file(self, name: str, label: str, shared_key: str) -> list[str]:
        source = LocalSource(
            name=name, follow_paths=[IGNORE_FILE], shared_key=shared_key, session_id=self.session(name)
        )
        output = Builder().build(Draft(op=source, meta=VertexMeta(name=label)))
        try:
            data = await self.bridge.read_file(output, IGNORE_FILE, length=MAX_IGNORE_FILE)
        except NotFound:
            return []
        return parse_ignore_file(data.decode(errors="replace"))

    # --- named contexts ------------------------------------------------------------------------------------------------------------

    def context_name(self, name: str, platform: Platform) -> str:
        """A context may be meant for one platform only: `name::linux/arm64`."""
        try:
            familiar = parse_normalised(name).familiar().removesuffix(":latest")
        except InvalidParameter:
            return ""
        exact = f"{familiar}::{format_platform(normalise(platform))}"
        return next((each for each in (exact, familiar) if each in self.settings.contexts), "")

    async def load_context(self, name: str, platform: Platform, user: StageState) -> LoadedContext:
        value = self.settings.contexts[name]
        kind, colon, rest = value.partition(":")
        if not colon:
            raise InvalidParameter(f"invalid context specifier {value} for {name}")
        label = f"[context {name}]"
        if kind.startswith("git@"):
            kind = "git"
        match kind:
            case "docker-image":
                return await self.image_context(rest.removeprefix("//"), label, platform)
            case "oci-layout":
                return await self.layout_context(rest.removeprefix("//"), label, platform)
            case "local":
                exclude = await self.ignore_file(rest, f"{label} load {IGNORE_FILE}", f"context:{name}-{IGNORE_FILE}")
                key = f"context:{name}-{self.request.attributes.get(f'sharedkey:localdir:{name}', '')}"
                return LoadedContext(
                    self.local(rest, f"{label} load from client", user.used_paths, exclude, shared_key=key), None
                )
            case "git" | "http" | "https":
                return self.remote_context(value, label)
            case "input":
                return self.input_context(rest, name)
        raise InvalidParameter(f"unsupported context source {kind} for {name}")

    async def image_context(self, ref: str, label: str, platform: Platform) -> LoadedContext:
        if ref == SCRATCH:
            return LoadedContext(None, None)
        named = parse_normalised(ref).with_default_tag()
        canonical = named.canonical()
        mode = self.settings.resolve_mode
        found = await self.bridge.resolve_image(canonical, platform, mode, f"{label} load metadata for {canonical}")
        image = resolved(found)
        op = ImageSource(ref=pinned_name(named, image), resolve_mode=mode)
        return LoadedContext(Draft(op=op, platform=platform, meta=VertexMeta(name=f"{label} {ref}")), image.document)

    async def layout_context(self, text: str, label: str, platform: Platform) -> LoadedContext:
        """`store@sha256:…`: an image in a layout of the client's.  Its config is read out of what it unpacks to by the builder."""
        store, at, _ = text.partition("@")
        if not at:
            raise InvalidParameter(f'oci-layout reference "{text}" has no digest')
        session = self.session(store)
        op = LayoutSource(ref=text, store_id=store.partition(":")[0], session_id=session)
        draft = Draft(op=op, platform=platform, meta=VertexMeta(name=f"{label} OCI load from client"))
        return LoadedContext(draft, None)

    def remote_context(self, address: str, label: str) -> LoadedContext:
        draft = git_context(address, {})
        if draft is None:
            source = HttpSource(url=address, filename=HTTP_NAME)
            draft = Draft(op=source, meta=VertexMeta(name=f"{label} {address}"))
        return LoadedContext(draft, None)

    def input_context(self, key: str, name: str) -> LoadedContext:
        if key not in self.request.inputs:
            raise InvalidParameter(f"invalid input {key} for {name}")
        config = self.request.attributes.get(f"input-metadata:{key}")
        document = None if config is None else decode_input_config(config, name)
        output = self.request.inputs[key]
        return LoadedContext(None if output is None else Draft(given=output), document)


class InputMetadata(msgspec.Struct, frozen=True):
    config: bytes | None = msgspec.field(default=None, name="containerimage.config")  # base64 in the JSON


def decode_input_config(text: str, name: str) -> ConfigDocument | None:
    try:
        config = msgspec.json.decode(text, type=InputMetadata).config
    except (msgspec.MsgspecError, RecursionError) as e:
        raise InvalidParameter(f"failed to parse input metadata for {name}: {e}") from e
    return None if config is None else decode_config(config)


def resolved(found: ResolvedImageSource) -> ResolvedImage:
    return ResolvedImage(found.ref, found.digest, decode_config(found.config))


def dockerfile_source(places: Places, session_id: str) -> Draft:
    """What the Dockerfile is read from."""
    if places.dockerfile is not None:
        return places.dockerfile
    filename = places.filename
    follow = [filename, f"{filename}{IGNORE_FILE}"]
    if posixpath.basename(filename) == DEFAULT_FILENAME:
        follow.append(lower_case_name(filename))
    op = LocalSource(
        name=places.dockerfile_name, follow_paths=follow, shared_key=places.dockerfile_name, session_id=session_id
    )
    return Draft(op=op, meta=VertexMeta(name=internal(f"load build definition from {filename}")))


def lower_case_name(filename: str) -> str:
    return posixpath.join(posixpath.dirname(filename), DEFAULT_FILENAME.lower())
