"""The classic builder: one step after the other, each with its line.

The same frontend, solver and cache as behind the other doors; only the order is the Dockerfile's, and what is told is dockerd's.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from wharfd.engine.build.builds import Builds
from wharfd.engine.build.classic.context import ArchiveClient, ContextFiles, OfferingClient
from wharfd.engine.build.classic.failures import ClassicFailed, in_classic_words
from wharfd.engine.build.classic.request import ClassicRequest, ImageMade, Told
from wharfd.engine.build.classic.teller import Teller
from wharfd.engine.build.frontend.entry import ALL_STAGES
from wharfd.engine.build.graph import Output, content_digest
from wharfd.engine.build.openbuild import OpenBuild
from wharfd.engine.build.ops import Copy, FileOp, ImageSource, LocalSource
from wharfd.engine.build.requests import BuildOptions, BuildResult, Export, FrontendRequest, Step
from wharfd.engine.build.roots import LocalDirectory
from wharfd.engine.images.platforms import host_platform
from wharfd.engine.images.resolve import Images
from wharfd.engine.images.tag import TagImage
from wharfd.model.errors import EngineError, Internal, InvalidParameter
from wharfd.model.ids import short_id
from wharfd.ports.host import Host
from wharfd.wire.dockerfile import Dockerfile, parse_dockerfile
from wharfd.wire.dockerfile.instructions import Arg
from wharfd.wire.gitref import parse_git_ref
from wharfd.wire.oci import parse_platform
from wharfd.wire.treedigest import TreeIndex

PREDEFINED_ARGS = frozenset(
    name
    for each in ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")
    for name in (each, each.upper())
)
MIN_MEMORY = 6 << 20  # Docker: bytes
SEEN = 4096  # ids of steps that are remembered

Tell = Callable[[Told], None]
Room = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Source:
    """The context, and the Dockerfile in it."""

    directory: LocalDirectory
    path: str
    dockerfile: Dockerfile


class ClassicBuild:
    """`new_id` makes 64 hex digits."""

    def __init__(
        self,
        *,
        builds: Builds,
        contexts: ContextFiles,
        images: Images,
        tag: TagImage,
        host: Host,
        new_id: Callable[[], str],
    ) -> None:
        self.builds = builds
        self.contexts = contexts
        self.images = images
        self.tag = tag
        self.host = host
        self.new_id = new_id
        self.seen: deque[str] = deque(maxlen=SEEN)

    async def __call__(self, asked: ClassicRequest, archive: AsyncIterator[bytes], tell: Tell, room: Room) -> None:
        """`archive` is the request's body.  Raises before anything is told what is to be a status; afterwards ClassicFailed."""
        if asked.platform:
            parse_platform(asked.platform, host_platform(self.host))
        teller = Teller(tell, room, self.new_id)
        if asked.remote:
            check_remote(asked.remote)
            await self.build(asked, None, OfferingClient(asked.logins, asked.secrets), teller)
            return
        tree = await self.contexts.receive(archive)
        try:
            directory = LocalDirectory(tree, TreeIndex(tree.index()))
            path, text = await self.contexts.dockerfile(directory, asked.dockerfile)
            source = Source(directory, path, parse_dockerfile(text))
            await self.build(asked, source, ArchiveClient(directory, asked.logins, asked.secrets), teller)
        finally:
            await self.contexts.drop(tree)

    async def build(self, asked: ClassicRequest, source: Source | None, client: OfferingClient, teller: Teller) -> None:
        options = BuildOptions(
            ref=asked.build_id,
            entitlements=frozenset({"network.host"}),
            limits=asked.limits,
            network="" if asked.network_mode in ("", "default") else asked.network_mode,
            internal=True,
            sequential=True,
            own_hostnames=True,
        )
        async with self.builds.open(options, client, teller) as build:
            await Work(self, asked, source, client, teller, build).run()


