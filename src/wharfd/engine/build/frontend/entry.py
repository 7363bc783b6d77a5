"""The frontend as the builder calls it (`dockerfile.v0`, and `gateway.v0` for the docker/dockerfile images, whose work it does)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import msgspec

from wharfd.engine.build.frontend import outline
from wharfd.engine.build.frontend.checks import Checks, Finding
from wharfd.engine.build.frontend.contexts import (
    MAX_IGNORE_FILE,
    FilesOfBuild,
    Places,
    dockerfile_source,
    lower_case_name,
    places_of,
)
from wharfd.engine.build.frontend.convert import Conversion, Converter
from wharfd.engine.build.frontend.draft import Builder
from wharfd.engine.build.frontend.rules import CheckOptions, parse_check_options
from wharfd.engine.build.frontend.settings import Settings, settings_of
from wharfd.engine.build.frontend.steps import MAX_STEPS, StepDraft
from wharfd.engine.build.graph import Output
from wharfd.engine.build.progress import SourceFile, SourceRange, Warned
from wharfd.engine.build.requests import BuildResult, FrontendRequest, Step
from wharfd.engine.build.service import Bridge
from wharfd.model.errors import EngineError, InvalidParameter, NotFound, NotImplementedHere
from wharfd.wire.dockerfile import Dockerfile, DockerfileError, LineRange, parse_dockerfile
from wharfd.wire.dockerfile.directives import detect_syntax, directive_of
from wharfd.wire.oci import Platform, format_platform, normalise
from wharfd.wire.reference import parse_normalised

CONFIG = "containerimage.config"
BASE_CONFIG = "containerimage.base.config"
PLATFORMS = "refs.platforms"
FAMILY = ("docker/dockerfile", "docker/dockerfile-upstream")
ALL_STAGES = (
    "wharf.all-stages"  # ours: stages before the target are done though nothing needs them, as in the classic builder
)
MAX_DOCKERFILE = 4 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Loaded:
    """The file, and the output that it was read from."""

    source: SourceFile
    output: Output | None
    own_ignore: bytes | None


async def dockerfile_frontend(request: FrontendRequest, bridge: Bridge) -> BuildResult:
    """`dockerfile.v0`."""
    attributes = request.attributes
    outline.check_capabilities(attributes.get("frontend.caps", ""))
    asked = attributes.get("requestid", "")
    if asked == outline.DESCRIBE:
        return BuildResult(metadata=outline.describe())
    if asked not in ("", outline.LINT, outline.OUTLINE, outline.TARGETS):
        raise NotImplementedHere(f"unsupported request {asked}")
    settings = settings_of(attributes, bridge.platform)
    places = await places_of(request, bridge)
    loaded = await load(request, bridge, places)
    files = FilesOfBuild(bridge=bridge, request=request, settings=settings, places=places, own_ignore=loaded.own_ignore)
    work = Work(request, bridge, settings, files, loaded)
    try:
        check_syntax(settings.build_args.get("BUILDKIT_SYNTAX", ""), loaded.source.data)
        return await work.do(asked)
    except DockerfileError as e:
        e.filename, e.data = loaded.source.filename, loaded.source.data
        raise


async def gateway_frontend(request: FrontendRequest, bridge: Bridge) -> BuildResult:
    """`gateway.v0`: a frontend that is an image.  Those that read Dockerfiles as we do need not be run."""
    check_family(request.attributes.get("source", ""))
    return await dockerfile_frontend(request, bridge)


def check_syntax(override: str, data: bytes) -> None:
    """Is it a language that we speak?  Raises NotImplementedHere."""
    found = detect_syntax(data.decode(errors="replace"))
    name = override or (found.first_word if found is not None else "")
    if name:
        check_family(name)


def check_family(name: str) -> None:
    try:
        path = parse_normalised(name).path
    except InvalidParameter as e:
        raise e.prefixed(f"failed to parse frontend image {name}: ") from e
    if path not in FAMILY:
        raise NotImplementedHere(
            f"unsupported frontend {name}: this engine does not run frontend images; it reads Dockerfiles itself, "
            "as docker/dockerfile does"
        )


async def load(request: FrontendRequest, bridge: Bridge, places: Places) -> Loaded:
    session = request.attributes.get(f"local-sessionid:{places.dockerfile_name}", "")
    output = Builder().build(dockerfile_source(places, session))
    filename = places.filename
    try:
        data = await read_dockerfile(bridge, output, filename)
    except EngineError as e:
        raise e.prefixed("failed to read dockerfile: ") from e
    try:
        own_ignore = await bridge.read_file(output, f"{filename}.dockerignore", length=MAX_IGNORE_FILE)
    except NotFound:
        own_ignore = None
    if len(data) > MAX_DOCKERFILE:
        raise InvalidParameter(f"failed to read dockerfile: {filename} is larger than {MAX_DOCKERFILE} bytes")
    return Loaded(SourceFile(filename=filename, data=data), output, own_ignore)


async def read_dockerfile(bridge: Bridge, output: Output | None, filename: str) -> bytes:
    try:
        return await bridge.read_file(output, filename, length=MAX_DOCKERFILE + 1)
    except NotFound as e:
        if filename.rpartition("/")[2] != "Dockerfile":
            raise NotFound(f"open {filename}: no such file or directory") from e
    try:
        return await bridge.read_file(output, lower_case_name(filename), length=MAX_DOCKERFILE + 1)
    except NotFound as e:
        raise NotFound(f"open {filename}: no such file or directory") from e


@dataclass(frozen=True, slots=True)
class Work:
    """One request about one Dockerfile."""

    request: FrontendRequest
    bridge: Bridge
    settings: Settings
    files: FilesOfBuild
    loaded: Loaded

    async def do(self, asked: str) -> BuildResult:
        source = self.loaded.source
        options = self.check_options()
        if asked == outline.LINT:
            return BuildResult(metadata=await self.lint(options))
        dockerfile = parse_dockerfile(source.data)
        if asked == outline.TARGETS:
            return BuildResult(metadata=outline.targets(dockerfile, source))
        if asked == outline.OUTLINE:
            conversion = await self.converter(dockerfile, Checks(CheckOptions(skips_all=True)), None).convert()
            return BuildResult(metadata=outline.outline(conversion, dockerfile, source))
        return await self.build(dockerfile, options)

    def check_options(self) -> CheckOptions:
        """The caller's word counts more than the file's."""
        if self.settings.check is not None:
            return self.settings.check
        try:
            directive = check_directive(self.loaded.source.data)
            return parse_check_options(directive)
        except InvalidParameter as e:
            raise e.prefixed("failed to parse check options: ") from e

    def converter(self, dockerfile: Dockerfile, checks: Checks, platform: Platform | None) -> Converter:
        return Converter(
            dockerfile=dockerfile,
            settings=self.settings,
            surroundings=self.files,
            build_platform=normalise(self.bridge.platform),
            checks=checks,
            platform=platform,
            all_stages=ALL_STAGES in self.request.attributes,
        )

    async def lint(self, options: CheckOptions) -> dict[str, bytes]:
        checks = Checks(options)
        error: EngineError | None = None
        try:
            dockerfile = parse_dockerfile(self.loaded.source.data)
            platform = next(iter(self.settings.platforms), None)
            converter = self.converter(dockerfile, checks, platform)
            converter.all_stages = not self.settings.target
            await converter.convert()
        except EngineError as e:
            error = e
        return outline.lint(checks.findings, self.loaded.source, error)

    async def build(self, dockerfile: Dockerfile, options: CheckOptions) -> BuildResult:
        """For each platform, all at once."""
        platforms = self.settings.platforms or (None,)
        checks = [Checks(options) for _ in platforms]
        converters = [
            self.converter(dockerfile, each, platform) for each, platform in zip(checks, platforms, strict=True)
        ]
        try:
            conversions = await together(converters)
        finally:
            for finding in checks[0].findings:
                self.bridge.warn(self.warned(finding))
        return self.result(conversions)

    def warned(self, finding: Finding) -> Warned:
        output = self.loaded.output
        return Warned(
            vertex=None if output is None else output.vertex.digest,
            short=str(finding).encode(),
            detail=(finding.rule.description.encode(),),
            url=finding.rule.url,
            source=self.loaded.source,
            ranges=source_ranges(*finding.lines),
        )

    def result(self, conversions: list[Conversion]) -> BuildResult:
        builder = Builder()
        roots: dict[str, Output | None] = {}
        metadata: dict[str, bytes] = {}
        entries = []
        for conversion in conversions:
            platform = normalise(conversion.platform)
            identifier = format_platform(platform)
            suffix = f"/{identifier}" if self.settings.is_multi_platform else ""
            roots[identifier if suffix else ""] = builder.build(conversion.output)
            metadata[f"{CONFIG}{suffix}"] = conversion.image.encode()
            if conversion.base_image is not None:
                metadata[f"{BASE_CONFIG}{suffix}"] = conversion.base_image.encode()
            entries.append({"ID": identifier, "Platform": platform})
        metadata[PLATFORMS] = msgspec.json.encode({"Platforms": entries})
        drafts = conversions[0].steps
        steps = Steps(drafts if len(drafts) <= MAX_STEPS else [], builder)
        for step in drafts:
            builder.build(step.output)
        source = self.loaded.source
        places = {digest: [(source, source_ranges(lines))] for digest, lines in builder.places.items()}
        return BuildResult(roots=roots, metadata=metadata, steps=steps, places=places)


class Steps(Sequence[Step]):
    """Made when they are looked at: only the classic door tells of them."""

    def __init__(self, drafts: Sequence[StepDraft], builder: Builder) -> None:
        self.drafts = drafts
        self.builder = builder

    def __len__(self) -> int:
        return len(self.drafts)

    @overload
    def __getitem__(self, index: int) -> Step: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...

    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        if isinstance(index, slice):
            return Steps(self.drafts[index], self.builder)
        draft = self.drafts[index]
        return Step(
            text=draft.text,
            output=self.builder.build(draft.output),
            config=draft.image.encode(),
            stage=draft.stage,
            is_run=draft.is_run,
        )


def check_directive(data: bytes) -> str:
    found = directive_of(data.decode(errors="replace"), "check")
    return "" if found is None else found.value


def source_ranges(*found: LineRange) -> tuple[SourceRange, ...]:
    """One per line, as BuildKit has it."""
    numbers = [number for lines in found for number in range(lines.start, lines.end + 1)]
    return tuple(SourceRange(start_line=number, end_line=number) for number in numbers)


async def together(converters: list[Converter]) -> list[Conversion]:
    """One error, not a group of them, is what a build ends with."""
    if len(converters) == 1:
        return [await converters[0].convert()]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(converter.convert()) for converter in converters]
    except BaseExceptionGroup as e:
        raise e.exceptions[0] from e
    return [task.result() for task in tasks]
