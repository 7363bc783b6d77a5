"""RUN: a process, with its mounts."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from wharfd.engine.build.frontend.draft import Draft
from wharfd.engine.build.frontend.image import Image
from wharfd.engine.build.frontend.settings import Settings
from wharfd.engine.build.frontend.transfers import inline_draft, rooted
from wharfd.engine.build.graph import VertexMeta
from wharfd.engine.build.ops import (
    SCRATCH,
    AnyMount,
    BindMount,
    CacheMount,
    ExecOp,
    NetworkMode,
    ProxyEnv,
    SecretEnv,
    SecretMount,
    SecurityMode,
    Sharing,
    SshMount,
    TmpfsMount,
)
from wharfd.wire.dockerfile.config import DEFAULT_SHELL
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.heredocs import Heredoc, parse_heredoc
from wharfd.wire.dockerfile.instructions import Run
from wharfd.wire.dockerfile.mounts import RunMount, parse_device, parse_mount
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.oci import Platform

INLINE_DIRECTORY = "/dev/pipes"  # where a here-document that is a script is put
SECRET_DIRECTORY = "/run/secrets"  # noqa: S105
SSH_DIRECTORY = "/run/buildkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """`words`: what is run.  `script`: path and content of a here-document that is to be there as a file."""

    words: list[str]
    script: tuple[str, str] | None = None


def process_of(run: Run, image: Image) -> Process:
    """The words to execute.  Raises DockerfileError."""
    command = run.command
    script: tuple[str, str] | None = None
    words = list(command.words)
    if command.heredocs:
        if len(words) != 1 or not command.is_shell:
            raise DockerfileError(f"parsing produced an invalid run command: [{' '.join(words)}]")
        first = command.heredocs[0]
        if not is_lone(run):
            words = ["".join([words[0], *(f"\n{each.content}{each.name}" for each in command.heredocs)])]
        elif first.content.startswith("#!"):
            script = (f"{INLINE_DIRECTORY}/{first.name}", first.text)
            words = [script[0]]
        else:
            words = [first.text]
    if command.is_shell:
        words = [*(image.config.shell or DEFAULT_SHELL), " ".join(words)]
    return Process(words=words, script=script)


def is_lone(run: Run) -> bool:
    """Is the command nothing but a here-document?"""
    return bool(run.command.heredocs) and len(run.command.words) == 1 and lone_heredoc(run.command.words[0]) is not None


def lone_heredoc(text: str) -> Heredoc | None:
    try:
        return parse_heredoc(text)
    except DockerfileError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a RUN finds.  `sources`: a root per mount that has one; `context`: the build's."""

    root: Draft | None
    sources: Sequence[Draft | None]
    context: Draft
    image: Image
    env: Mapping[str, str]
    platform: Platform
    settings: Settings
    proxy: ProxyEnv | None


def exec_draft(run: Run, mounts: Sequence[RunMount], scene: Scene, meta: VertexMeta) -> Draft:
    """The root after it."""
    process = process_of(run, scene.image)
    settings = scene.settings
    config = scene.image.config
    inputs: list[Draft] = []

    def number(draft: Draft | None) -> int:
        if draft is None:
            return SCRATCH
        if draft not in inputs:
            inputs.append(draft)
        return inputs.index(draft)

    directory = config.working_dir or "/"
    found: list[AnyMount] = [BindMount(destination="/", input=number(scene.root), output=0)]
    if process.script is not None:
        path, text = process.script
        name = posixpath.basename(path)
        draft = inline_draft(f"/{name}", text, 0o755, scene.platform, settings.epoch_ns)
        found.append(BindMount(destination=INLINE_DIRECTORY, input=number(draft), read_only=True))
    secret_env: list[SecretEnv] = []
    agents: list[SshMount] = []
    for mount, source in zip(mounts, scene.sources, strict=True):
        match mount.type:
            case "bind":
                origin = source if mount.source_stage else scene.context
                found.append(bind_mount(mount, number(origin), directory))
            case "cache":
                found.append(cache_mount(mount, number(source), directory, settings.cache_namespace))
            case "tmpfs":
                found.append(TmpfsMount(destination=target_of(mount, directory), size_bytes=mount.size_bytes))
            case "secret":
                add_secret(mount, directory, found, secret_env)
            case "ssh":
                agents.append(ssh_mount(mount, directory, len(agents)))
    env = dict(scene.env)
    if agents:
        env.setdefault("SSH_AUTH_SOCK", agents[0].destination)
    op = ExecOp(
        args=process.words,
        mounts=[*found, *agents],
        env=[f"{name}={value}" for name, value in env.items()],
        cwd=directory,
        user=config.user,
        hostname=settings.hostname,
        network=network_of(run, settings),
        security=SecurityMode.INSECURE if run.security == "insecure" else SecurityMode.SANDBOX,
        extra_hosts=list(settings.extra_hosts),
        ulimits=list(settings.ulimits),
        shm_size=settings.shm_size,
        cgroup_parent=settings.cgroup_parent,
        secret_env=secret_env,
        devices=[*settings.devices, *(parse_device(device)[0] for device in run.devices)],
        proxy=scene.proxy,
    )
    return Draft(op=op, inputs=tuple(inputs), platform=scene.platform, meta=meta)