class Work:
    """One build."""

    def __init__(
        self,
        shop: ClassicBuild,
        asked: ClassicRequest,
        source: Source | None,
        client: OfferingClient,
        teller: Teller,
        build: OpenBuild,
    ) -> None:
        self.shop = shop
        self.asked = asked
        self.source = source
        self.client = client
        self.teller = teller
        self.build = build
        self.number = 0
        self.total = 0
        self.stages: set[int] = set()

    async def run(self) -> None:
        result = await self.result()
        if self.source is not None and isinstance(self.client, ArchiveClient):
            # Only now: the frontend has read the Dockerfile.
            self.client.directory = await self.shop.contexts.leave_out(self.source.directory, self.source.path)
        label = label_text(self.asked.labels)
        self.total += len(result.steps) + bool(label)
        self.build.expect(result, [self.export()])
        last = ""
        before: Output | None = None
        for step in result.steps:
            last = await self.step(step, before)
            before = step.output
        if label:
            self.begin(label)
            self.told_of(label, content_digest([last, label]), is_known=None)
        await self.finish(result)

    async def result(self) -> BuildResult:
        """What is wrong with the Dockerfile is a status; an image that cannot be had is the failure of its FROM."""
        try:
            return await self.build.run_frontend(FrontendRequest(attributes=self.attributes()))
        except InvalidParameter:
            raise
        except EngineError as error:
            if self.source is None:
                raise Internal(f"error fetching: {error}") from error
            dockerfile = self.source.dockerfile
            self.total = len(dockerfile.global_args) + bool(self.asked.labels)
            self.total += sum(1 + len(stage.commands) for stage in dockerfile.stages)
            starts = [stage.start for stage in dockerfile.stages]
            failed = next((start for start in starts if str(error).startswith(f"{start.base}: ")), starts[0])
            for text in (*(arg.source for arg in dockerfile.global_args), failed.source):
                self.begin(text)
            raise ClassicFailed(str(error).removeprefix(f"{failed.base}: ")) from error

    def attributes(self) -> dict[str, str]:
        asked = self.asked
        attributes = {
            ALL_STAGES: "",
            **({"filename": self.source.path} if self.source is not None else {}),
            **{f"build-arg:{name}": value for name, value in asked.build_args.items() if value is not None},
            **{f"label:{name}": value for name, value in asked.labels.items()},
        }
        if asked.remote:
            attributes["context"] = asked.remote
            if asked.dockerfile:
                attributes["filename"] = asked.dockerfile
        if asked.target:
            attributes["target"] = asked.target
        if asked.platform:
            attributes["platform"] = asked.platform
        if asked.no_cache:
            attributes["no-cache"] = ""
        if asked.pull:
            attributes["image-resolve-mode"] = "pull"
        if asked.shm_size:
            attributes["shm-size"] = str(asked.shm_size)
        if asked.extra_hosts:
            attributes["add-hosts"] = ",".join(
                each.replace(":", "=", 1) if "=" not in each else each for each in asked.extra_hosts
            )
        if asked.ulimits:
            attributes["ulimit"] = ",".join(f"{each.name}={each.soft}:{each.hard}" for each in asked.ulimits)
        return attributes

    # steps

    def begin(self, text: str) -> None:
        self.number += 1
        self.teller.text(f"Step {self.number}/{self.total} : {text}")
        self.teller.text("\n")

    async def step(self, step: Step, before: Output | None) -> str:
        """`before`: the root before it.  Returns the id of what it has come to."""
        self.begin(step.text)
        if not self.stages and not step.text.upper().startswith("FROM"):
            return ""  # an ARG before the first FROM
        if step.is_run:
            self.teller.expect(step.output)
            if 0 < self.asked.limits.memory_bytes < MIN_MEMORY:
                raise ClassicFailed("Minimum memory limit allowed is 6MB")
        try:
            await self.demand_matches(step)
            (root,) = await self.build.solver.roots([step.output])
        except EngineError as error:
            self.teller.end_run(removed=False)
            raise in_classic_words(error, step.text) from error
        if step.stage not in self.stages:
            self.stages.add(step.stage)
            identifier = self.base_id(step, [*root.layers])
            self.teller.text(f" ---> {short_id(identifier)}\n")
            return identifier
        identifier = content_digest([step.config.decode(), root.layers])
        vertex = step.output.vertex.digest if step.output is not None else None
        changes_files = vertex is not None and (before is None or before.vertex.digest != vertex)
        self.told_of(step.text, identifier, is_known=vertex in self.teller.cached if changes_files else None)
        return identifier

    async def demand_matches(self, step: Step) -> None:
        """Docker: patterns that fit nothing at all are an error here; BuildKit takes them for an empty copy."""
        op = step.output.vertex.op if step.output is not None else None
        if step.output is None or not isinstance(op, FileOp):
            return
        copies = [action for action in op.actions if isinstance(action, Copy)]
        inputs = step.output.vertex.inputs
        if not copies or any(not each.wildcard or each.source_input >= len(inputs) for each in copies):
            return
        for copy in copies:
            source = inputs[copy.source_input]
            if not isinstance(source.vertex.op, LocalSource):
                return
            root = await self.build.solver.root(source)
            if root.local is None or root.local.index.expand(copy.source, follow=copy.follow_links):
                return
        raise ClassicFailed(f"{step.text.split(None, 1)[0].upper()} failed: no source files were specified")

    def told_of(self, text: str, identifier: str, *, is_known: bool | None) -> None:
        """The end of a step.  `is_known`: whether its files were in the cache; None: it changes none."""
        if is_known is None:
            is_known = identifier in self.shop.seen and not self.asked.no_cache
            needs_container = True
        else:
            needs_container = text.upper().startswith(("RUN", "WORKDIR"))
        if is_known:
            self.teller.text(" ---> Using cache\n")
        elif needs_container:
            self.teller.begin_run()
        self.teller.end_run(removed=self.asked.remove)
        self.shop.seen.append(identifier)
        self.teller.text(f" ---> {short_id(identifier)}\n")

    def base_id(self, step: Step, layers: Sequence[str]) -> str:
        """Docker: FROM shows the image; of an earlier stage what that has come to."""
        if step.output is None:
            return ""
        op = step.output.vertex.op
        if isinstance(op, ImageSource):
            return self.shop.images.find(op.ref).id
        return content_digest([step.config.decode(), layers])

    # the end

    def export(self) -> Export:
        return Export(type="image", attributes={"name": ",".join(str(name) for name in self.asked.names)})

    async def finish(self, result: BuildResult) -> None:
        base = self.untouched(result)
        if base is not None:
            image_id: str = self.shop.images.find(base).id
            for name in self.asked.names:
                await self.shop.tag(image_id, name.familiar_name, name.tag or "")
        else:
            if self.is_nothing(result):
                raise ClassicFailed("No image was generated. Is your Dockerfile empty?")
            response = await self.build.export(result, [self.export()])
            image_id = response["containerimage.digest"]
        self.teller.tell(ImageMade(image_id))
        unused = unused_args(self.source.dockerfile, self.asked.build_args) if self.source is not None else []
        if unused:
            self.teller.text(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n")
        self.teller.text(f"Successfully built {short_id(image_id)}\n")
        for name in self.asked.names:
            self.teller.text(f"Successfully tagged {name.familiar()}\n")

    def is_nothing(self, result: BuildResult) -> bool:
        """`FROM scratch` and not a word more."""
        return self.is_only_from(result) and result.steps[-1].output is None

    def is_only_from(self, result: BuildResult) -> bool:
        """Besides ARGs before it."""
        return not self.asked.labels and all(step.text.upper().startswith("ARG") for step in result.steps[:-1])

    def untouched(self, result: BuildResult) -> str | None:
        """The base image's name, if nothing but its name was asked for: it is the result."""
        if not self.is_only_from(result):
            return None
        (output,) = result.roots.values()
        op = output.vertex.op if output is not None else None
        return op.ref if isinstance(op, ImageSource) else None


def check_remote(address: str) -> None:
    """Raises InvalidParameter for what is no address (dockerd answers 500)."""
    if not address.startswith(("http://", "https://")) and parse_git_ref(address) is None:
        raise InvalidParameter(f"remoteURL ({address}) could not be recognized as URL")


def label_text(labels: Mapping[str, str]) -> str:
    """Docker: labels of the request are one more instruction."""
    return "LABEL " + " ".join(f"{key}={value}" for key, value in sorted(labels.items())) if labels else ""


def unused_args(dockerfile: Dockerfile, given: Mapping[str, str | None]) -> list[str]:
    commands = [*dockerfile.global_args, *(command for stage in dockerfile.stages for command in stage.commands)]
    declared = {
        definition.name for command in commands if isinstance(command, Arg) for definition in command.definitions
    }
    return sorted(name for name in given if name not in declared and name not in PREDEFINED_ARGS)
