"""Instruction after instruction of a stage, carried out on paper: the root after it, the image's config, what processes see."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from wharfd.engine.build.frontend import rules
from wharfd.engine.build.frontend.arguments import SILENT_ARGS
from wharfd.engine.build.frontend.checks import Checks
from wharfd.engine.build.frontend.draft import Draft
from wharfd.engine.build.frontend.image import Image
from wharfd.engine.build.frontend.naming import COMMAND, command_text, summary
from wharfd.engine.build.frontend.owners import parse_owner
from wharfd.engine.build.frontend.runs import Scene, exec_draft, is_lone, parse_mounts, process_of
from wharfd.engine.build.frontend.settings import Settings
from wharfd.engine.build.frontend.stages import Planned, StageState
from wharfd.engine.build.frontend.transfers import Place, rooted, transfer
from wharfd.engine.build.graph import VertexMeta
from wharfd.engine.build.ops import SCRATCH, FileOp, MakeDirectory, ProxyEnv
from wharfd.wire.dockerfile.config import changed, created_by, environment
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.expansion import CONTENT_RULES, expanded
from wharfd.wire.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Command,
    Copy,
    Definition,
    Entrypoint,
    Env,
    Expose,
    HealthCheck,
    Instruction,
    Label,
    Maintainer,
    Run,
    Workdir,
)
from wharfd.wire.dockerfile.mounts import RunMount
from wharfd.wire.dockerfile.ports import check_form
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.dockerfile.words import Expansion, Rules, expand
from wharfd.wire.dockerignore import PathPatterns
from wharfd.wire.oci import Platform

MAX_GROWTH = (
    32 << 20
)  # characters and entries that a file may grow to when its variables are replaced, in all stages together
MAX_STEPS = 1000  # that are remembered one by one
BREATH = 16  # instructions after which others get their turn
BUILT_SUFFIX = " # buildkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDraft:
    """See `Step`."""

    text: str
    output: Draft | None
    image: Image
    stage: int
    is_run: bool


@dataclass(slots=True, kw_only=True)
class Workshop:
    """What all stages of a conversion share.  `context_paths`: what is used of the build's context; `grown`: see `MAX_GROWTH`.

    `steps` stays short: a file with more instructions than `MAX_STEPS` has no steps that can be told.
    """

    settings: Settings
    rules: Rules
    global_args: Mapping[str, str]
    checks: Checks
    context: Draft
    context_paths: set[str]
    ignored: PathPatterns | None
    proxy: ProxyEnv | None
    steps: list[StepDraft] = field(default_factory=list)
    grown: int = 0

    def note(self, state: StageState, instruction: Instruction) -> None:
        if len(self.steps) > MAX_STEPS:
            return
        step = StepDraft(
            text=instruction.source,
            output=state.output,
            image=state.started,
            stage=state.index,
            is_run=isinstance(instruction, Run),
        )
        self.steps.append(step)

    def grow(self, amount: int) -> None:
        self.grown += amount
        if self.grown > MAX_GROWTH:
            raise DockerfileError("the Dockerfile grows too large when its variables are replaced")


async def carry_out(state: StageState, shop: Workshop) -> None:
    """All instructions of the stage.  Raises DockerfileError."""
    state.image = state.started.with_path()
    config = state.image.config
    if config.working_dir:
        config = msgspec.structs.replace(config, working_dir=rooted(config.working_dir))
        state.image = state.image.with_config(config)
    state.env.update(environment(config.env))
    triggers = [planned for planned in state.commands if planned.is_trigger]
    for planned in triggers:
        Walker(state, shop, planned).carry_out()
    if state.stage is not None:
        shop.note(state, state.stage.start)
    for number, planned in enumerate(state.commands[len(triggers) :], 1):
        if not number % BREATH:
            await asyncio.sleep(0)
        Walker(state, shop, planned).carry_out()
        shop.note(state, planned.command)
    state.is_finished = True


@dataclass(slots=True)
class Walker:
    """One instruction on its stage."""

    state: StageState
    shop: Workshop
    planned: Planned

    @property
    def lines(self) -> LineRange:
        return self.planned.command.lines

    @property
    def platform(self) -> Platform:
        assert self.state.platform is not None
        return self.state.platform

    def expand(self, text: str) -> Expansion:
        found = self.expand_quietly(text)
        self.report(found)
        return found

    def expand_quietly(self, text: str, rules: Rules | None = None) -> Expansion:
        found = expand(text, self.state.env, rules or self.shop.rules)
        self.shop.grow(len(found.text))
        return found

    def expand_content(self, text: str) -> Expansion:
        found = self.expand_quietly(text, CONTENT_RULES)
        self.report(found)
        return found

    def report(self, found: Expansion) -> None:
        if found.unset:
            known = {definition.name for definition in self.state.definitions} | SILENT_ARGS
            self.shop.checks.undefined_variables(found.unset - known, self.state.env, self.lines)

    def carry_out(self) -> None:
        try:
            self.step()
        except DockerfileError as e:
            e.at(self.lines)
            raise

    def step(self) -> None:
        command = self.planned.command
        expand_word = self.expand_quietly if isinstance(command, Expose) else self.expand
        command = expanded(command, expand_word, self.expand_content)
        self.check(command)
        match command:
            case Arg(definitions=definitions):
                self.declare(definitions)
            case Run():
                self.run(command)
            case Copy() | Add():
                self.transfer(command)
            case Workdir():
                self.workdir(command)
            case Maintainer(maintainer=maintainer):
                self.state.image = self.state.started.with_author(maintainer)
                self.history(f"MAINTAINER {maintainer}")
            case _:
                self.configure(command)

    def history(self, text: str, *, has_layer: bool = False) -> None:
        epoch = self.shop.settings.epoch_ns
        self.shop.grow(len(text) + size_of(self.state))
        self.state.image = self.state.started.with_history(text, has_layer=has_layer, epoch_ns=epoch)

    def configure(self, command: Command) -> None:
        """Instructions that change the config and nothing else."""
        image = self.state.started
        config = changed(image.config, command)
        if isinstance(command, Cmd):
            config = msgspec.structs.replace(config, args_escaped=True)
        elif isinstance(command, Entrypoint) and "CMD" not in self.state.set_once:
            config = msgspec.structs.replace(config, cmd=None)
        elif isinstance(command, Env):
            self.state.env.update((pair.name, pair.value) for pair in command.pairs)
        if isinstance(command, Cmd | Entrypoint | HealthCheck):
            self.state.set_once[command.name.upper()] = self.lines
        self.state.image = image.with_config(config)
        text = created_by(config, command)
        if text:
            self.history(text)

    def declare(self, definitions: tuple[Definition, ...]) -> None:
        texts = []
        for definition in definitions:
            name = definition.name
            self.shop.checks.secret("ARG", name, self.lines)
            value = self.shop.settings.build_args.get(name)
            if value is None and definition.default is not None:
                value = self.expand(definition.default).text
            elif value is None:
                value = self.shop.global_args.get(name)
            if value is not None and name not in SILENT_ARGS:
                self.state.env[name] = value
            self.state.definitions.append(Definition(name, value, definition.comment))
            texts.append(name if value is None else f"{name}={value}")
        self.history(f"ARG {' '.join(texts)}")

    def workdir(self, command: Workdir) -> None:
        state = self.state
        image = state.started
        config = changed(image.config, command)
        state.image = image.with_config(config)
        path = config.working_dir
        if path != "/":
            state.counter.advance()
            names = 0 if state.output is not None else SCRATCH
            make = MakeDirectory(
                path=path,
                parents=True,
                owner=parse_owner(config.user, names),
                input=names,
                output=0,
                timestamp_ns=self.shop.settings.epoch_ns,
            )
            inputs = () if state.output is None else (state.output,)
            meta = self.meta(self.label(self.shop.rules))
            op = FileOp(actions=[make])
            state.output = Draft(op=op, inputs=inputs, platform=self.platform, meta=meta, lines=self.lines)
        self.history(f"WORKDIR {path}", has_layer=path != "/")

    def transfer(self, command: Copy | Add) -> None:
        state = self.state
        source = self.planned.sources[0] if self.planned.sources else None
        if source is not None and not source.is_finished:
            name = getattr(command, "source_stage", "")
            raise DockerfileError(
                f"cannot copy from stage {quote(name)}, it needs to be defined before current stage {quote(state.name)}"
            )
        used = self.shop.context_paths if source is None else source.used_paths
        for path in command.sources:
            if not path.startswith(("http://", "https://")):
                used.add(rooted(path))
        state.counter.advance()
        label = self.label(self.shop.rules)
        place = Place(
            root=state.output,
            source=self.shop.context if source is None else source.output,
            directory=state.started.config.working_dir or "/",
            platform=self.platform,
            label=label,
            link_label=self.label(self.shop.rules, prefix="LINK "),
            lines=self.lines,
            description={COMMAND: command.source},
            ignores_cache=state.ignores_cache,
            epoch_ns=self.shop.settings.epoch_ns,
        )
        state.output = transfer(command, place)
        self.history(transfer_text(command) + BUILT_SUFFIX, has_layer=True)

    def run(self, command: Run) -> None:
        state = self.state
        state.used_paths.add("/")
        mounts = parse_mounts(command, lambda text: self.expand(text).text)
        for mount, source in zip(mounts, self.planned.sources or [None] * len(mounts), strict=True):
            self.use_mount(mount, source)
        state.counter.advance()
        scene = Scene(
            root=state.output,
            sources=[None if source is None else source.output for source in self.planned.sources]
            or [None] * len(mounts),
            context=self.shop.context,
            image=state.started,
            env=state.env,
            platform=self.platform,
            settings=self.shop.settings,
            proxy=self.shop.proxy,
        )
        masked = {**state.env, **{mount.env: "****" for mount in mounts if mount.env is not None}}
        note = f" ({summary(command.command.heredocs[0].content)})" if is_lone(command) else ""
        shown = replace(self.shop.rules, keep_quotes=True, keep_unset=True)
        meta = self.meta(self.label(shown, note=note, env=masked))
        state.output = exec_draft(command, mounts, scene, meta)
        state.output.lines = self.lines
        words = process_of(command, state.started).words
        self.history("RUN " + run_text(words, state.definitions, state.env) + BUILT_SUFFIX, has_layer=True)

    def use_mount(self, mount: RunMount, source: StageState | None) -> None:
        if source is None:
            if mount.type == "bind":
                self.shop.context_paths.add(rooted(mount.source))
            return
        if not source.is_finished:
            raise DockerfileError(
                f"cannot mount from stage {quote(mount.source_stage)} to {quote(mount.target)}, "
                "stage needs to be defined before current command"
            )
        source.used_paths.add(rooted(mount.source))

    def meta(self, label: str) -> VertexMeta:
        return VertexMeta(
            name=label,
            description={COMMAND: self.planned.command.source},
            ignore_cache=self.state.ignores_cache and not isinstance(self.planned.command, Workdir),
        )

    def label(self, rules: Rules, *, prefix: str = "", note: str = "", env: Mapping[str, str] | None = None) -> str:
        env = self.state.env if env is None else env
        text = prefix + command_text(self.planned.command.source + note, env, rules)
        return self.state.counter.label(text, self.state.env, is_trigger=self.planned.is_trigger)

    def check(self, command: Command) -> None:
        checks, state, lines = self.shop.checks, self.state, self.lines
        match command:
            case Env(pairs=pairs) | Label(pairs=pairs):
                for pair in pairs:
                    if pair.is_legacy:
                        checks.legacy_format(command.name, lines)
                    if isinstance(command, Env):
                        checks.secret("ENV", pair.name, lines)
            case Cmd() | Entrypoint() | HealthCheck():
                self.check_once(command)
            case Workdir(path=path):
                if not state.has_workdir and not path.startswith("/"):
                    message = f"Relative workdir {quote(path)} can have unexpected results if the base image changes"
                    checks.report(rules.WORKDIR_RELATIVE_PATH, message, lines)
                state.has_workdir = True
            case Expose(ports=ports):
                for port in ports:
                    self.check_port(port)
            case Copy(source_stage="") | Add():
                self.check_ignored(command)

    def check_once(self, command: Cmd | Entrypoint | HealthCheck) -> None:
        name = command.name.upper()
        earlier = self.state.set_once.get(name)
        if earlier is not None:
            message = (
                f"Multiple {command.name} instructions should not be used in the same stage because only the last one "
                "will be used"
            )
            self.shop.checks.report(rules.MULTIPLE_INSTRUCTIONS_DISALLOWED, message, earlier)
        if isinstance(command, HealthCheck) or not command.command.is_shell or self.state.started.config.shell:
            return
        message = f"JSON arguments recommended for {command.name} to prevent unintended behavior related to OS signals"
        self.shop.checks.report(rules.JSON_ARGS_RECOMMENDED, message, self.lines)

    def check_port(self, port: str) -> None:
        protocol, has_address = check_form(port)
        if protocol != protocol.lower():
            message = f"Defined protocol '{port}' in EXPOSE instruction should be lowercase"
            self.shop.checks.report(rules.EXPOSE_PROTO_CASING, message, self.lines)
        if has_address:
            message = f"EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
            self.shop.checks.report(rules.EXPOSE_INVALID_FORMAT, message, self.lines)

    def check_ignored(self, command: Copy | Add) -> None:
        if self.shop.ignored is None:
            return
        verb = "Add" if isinstance(command, Add) else "Copy"
        for source in command.sources:
            if not source.startswith(("http://", "https://")) and self.shop.ignored.match(source):
                message = f"Attempting to {verb} file {quote(source)} that is excluded by .dockerignore"
                self.shop.checks.report(rules.COPY_IGNORED_FILE, message, self.lines)


def size_of(state: StageState) -> int:
    """Entries that are copied with every instruction."""
    config = state.started.config
    parts = (
        config.env,
        config.labels,
        config.exposed_ports,
        config.volumes,
        config.on_build,
        state.env,
        state.definitions,
    )
    return sum(len(part) for part in parts if part is not None)


def transfer_text(command: Copy | Add) -> str:
    """As it stands in the history."""
    parts = ["ADD" if isinstance(command, Add) else "COPY"]
    if isinstance(command, Copy) and command.parents:
        parts.append("--parents")
    if command.chown:
        parts.append(f"--chown={command.chown}")
    if command.chmod:
        parts.append(f"--chmod={command.chmod}")
    inline = [f"<<{heredoc.name}" for heredoc in command.inline]
    return " ".join([*parts, *command.sources, *inline, command.destination])


def run_text(words: list[str], definitions: list[Definition], env: Mapping[str, str]) -> str:
    """`|1 VERSION=3 /bin/sh -c make`: the arguments that are declared, then the command."""
    values = {each.name: env.get(each.name, each.default or "") for each in definitions}
    given = [f"{name}={value}" for name, value in values.items()]
    return " ".join([*([f"|{len(given)}", *given] if given else []), *words])