def network_of(run: Run, settings: Settings) -> NetworkMode:
    """`default` is what the build was started with."""
    return NetworkMode(run.network) if run.network in {"none", "host"} else settings.network


def parse_mounts(run: Run, expand: Callable[[str], str]) -> list[RunMount]:
    return [parse_mount(text, expand) for text in run.mounts]


def target_of(mount: RunMount, directory: str) -> str:
    target = rooted(posixpath.join("/", directory, mount.target))
    if target == "/":
        raise DockerfileError(f"invalid mount target {quote(target)}")
    return target


def bind_mount(mount: RunMount, number: int, directory: str) -> BindMount:
    source = rooted(mount.source)
    return BindMount(
        destination=target_of(mount, directory),
        input=number,
        selector=source if source != "/" else "",
        read_only=mount.read_only,
    )


def cache_mount(mount: RunMount, number: int, directory: str, namespace: str) -> CacheMount:
    """Without an id of its own a cache is known by its target."""
    target = target_of(mount, directory)
    source = rooted(mount.source)
    name = mount.id or posixpath.normpath(mount.target)
    cache = CacheMount(
        destination=target,
        id=f"{namespace}/{name}",
        sharing=Sharing(mount.sharing or "shared"),
        input=number,
        selector=source if source != "/" else "",
        read_only=mount.read_only,
    )
    if mount.uid is None and mount.gid is None and mount.mode is None:
        return cache
    mode = 0o755 if mount.mode is None else mount.mode
    return msgspec.structs.replace(cache, uid=mount.uid or 0, gid=mount.gid or 0, mode=mode)


def add_secret(mount: RunMount, directory: str, mounts: list[AnyMount], env: list[SecretEnv]) -> None:
    """As a variable, as a file, or as both."""
    name = mount.source or mount.id or (posixpath.basename(mount.target) if mount.target else mount.env or "")
    if not name:
        raise DockerfileError("one of source, target required")
    if mount.env is not None:
        env.append(SecretEnv(id=name, name=mount.env, optional=not mount.required))
        if not mount.target:
            return
    target = mount.target or f"{SECRET_DIRECTORY}/{posixpath.basename(name)}"
    mounts.append(
        SecretMount(
            destination=rooted(posixpath.join("/", directory, target)),
            id=name,
            uid=mount.uid or 0,
            gid=mount.gid or 0,
            mode=0o400 if mount.mode is None else mount.mode,
            optional=not mount.required,
        )
    )


def ssh_mount(mount: RunMount, directory: str, number: int) -> SshMount:
    if mount.source:
        raise DockerfileError("ssh does not support source")
    target = mount.target or f"{SSH_DIRECTORY}/ssh_agent.{number}"
    return SshMount(
        destination=rooted(posixpath.join("/", directory, target)),
        id=mount.id or "default",
        uid=mount.uid or 0,
        gid=mount.gid or 0,
        mode=0o600 if mount.mode is None else mount.mode,
        optional=not mount.required,
    )
