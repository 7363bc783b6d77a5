"""RUN: a process in a root, with what the step mounts into it."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from wharfd.engine.build.client import SshAgent
from wharfd.engine.build.execution.cachemounts import CacheMounts
from wharfd.engine.build.execution.process import Processes
from wharfd.engine.build.execution.relay import relay
from wharfd.engine.build.failures import ProcessFailed, StepFailed
from wharfd.engine.build.filesteps import FileSteps
from wharfd.engine.build.graph import Vertex
from wharfd.engine.build.ops import (
    AnyMount,
    BindMount,
    CacheMount,
    Copy,
    ExecOp,
    NetworkMode,
    SecretMount,
    SecurityMode,
    SshMount,
    TmpfsMount,
)
from wharfd.engine.build.reports import Report
from wharfd.engine.build.roots import EMPTY, Root
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Made
from wharfd.engine.containers.endpoints import join_networks
from wharfd.engine.ledger import Ledger
from wharfd.model.config import ContainerConfig, HostConfig, Ulimit
from wharfd.model.container import ContainerRecord, MountPoint, Rootfs
from wharfd.model.errors import Forbidden, InvalidParameter, NotFound, StartFailed
from wharfd.model.ids import ChainId, ContainerId, ImageId
from wharfd.model.tree import RootView
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.clock import Clock
from wharfd.ports.runfiles import Connection, RunFiles
from wharfd.ports.snapshots import SnapshotStore
from wharfd.ports.storage import RootfsStore

HOSTNAME = "buildkitsandbox"
PRIVATE = "rprivate"
SSH_SOCKET = "SSH_AUTH_SOCK="
NETWORKS = {NetworkMode.HOST: "host", NetworkMode.NONE: "none"}


@dataclass(slots=True)
class Writable:
    """A root that the step may change.  `output` -1: what it changes is thrown away."""

    container_id: ContainerId
    rootfs: Rootfs
    layers: tuple[ChainId, ...]
    output: int


@dataclass(slots=True)
class Setup:
    """What has been prepared for one process."""

    points: list[MountPoint] = field(default_factory=list)
    tmpfs: dict[str, str] = field(default_factory=dict)
    env: list[str] = field(default_factory=list)
    stubs: list[str] = field(default_factory=list)
    writable: list[Writable] = field(default_factory=list)
    made: list[ChainId] = field(default_factory=list)
    size_bytes: int = 0


class ExecSteps:
    """`new_id` makes 64 hex digits.  `shm_size`: of steps that do not say."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        rootfs: RootfsStore,
        snapshots: SnapshotStore,
        files: BuildFiles,
        file_steps: FileSteps,
        run_files: RunFiles,
        cache_mounts: CacheMounts,
        processes: Processes,
        new_id: Callable[[], str],
        shm_size: int,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.rootfs = rootfs
        self.snapshots = snapshots
        self.files = files
        self.file_steps = file_steps
        self.run_files = run_files
        self.cache_mounts = cache_mounts
        self.processes = processes
        self.new_id = new_id
        self.shm_size = shm_size

    async def __call__(self, vertex: Vertex, inputs: Sequence[Root], scene: Scene, report: Report) -> Made:
        """Raises ProcessFailed, StepFailed (it could not be started), Forbidden, NotFound, InvalidParameter."""
        op = vertex.op
        assert isinstance(op, ExecOp)
        check_entitlements(op, scene)
        run_id = ContainerId(self.new_id())
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.run_files.drop, run_id)
            setup = Setup()
            root = await self.root(op, inputs, run_id, setup, undo)
            for mount in sorted(op.mounts, key=lambda each: each.destination.count("/")):
                if mount.destination != "/":
                    await self.place(mount, inputs, run_id, scene, setup, undo)
            for secret in op.secret_env:
                data = await self.secret(secret.id, scene, is_optional=secret.optional)
                if data is not None:
                    setup.env.append(f"{secret.name}={data.decode(errors='surrogateescape')}")
            merged = await self.rootfs.mount(run_id, root.rootfs)
            record = self.record(vertex, op, run_id, root.rootfs, scene, setup)
            try:
                outcome = await self.processes.run(record, merged, report)
            except StartFailed as error:
                raise StepFailed(
                    vertex, f'process "{" ".join(op.args)}" did not complete successfully: {error}'
                ) from error
            if outcome.code not in (op.valid_exit_codes or [0]):
                raise ProcessFailed(vertex, op.args, outcome.code, oom_killed=outcome.oom_killed)
            return await self.outputs(setup, op)

    # roots

    async def root(
        self, op: ExecOp, inputs: Sequence[Root], run_id: ContainerId, setup: Setup, undo: AsyncExitStack
    ) -> Writable:
        mount = next(each for each in op.mounts if each.destination == "/")
        if not isinstance(mount, BindMount):
            raise InvalidParameter("the root of a process has to be a bind mount")
        if mount.selector.strip("/"):
            raise InvalidParameter("the root of a process cannot be a part of a root")
        return await self.writable(input_root(inputs, mount.input), mount.output, run_id, setup, undo)

    async def writable(
        self,
        root: Root,
        output: int,
        container_id: ContainerId,
        setup: Setup,
        undo: AsyncExitStack,
        *,
        is_root: bool = True,
    ) -> Writable:
        layered = await self.file_steps.as_layers(root)
        setup.made += layered.layers
        setup.size_bytes += layered.size_bytes
        layers = layered.outputs[0].layers
        undo.push_async_callback(self.rootfs.remove, container_id)
        rootfs = await self.rootfs.prepare(container_id, layers, is_root=is_root)
        made = Writable(container_id, rootfs, layers, output)
        setup.writable.append(made)
        return made

    async def outputs(self, setup: Setup, op: ExecOp) -> Made:
        roots: dict[int, Root] = {}
        for each in setup.writable:
            await self.rootfs.unmount(each.container_id, each.rootfs)
            if each.output < 0:
                continue
            stubs = setup.stubs if each is setup.writable[0] else []
            view = RootView(lower=each.rootfs.lower, upper=each.rootfs.upper)
            size = await self.files.finish_run(view, stubs)
            info = await self.snapshots.freeze(each.container_id, each.layers[-1] if each.layers else None, size)
            setup.made.append(info.chain_id)
            setup.size_bytes += size
            roots[each.output] = Root((*each.layers, info.chain_id))
        for mount in op.mounts:
            # What could not be changed comes out as it went in.
            if isinstance(mount, BindMount) and mount.output >= 0 and mount.output not in roots:
                raise InvalidParameter(f"mount {mount.destination} has an output and cannot be written to")
        return Made([roots[number] for number in sorted(roots)], setup.made, setup.size_bytes)

    # mounts

    async def place(
        self,
        mount: AnyMount,
        inputs: Sequence[Root],
        run_id: ContainerId,
        scene: Scene,
        setup: Setup,
        undo: AsyncExitStack,
    ) -> None:
        setup.stubs.append(mount.destination)
        match mount:
            case BindMount():
                source = await self.bind_source(mount, inputs, setup, undo)
                setup.points.append(point(source, mount.destination, read_only=mount.read_only))
            case CacheMount():
                root = input_root(inputs, mount.input)
                path = await undo.enter_async_context(
                    self.cache_mounts.taken(mount, lambda path: self.fill(path, root, mount.selector))
                )
                setup.points.append(point(path, mount.destination, read_only=mount.read_only))
            case TmpfsMount():
                setup.tmpfs[mount.destination] = f"size={mount.size_bytes}" if mount.size_bytes else ""
            case SecretMount():
                data = await self.secret(mount.id, scene, is_optional=mount.optional)
                if data is None:
                    setup.stubs.pop()
                    return
                path = self.run_files.secret(run_id, mount.id, data, uid=mount.uid, gid=mount.gid, mode=mount.mode)
                setup.points.append(point(path, mount.destination, read_only=True))
            case SshMount():
                await self.place_agent(mount, run_id, scene, setup, undo)

    async def bind_source(self, mount: BindMount, inputs: Sequence[Root], setup: Setup, undo: AsyncExitStack) -> str:
        """The directory or file on the host."""
        root = input_root(inputs, mount.input)
        top = await self.bind_root(root, mount, setup, undo)
        view = RootView(lower=[root.local.tree.path]) if root.local is not None else self.snapshots.view(root.layers)
        if not mount.selector.strip("/"):
            return top
        try:
            found = await self.files.resolve(view, mount.selector)
        except NotFound as error:
            raise error.prefixed("failed to compute cache key: failed to calculate checksum of ref: ") from error
        return top + found.path

    async def bind_root(self, root: Root, mount: BindMount, setup: Setup, undo: AsyncExitStack) -> str:
        if mount.read_only and root.local is not None:
            return root.local.tree.path
        if mount.read_only and len(root.layers) == 1:
            return self.snapshots.view(root.layers).lower[0]
        container_id = ContainerId(self.new_id())
        output = -1 if mount.read_only else mount.output
        made = await self.writable(root, output, container_id, setup, undo, is_root=False)
        return await self.rootfs.mount(container_id, made.rootfs)

    async def fill(self, path: str, root: Root, selector: str) -> None:
        """What a new cache mount begins with."""
        if root == EMPTY:
            return
        copy = Copy(source_input=0, source=selector or "/", destination="/", contents_only=True)
        await self.files.apply(RootView(upper=path), [self.file_steps.view(root)], [copy])

    async def secret(self, secret_id: str, scene: Scene, *, is_optional: bool) -> bytes | None:
        try:
            return await scene.client.secret(secret_id)
        except NotFound:
            if is_optional:
                return None
            raise

    async def place_agent(
        self, mount: SshMount, run_id: ContainerId, scene: Scene, setup: Setup, undo: AsyncExitStack
    ) -> None:
        try:
            agent = await undo.enter_async_context(scene.client.ssh_agent(mount.id))
        except NotFound:
            if not mount.optional:
                raise
            setup.stubs.pop()
            return
        path = await self.run_files.listen(
            run_id,
            mount.id,
            lambda connection: forward(connection, agent),
            uid=mount.uid,
            gid=mount.gid,
            mode=mount.mode,
        )
        setup.points.append(point(path, mount.destination))
        if not any(each.startswith(SSH_SOCKET) for each in setup.env):
            setup.env.append(SSH_SOCKET + mount.destination)

    # the process

    def record(
        self, vertex: Vertex, op: ExecOp, run_id: ContainerId, rootfs: Rootfs, scene: Scene, setup: Setup
    ) -> ContainerRecord:
        network = NETWORKS.get(op.network) or scene.options.network or "bridge"
        limits = scene.options.limits
        config = ContainerConfig(
            hostname=op.hostname or (run_id[:12] if scene.options.own_hostnames else HOSTNAME),
            user=op.user,
            env=[*op.env, *proxy_env(op), *setup.env],
            cmd=list(op.args),
            working_dir=op.cwd or "/",
        )
        host = HostConfig(
            network_mode=network,
            extra_hosts=[f"{each.host}:{each.ip}" for each in op.extra_hosts] or None,
            ulimits=[Ulimit(name=each.name, soft=each.soft, hard=each.hard) for each in op.ulimits] or None,
            shm_size=op.shm_size or self.shm_size,
            privileged=op.security is SecurityMode.INSECURE,
            readonly_rootfs=any(
                isinstance(each, BindMount) and each.destination == "/" and each.read_only for each in op.mounts
            ),
            tmpfs=setup.tmpfs or None,
            cgroup_parent=op.cgroup_parent or limits.cgroup_parent,
            memory=limits.memory_bytes,
            memory_swap=limits.memory_swap_bytes,
            cpu_shares=limits.cpu_shares,
            cpu_period=limits.cpu_period,
            cpu_quota=limits.cpu_quota,
            cpuset_cpus=limits.cpuset_cpus,
            cpuset_mems=limits.cpuset_mems,
        )
        return ContainerRecord(
            id=run_id,
            name=f"build-{run_id[:12]}",
            created_ns=self.clock.now_ns(),
            image_ref="",
            image_id=ImageId(""),
            config=config,
            host_config=host,
            networks=join_networks(config, host, {}, self.ledger.networks.find),
            driver="",
            rootfs=rootfs,
            mounts=setup.points,
            sandbox_id=self.new_id(),
        )


