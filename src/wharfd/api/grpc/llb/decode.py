"""LLB into the builder's graph.  Every vertex is known by the digest of its bytes, so what is not what it is said to be is not found."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import DecodeError

from wharfd.api.grpc.llb.sources import decode_source
from wharfd.engine.build import ops
from wharfd.engine.build.graph import Output, ProgressGroup, Vertex, VertexMeta
from wharfd.engine.build.progress import SourceFile, SourceRange
from wharfd.engine.build.requests import Place
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.model.ids import Digest
from wharfd.wire.oci import Platform
from wharfd.wire.proto import llb_pb2 as pb

NAME_KEY = "llb.customname"
MAX_VERTICES = 100_000
NETWORKS = {
    pb.NET_SANDBOX: ops.NetworkMode.SANDBOX,
    pb.NET_HOST: ops.NetworkMode.HOST,
    pb.NET_NONE: ops.NetworkMode.NONE,
}
SECURITY = {
    pb.SECURITY_SANDBOX: ops.SecurityMode.SANDBOX,
    pb.SECURITY_INSECURE: ops.SecurityMode.INSECURE,
}
SHARING = {
    pb.SHARING_SHARED: ops.Sharing.SHARED,
    pb.SHARING_PRIVATE: ops.Sharing.PRIVATE,
    pb.SHARING_LOCKED: ops.Sharing.LOCKED,
}

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Decoded:
    """`places`: by vertex, the lines it was made from."""

    output: Output | None
    places: dict[Digest, list[Place]] = field(default_factory=dict)


def decode_definition(definition: pb.Definition | None) -> Decoded:
    """Raises InvalidParameter for what is no graph, NotImplementedHere for an operation that this engine does not know."""
    if definition is None or not definition.blocks:
        return Decoded(None)
    blocks: Sequence[bytes] = definition.blocks
    if len(blocks) > MAX_VERTICES:
        raise InvalidParameter(f"invalid definition: more than {MAX_VERTICES} vertices")
    parsed: dict[str, pb.Op] = {}
    last = ""
    for block in blocks:
        last = digest_of(block)
        try:
            parsed[last] = pb.Op.FromString(block)
        except DecodeError as e:
            raise InvalidParameter(f"invalid definition: {e}") from e
    head = parsed.pop(last)
    if head.WhichOneof("op") is not None or len(head.inputs) != 1:
        raise InvalidParameter("invalid definition: it does not end with what it gives")
    vertices: dict[str, Vertex] = {}
    for digest in in_order(parsed, head.inputs[0].digest):
        vertices[digest] = decode_vertex(parsed[digest], definition.metadata.get(digest), vertices)
    output = Output(vertices[head.inputs[0].digest], int(head.inputs[0].index))
    return Decoded(output, decode_places(definition, vertices))


def digest_of(block: bytes) -> str:
    return "sha256:" + hashlib.sha256(block).hexdigest()


def in_order(parsed: dict[str, pb.Op], wanted: str) -> Iterator[str]:
    """What `wanted` needs and itself, inputs first.  There are no cycles: a digest cannot be part of what it is the digest of."""
    seen: set[str] = set()
    stack: list[tuple[str, Iterator[pb.Input]]] = []

    def visit(digest: str) -> None:
        if digest not in parsed:
            raise InvalidParameter(f"invalid definition: missing input digest {digest}")
        seen.add(digest)
        stack.append((digest, iter(parsed[digest].inputs)))

    visit(wanted)
    while stack:
        digest, rest = stack[-1]
        below = next(rest, None)
        if below is None:
            stack.pop()
            yield digest
        elif below.digest not in seen:
            visit(below.digest)


def decode_vertex(op: pb.Op, metadata: pb.OpMetadata | None, vertices: dict[str, Vertex]) -> Vertex:
    inputs = tuple(Output(vertices[each.digest], int(each.index)) for each in op.inputs)
    return Vertex(
        op=decode_op(op),
        inputs=merged(op, inputs) if op.WhichOneof("op") == "merge" else inputs,
        platform=decode_platform(op.platform) if op.HasField("platform") else None,
        meta=decode_meta(metadata),
    )


def decode_meta(metadata: pb.OpMetadata | None) -> VertexMeta:
    if metadata is None:
        return VertexMeta()
    description = dict(metadata.description)
    group = metadata.progress_group if metadata.HasField("progress_group") else None
    return VertexMeta(
        name=description.pop(NAME_KEY, ""),
        description=description,
        ignore_cache=metadata.ignore_cache,
        export_cache=metadata.export_cache.value if metadata.HasField("export_cache") else None,
        progress_group=ProgressGroup(group.id, group.name, group.weak) if group is not None else None,
    )


def decode_platform(platform: pb.Platform) -> Platform:
    return Platform(
        architecture=platform.architecture,
        os=platform.os,
        os_version=platform.os_version,
        os_features=list(platform.os_features),
        variant=platform.variant,
    )


def decode_op(op: pb.Op) -> ops.AnyOp:
    match op.WhichOneof("op"):
        case "source":
            return decode_source(op.source.identifier, op.source.attrs)
        case "exec":
            return decode_exec(op.exec)
        case "file":
            return ops.FileOp(actions=[decode_action(action) for action in op.file.actions])
        case "merge":
            return ops.MergeOp()
        case "diff":
            return ops.DiffOp(lower=int(op.diff.lower.input), upper=int(op.diff.upper.input))
        case "build":
            raise NotImplementedHere("nested builds (BuildOp) are not done by this engine")
        case _:
            raise InvalidParameter("invalid definition: a vertex without an operation")


def merged(op: pb.Op, inputs: tuple[Output, ...]) -> tuple[Output, ...]:
    """A merge names its inputs by number; what is empty adds nothing."""
    numbers = [int(each.input) for each in op.merge.inputs if each.input != ops.SCRATCH]
    if any(not 0 <= number < len(inputs) for number in numbers):
        raise InvalidParameter("invalid definition: a merge of what is not there")
    return tuple(inputs[number] for number in numbers)


# --- exec ---------------------------------------------------------------------------------------------------------------------------


def decode_exec(op: pb.ExecOp) -> ops.ExecOp:
    meta = op.meta
    proxy = meta.proxy_env
    return ops.ExecOp(
        args=list(meta.args),
        mounts=[decode_mount(mount) for mount in op.mounts],
        env=list(meta.env),
        cwd=meta.cwd or "/",
        user=meta.user,
        hostname=meta.hostname,
        network=known(NETWORKS, op.network, "network mode"),
        security=known(SECURITY, op.security, "security mode"),
        extra_hosts=[ops.ExtraHost(host=each.host, ip=each.ip) for each in meta.extra_hosts],
        ulimits=[ops.Rlimit(name=each.name, soft=int(each.soft), hard=int(each.hard)) for each in meta.ulimits],
        shm_size=int(op.shm_size),
        cgroup_parent=meta.cgroup_parent,
        secret_env=[ops.SecretEnv(id=each.id, name=each.name, optional=each.optional) for each in op.secret_env],
        devices=[device.name for device in op.cdi_devices],
        valid_exit_codes=list(meta.valid_exit_codes),
        remove_mount_stubs=meta.remove_mount_stubs_recursive,
        proxy=ops.ProxyEnv(
            http_proxy=proxy.http_proxy,
            https_proxy=proxy.https_proxy,
            ftp_proxy=proxy.ftp_proxy,
            no_proxy=proxy.no_proxy,
            all_proxy=proxy.all_proxy,
        )
        if meta.HasField("proxy_env")
        else None,
    )


def known(table: Mapping[Key, Value], number: Key, what: str) -> Value:
    if number not in table:
        raise InvalidParameter(f"invalid definition: unknown {what} {number}")
    return table[number]


def decode_mount(mount: pb.Mount) -> ops.AnyMount:
    destination = mount.dest
    match mount.type:
        case pb.MOUNT_BIND:
            return ops.BindMount(
                destination=destination,
                input=int(mount.input),
                selector=mount.selector,
                output=int(mount.output),
                read_only=mount.readonly,
            )
        case pb.MOUNT_CACHE:
            return ops.CacheMount(
                destination=destination,
                id=mount.cache.id,
                sharing=known(SHARING, mount.cache.sharing, "sharing mode"),
                input=int(mount.input),
                selector=mount.selector,
                read_only=mount.readonly,
                uid=mount.cache.uid,
                gid=mount.cache.gid,
                mode=mount.cache.mode if mount.cache.HasField("mode") else 0o755,
            )
        case pb.MOUNT_TMPFS:
            return ops.TmpfsMount(destination=destination, size_bytes=int(mount.tmpfs.size))
        case pb.MOUNT_SECRET:
            secret = mount.secret
            return ops.SecretMount(
                destination=destination,
                id=secret.id,
                uid=secret.uid,
                gid=secret.gid,
                mode=secret.mode,
                optional=secret.optional,
            )
        case pb.MOUNT_SSH:
            ssh = mount.ssh
            return ops.SshMount(
                destination=destination, id=ssh.id, uid=ssh.uid, gid=ssh.gid, mode=ssh.mode, optional=ssh.optional
            )
        case other:
            raise InvalidParameter(f"invalid definition: unknown mount type {other}")


# --- files --------------------------------------------------------------------------------------------------------------------------


def decode_action(action: pb.FileAction) -> ops.AnyAction:
    place, output = int(action.input), int(action.output)
    match action.WhichOneof("action"):
        case "copy":
            copy = action.copy
            return ops.Copy(
                input=place,
                output=output,
                source_input=int(action.secondary_input),
                source=copy.src,
                destination=copy.dest,
                owner=decode_owner(copy.owner) if copy.HasField("owner") else None,
                mode=None if copy.mode < 0 else copy.mode,
                mode_text=copy.mode_text,
                follow_links=copy.follow_symlink,
                contents_only=copy.dir_copy_contents,
                unpack=copy.attempt_unpack,
                create_destination=copy.create_dest_path,
                wildcard=copy.allow_wildcard,
                allow_empty_wildcard=copy.allow_empty_wildcard,
                include=list(copy.include_patterns),
                exclude=list(copy.exclude_patterns),
                required=list(copy.required_paths),
                replace=copy.always_replace,
                timestamp_ns=decode_time(copy.timestamp),
            )
        case "make_file":
            file = action.make_file
            return ops.MakeFile(
                input=place,
                output=output,
                path=file.path,
                data=file.data,
                mode=file.mode,
                owner=decode_owner(file.owner) if file.HasField("owner") else None,
                timestamp_ns=decode_time(file.timestamp),
            )
        case "make_dir":
            directory = action.make_dir
            return ops.MakeDirectory(
                input=place,
                output=output,
                path=directory.path,
                mode=directory.mode,
                parents=directory.make_parents,
                owner=decode_owner(directory.owner) if directory.HasField("owner") else None,
                timestamp_ns=decode_time(directory.timestamp),
            )
        case "remove":
            remove = action.remove
            return ops.Remove(
                input=place,
                output=output,
                path=remove.path,
                allow_not_found=remove.allow_not_found,
                wildcard=remove.allow_wildcard,
            )
        case "symlink":
            link = action.symlink
            return ops.Symlink(
                input=place,
                output=output,
                target=link.old_path,
                path=link.new_path,
                owner=decode_owner(link.owner) if link.HasField("owner") else None,
                timestamp_ns=decode_time(link.timestamp),
            )
        case _:
            raise InvalidParameter("invalid definition: a file operation without an action")


def decode_time(value: int) -> int | None:
    return None if value == -1 else int(value)


def decode_owner(owner: pb.ChownOpt) -> ops.Owner:
    return ops.Owner(
        user=decode_user(owner.user) if owner.HasField("user") else None,
        group=decode_user(owner.group) if owner.HasField("group") else None,
    )


def decode_user(user: pb.UserOpt) -> int | ops.Named | None:
    match user.WhichOneof("user"):
        case "by_id":
            return user.by_id
        case "by_name":
            return ops.Named(name=user.by_name.name, input=int(user.by_name.input))
        case _:
            return None


# --- where it was written -----------------------------------------------------------------------------------------------------------


def decode_places(definition: pb.Definition, vertices: dict[str, Vertex]) -> dict[Digest, list[Place]]:
    files = [decode_file(info) for info in definition.source.infos]
    places: dict[Digest, list[Place]] = {}
    for digest, locations in definition.source.locations.items():
        if digest not in vertices:
            continue
        found = [
            (files[location.source_index], decode_ranges(location.ranges))
            for location in locations.locations
            if 0 <= location.source_index < len(files)
        ]
        if found:
            places[vertices[digest].digest] = found
    return places


def decode_file(info: pb.SourceInfo) -> SourceFile:
    definition = info.definition.SerializeToString(deterministic=True) if info.HasField("definition") else b""
    return SourceFile(filename=info.filename, data=info.data, language=info.language, definition=definition)


def decode_ranges(ranges: Sequence[pb.Range]) -> tuple[SourceRange, ...]:
    return tuple(
        SourceRange(
            start_line=each.start.line,
            start_character=each.start.character,
            end_line=each.end.line,
            end_character=each.end.character,
        )
        for each in ranges
    )
