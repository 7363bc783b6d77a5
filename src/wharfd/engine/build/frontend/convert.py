"""From a Dockerfile to a graph, for one platform.

Stages are lined up, those that the target needs are resolved (their bases' configs are asked for, all at once), then instruction after
instruction is carried out on paper (`steps.py`).
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.engine.build.frontend import rules
from wharfd.engine.build.frontend.arguments import declared, global_arguments, predefined, proxy_of
from wharfd.engine.build.frontend.checks import Checks, check_base_names, check_file
from wharfd.engine.build.frontend.draft import Draft
from wharfd.engine.build.frontend.image import Image, empty_image, image_of
from wharfd.engine.build.frontend.naming import COMMAND, Counter
from wharfd.engine.build.frontend.settings import Settings
from wharfd.engine.build.frontend.stages import SCRATCH, Stages, StageState, check_circles, reachable
from wharfd.engine.build.frontend.steps import StepDraft, Workshop, carry_out
from wharfd.engine.build.frontend.surroundings import Surroundings, pinned_name
from wharfd.engine.build.graph import VertexMeta
from wharfd.engine.build.ops import ImageSource
from wharfd.model.errors import EngineError, InvalidParameter
from wharfd.wire.dockerfile import parse_trigger
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.instructions import Add, Copy, Dockerfile, OnBuild, Run, Stage, Workdir
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.dockerfile.suggest import hint
from wharfd.wire.dockerfile.words import Rules, expand
from wharfd.wire.oci import ConfigDocument, Platform, format_platform, normalise, parse_platform
from wharfd.wire.reference import parse_normalised

COMMON_IMAGES = ("alpine", "busybox", "centos", "debian", "fedora", "golang", "ubuntu")


class BaseUnresolved(DockerfileError):
    """An image that the file names is not to be had.  `__cause__` says of what kind the trouble is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """`base_image`: of the image that the target comes from; None for scratch.  `steps`: of the stages that are built."""

    output: Draft | None
    image: Image
    base_image: Image | None
    platform: Platform
    steps: list[StepDraft]
    stages: Stages
    target: StageState
    global_args: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Converter:
    """`platform` None: the builder's own, and if a base has only another one, that.  `all_stages`: also those before the target
    that nobody needs (for checks, and the classic builder)."""

    dockerfile: Dockerfile
    settings: Settings
    surroundings: Surroundings
    build_platform: Platform
    checks: Checks
    platform: Platform | None = None
    all_stages: bool = False
    global_args: dict[str, str] = field(default_factory=dict)
    stages: Stages = field(default_factory=Stages)

    @property
    def words(self) -> Rules:
        return Rules(escape=self.dockerfile.escape)

    @property
    def target_platform(self) -> Platform:
        return self.build_platform if self.platform is None else self.platform

    async def convert(self) -> Conversion:
        """Raises DockerfileError, and what the surroundings raise."""
        check_file(self.dockerfile, self.checks)
        self.evaluate_arguments()
        for number, stage in enumerate(self.dockerfile.stages):
            self.stages.add(self.state_of(number, stage))
        target = self.stages.target(self.settings.target)
        for state in [*self.stages.all]:
            if state.stage is not None:
                state.commands = [self.stages.plan(state, command) for command in state.stage.commands]
        check_circles(self.stages.all)
        if len(self.stages.all) == 1:
            self.stages.all[0].name = self.stages.all[0].counter.stage_name = ""
        needed = await self.resolve(target)
        shop = await self.workshop()
        for state in self.stages.all:
            if state in needed and not state.is_finished:
                self.begin(state)
                await carry_out(state, shop)
        target.used_paths.add("/")
        error = self.checks.error()
        if error is not None:
            raise error
        return self.conversion(target, shop)

    def evaluate_arguments(self) -> None:
        settings = self.settings
        stage = settings.target or self.dockerfile.stages[-1].start.stage_name
        given = predefined(self.build_platform, self.target_platform, stage, settings.build_args)
        try:
            defaults = global_arguments(self.dockerfile, given, {}, self.words)
        except DockerfileError:
            pass  # said below, unless a build argument saves it
        else:
            check_base_names(self.dockerfile, defaults, self.words, self.checks)
        self.global_args = global_arguments(self.dockerfile, given, settings.build_args, self.words)

    # --- stages -------------------------------------------------------------------------------------------------------------------

    def state_of(self, number: int, stage: Stage) -> StageState:
        start = stage.start
        try:
            base_name = self.base_name(stage)
            platform = self.stage_platform(stage)
        except DockerfileError as e:
            e.at(start.lines)
            raise
        name = start.stage_name or f"stage-{number}"
        state = StageState(stage=stage, name=name, base_name=base_name, lines=start.lines, platform=platform)
        state.ignores_cache = self.settings.ignores_cache(start.stage_name)
        if start.stage_name:
            state.context = self.context_name(start.stage_name, platform)
        counted = sum(isinstance(command, Add | Copy | Run | Workdir) for command in stage.commands)
        has_base = base_name != SCRATCH and base_name not in self.stages.by_name
        state.counter = Counter(stage_name=name, total=counted + has_base)
        return state

    def context_name(self, name: str, platform: Platform | None) -> str:
        if name.lower() in {SCRATCH, "context"}:
            return ""
        return self.surroundings.context_name(name, platform or self.target_platform)

    def base_name(self, stage: Stage) -> str:
        start = stage.start
        found = expand(start.base, self.global_args, self.words)
        self.report_undefined(found.unset, start.lines)
        if not found.text:
            raise DockerfileError(f"base name ({start.base}) should not be blank")
        return found.text

    def report_undefined(self, unset: Iterable[str], lines: LineRange) -> None:
        self.checks.undefined_arguments(unset, declared(self.dockerfile).union(self.global_args), lines)

    def stage_platform(self, stage: Stage) -> Platform | None:
        start = stage.start
        if not start.platform:
            return None
        try:
            found = expand(start.platform, self.global_args, self.words)
        except DockerfileError as e:
            raise e.prefixed(f"failed to process arguments for platform {start.platform}: ") from e
        self.report_undefined(found.unset, start.lines)
        near = "".join(hint(name, self.global_args) for name in sorted(found.unset)[:1])
        if not found.text:
            raise DockerfileError(f"empty platform value from expression {start.platform}{near}")
        if found.used == {"TARGETPLATFORM"} and not found.unset and found.text == self.global_args["TARGETPLATFORM"]:
            message = (
                f"Setting platform to predefined {start.platform} in FROM is redundant as this is the default behavior"
            )
            self.checks.report(rules.REDUNDANT_TARGET_PLATFORM, message, start.lines)
        try:
            platform = parse_platform(found.text, self.build_platform)
        except InvalidParameter as e:
            raise DockerfileError(f"failed to parse platform {start.platform}: {e}{near}") from e
        if not found.used and not found.unset:
            name = start.stage_name
            if platform.os not in name and platform.architecture not in name:
                message = f"FROM --platform flag should not use constant value {quote(found.text)}"
                self.checks.report(rules.FROM_PLATFORM_FLAG_CONST_DISALLOWED, message, start.lines)
        return platform

    # --- bases --------------------------------------------------------------------------------------------------------------------

    async def resolve(self, target: StageState) -> set[StageState]:
        """Ask for the bases of all stages that are needed.  Triggers of bases may need further stages, so this goes on until none does."""
        while True:
            needed = set(self.wanted(target))
            waiting = [state for state in self.stages.all if state.base is None and not state.is_resolved]
            await self.resolve_bases(waiting, needed)
            added = [self.add_triggers(state) for state in self.wanted(target)]
            if not any(added):
                return needed

    def wanted(self, target: StageState) -> Sequence[StageState]:
        if not self.all_stages:
            return list(reachable(target))
        stages = self.stages.all[: self.stages.all.index(target) + 1]
        return list(dict.fromkeys(state for stage in stages for state in reachable(stage)))

    async def resolve_bases(self, waiting: list[StageState], needed: set[StageState]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for state in waiting:
                    group.create_task(self.resolve_base(state, is_needed=state in needed))
        except BaseExceptionGroup as e:
            raise e.exceptions[0] from e  # the first is what the build ends with; the others were cut off

    async def resolve_base(self, state: StageState, *, is_needed: bool) -> None:
        try:
            await self.look_up(state, is_needed=is_needed)
        except DockerfileError as e:
            e.at(state.lines)
            raise

    async def look_up(self, state: StageState, *, is_needed: bool) -> None:
        target = self.target_platform
        if state.base_name == SCRATCH and not state.context:
            self.take(state, None, empty_image(target), target)
            return
        try:
            ref = parse_normalised(state.base_name).with_default_tag()
        except InvalidParameter as e:
            raise DockerfileError(f"failed to parse stage name {quote(state.base_name)}: {e}") from e
        if not is_needed:
            return
        platform = state.platform or target
        context = state.context or self.context_name(state.base_name, platform)
        if context:
            loaded = await self.surroundings.load_context(context, platform, state)
            image = empty_image(target) if loaded.document is None else image_of(loaded.document)
            self.take(state, loaded.draft, image, platform)
            state.is_finished = state.is_finished or bool(state.context)
            return
        shown = f"{format_platform(platform)} " if self.settings.is_multi_platform else ""
        try:
            resolved = await self.surroundings.resolve_image_config(
                ref.canonical(), platform, f"[{shown}internal] load metadata for {ref.canonical()}"
            )
        except EngineError as e:
            near = hint(state.base_name, [*self.stages.names(), *COMMON_IMAGES])
            what = f"failed to resolve source metadata for {ref.canonical()}: "
            raise BaseUnresolved(f"{state.base_name}: {what}{str(e).removeprefix(what)}{near}", state.lines) from e
        image = image_of(resolved.document)
        state.base_image = image
        platform = self.detected(state, platform, resolved.document)
        self.check_platform(state, platform, resolved.document)
        pinned = pinned_name(ref, resolved)
        self.take(state, self.image_draft(state, pinned, platform, resolved.document), image, platform)

    def take(self, state: StageState, output: Draft | None, image: Image, platform: Platform) -> None:
        state.output, state.image, state.platform = output, image, platform
        state.is_resolved = True
        state.is_finished = state.is_implicit

    def image_draft(self, state: StageState, ref: str, platform: Platform, document: ConfigDocument) -> Draft | None:
        if not document.rootfs.diff_ids and all(entry.empty_layer for entry in document.history):
            return None
        state.counter.platform = platform if self.settings.is_multi_platform else None
        state.counter.advance()
        label = state.counter.label(f"FROM {ref}", {})
        source = f"FROM {ref}" if state.stage is None else state.stage.start.source
        meta = VertexMeta(name=label, description={COMMAND: source})
        op = ImageSource(ref=ref, resolve_mode=self.settings.resolve_mode)
        return Draft(op=op, platform=platform, meta=meta, lines=state.lines)

    def detected(self, state: StageState, platform: Platform, document: ConfigDocument) -> Platform:
        """Where nobody has asked for a platform, an image for another one that this builder can run is as good."""
        if state.platform is not None or self.platform is not None or not document.architecture:
            return platform
        if (document.os, document.architecture) == (platform.os, platform.architecture):
            return platform
        own = self.build_platform
        return own if (document.os, document.architecture) == (own.os, own.architecture) else platform

    def check_platform(self, state: StageState, expected: Platform, document: ConfigDocument) -> None:
        actual = normalise(Platform(os=document.os, architecture=document.architecture, variant=document.variant))
        if (actual.os, actual.architecture) != (expected.os, expected.architecture):
            message = (
                f"Base image {state.base_name} was pulled with platform {quote(format_platform(actual))}, "
                f"expected {quote(format_platform(normalise(expected)))} for current build"
            )
            self.checks.report(rules.INVALID_BASE_IMAGE_PLATFORM, message, state.lines)

    def add_triggers(self, state: StageState) -> bool:
        """Put what the base has kept for later before the stage's own instructions.  Says whether other stages are needed for that."""
        if state.has_triggers or state.is_finished or state.stage is None:
            return False
        state.has_triggers = True
        if state.base is None:
            triggers = list(state.started.config.on_build or ())
        else:
            commands = [planned.command for planned in state.base.commands]
            triggers = [command.trigger for command in commands if isinstance(command, OnBuild)]
        added = []
        for trigger in triggers:
            try:
                command = msgspec.structs.replace(parse_trigger(trigger), lines=state.lines)
                added.append(self.stages.plan(state, command, is_trigger=True))
            except DockerfileError as e:
                e.ranges = (state.lines,)
                raise
        state.commands[:0] = added
        state.counter.total += len(added)
        return any(planned.sources for planned in added)

    # --- the walk ------------------------------------------------------------------------------------------------------------------

    async def workshop(self) -> Workshop:
        paths: set[str] = set()
        nothing = empty_image(self.target_platform)
        steps = [
            StepDraft(text=arg.source, output=None, image=nothing, stage=-1, is_run=False)
            for arg in self.dockerfile.global_args
        ]
        ignored = await self.surroundings.ignored()
        return Workshop(
            settings=self.settings,
            rules=self.words,
            global_args=self.global_args,
            checks=self.checks,
            context=self.surroundings.main_context(paths),
            context_paths=paths,
            ignored=ignored,
            proxy=proxy_of(self.settings.build_args),
            steps=steps,
        )

    def begin(self, state: StageState) -> None:
        """What a stage takes over from its base."""
        base = state.base
        if base is not None:
            state.output = base.output
            state.image = base.image
            state.base_image = base.base_image
            state.platform = state.platform or base.platform
            state.env = dict(base.env)
            state.definitions = list(base.definitions)
            state.used_paths = base.used_paths
            state.has_workdir = base.has_workdir
        state.image = (empty_image(self.target_platform) if state.image is None else state.image).as_base()
        state.platform = state.platform or self.target_platform
        state.counter.platform = state.platform if self.settings.is_multi_platform else None

    def conversion(self, target: StageState, shop: Workshop) -> Conversion:
        image = target.started
        if self.settings.labels:
            labels = {**(image.config.labels or {}), **self.settings.labels}
            image = image.with_config(msgspec.structs.replace(image.config, labels=labels))
        if self.platform is not None:
            image = image.with_platform(self.platform)
        platform = self.target_platform if self.platform is not None else target.platform or self.target_platform
        return Conversion(
            output=target.output,
            image=image,
            base_image=target.base_image,
            platform=platform,
            steps=shop.steps,
            stages=self.stages,
            target=target,
            global_args=self.global_args,
        )