def check_entitlements(op: ExecOp, scene: Scene) -> None:
    for wanted, is_wanted in (
        ("network.host", op.network is NetworkMode.HOST),
        ("security.insecure", op.security is SecurityMode.INSECURE),
    ):
        if is_wanted and wanted not in scene.options.entitlements:
            raise Forbidden(f"{wanted} is not allowed")


def input_root(inputs: Sequence[Root], number: int) -> Root:
    return inputs[number] if number >= 0 else EMPTY


def point(source: str, destination: str, *, read_only: bool = False) -> MountPoint:
    return MountPoint(type="bind", source=source, destination=destination, rw=not read_only, propagation=PRIVATE)


def proxy_env(op: ExecOp) -> list[str]:
    """In both spellings, unless the step says otherwise."""
    if op.proxy is None:
        return []
    set_already = {each.partition("=")[0] for each in op.env}
    values = {
        "http_proxy": op.proxy.http_proxy,
        "https_proxy": op.proxy.https_proxy,
        "ftp_proxy": op.proxy.ftp_proxy,
        "no_proxy": op.proxy.no_proxy,
        "all_proxy": op.proxy.all_proxy,
    }
    return [
        f"{spelled}={value}"
        for name, value in values.items()
        for spelled in (name.upper(), name)
        if value and spelled not in set_already
    ]


async def forward(connection: Connection, agent: SshAgent) -> None:
    """Bytes in both directions until one side ends."""
    far = await agent.connect()
    try:
        await relay(connection, far)
    finally:
        await far.close()
