"""The builder's graph as LLB: each vertex once, after what it needs; the last block names the output."""

from collections.abc import Mapping

from wharfd.api.grpc.llb.decode import NAME_KEY, NETWORKS, SECURITY, SHARING, Key, Value, digest_of
from wharfd.api.grpc.llb.sources import encode_source
from wharfd.engine.build import ops
from wharfd.engine.build.graph import Output, Vertex, VertexMeta, walk
from wharfd.model.ids import Digest
from wharfd.wire.oci import Platform
from wharfd.wire.proto import llb_pb2 as pb


def encode_definition(output: Output | None) -> pb.Definition:
    definition = pb.Definition()
    if output is None:
        return definition
    blocks = definition.blocks
    digests: dict[Digest, str] = {}
    for vertex in walk([output]):
        block = encode_vertex(vertex, digests).SerializeToString(deterministic=True)
        digest = digests[vertex.digest] = digest_of(block)
        blocks.append(block)
        encode_meta(vertex.meta, definition.metadata[digest])
    head = pb.Op(inputs=[pb.Input(digest=digests[output.vertex.digest], index=output.index)])
    blocks.append(head.SerializeToString(deterministic=True))
    return definition


def encode_vertex(vertex: Vertex, digests: dict[Digest, str]) -> pb.Op:
    op = pb.Op(inputs=[pb.Input(digest=digests[each.vertex.digest], index=each.index) for each in vertex.inputs])
    if vertex.platform is not None:
        op.platform.CopyFrom(encode_platform(vertex.platform))
    match vertex.op:
        case ops.ExecOp() as value:
            encode_exec(value, op.exec)
        case ops.FileOp() as value:
            op.file.SetInParent()
            for action in value.actions:
                encode_action(action, op.file.actions.add())
        case ops.MergeOp():
            op.merge.SetInParent()
            for number in range(len(vertex.inputs)):
                op.merge.inputs.add(input=number)
        case ops.DiffOp() as value:
            op.diff.lower.input = value.lower
            op.diff.upper.input = value.upper
        case _ as value:
            identifier, attributes = encode_source(value)
            op.source.identifier = identifier
            op.source.attrs.update(attributes)
    return op


def encode_platform(platform: Platform) -> pb.Platform:
    return pb.Platform(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        os_version=platform.os_version,
        os_features=platform.os_features,
    )


def encode_meta(meta: VertexMeta, out: pb.OpMetadata) -> None:
    out.ignore_cache = meta.ignore_cache
    out.description.update(meta.description)
    if meta.name:
        out.description[NAME_KEY] = meta.name
    if meta.export_cache is not None:
        out.export_cache.value = meta.export_cache
    if meta.progress_group is not None:
        group = meta.progress_group
        out.progress_group.CopyFrom(pb.ProgressGroup(id=group.id, name=group.name, weak=group.weak))


def encode_exec(op: ops.ExecOp, out: pb.ExecOp) -> None:
    meta = out.meta
    meta.args.extend(op.args)
    meta.env.extend(op.env)
    meta.cwd = op.cwd
    meta.user = op.user
    meta.hostname = op.hostname
    meta.cgroup_parent = op.cgroup_parent
    meta.remove_mount_stubs_recursive = op.remove_mount_stubs
    meta.valid_exit_codes.extend(op.valid_exit_codes)
    for host in op.extra_hosts:
        meta.extra_hosts.add(host=host.host, ip=host.ip)
    for limit in op.ulimits:
        meta.ulimits.add(name=limit.name, soft=limit.soft, hard=limit.hard)
    if op.proxy is not None:
        meta.proxy_env.CopyFrom(
            pb.ProxyEnv(
                http_proxy=op.proxy.http_proxy,
                https_proxy=op.proxy.https_proxy,
                ftp_proxy=op.proxy.ftp_proxy,
                no_proxy=op.proxy.no_proxy,
                all_proxy=op.proxy.all_proxy,
            )
        )
    out.network = number_of(NETWORKS, op.network)
    out.security = number_of(SECURITY, op.security)
    out.shm_size = op.shm_size
    for secret in op.secret_env:
        out.secret_env.add(id=secret.id, name=secret.name, optional=secret.optional)
    for device in op.devices:
        out.cdi_devices.add(name=device)
    for mount in op.mounts:
        encode_mount(mount, out.mounts.add(dest=mount.destination, input=ops.SCRATCH, output=ops.NO_OUTPUT))


def number_of(table: Mapping[Key, Value], value: Value) -> Key:
    return next(number for number, each in table.items() if each == value)


def encode_mount(mount: ops.AnyMount, out: pb.Mount) -> None:
    match mount:
        case ops.BindMount():
            out.type = pb.MOUNT_BIND
            out.input, out.output = mount.input, mount.output
            out.selector, out.readonly = mount.selector, mount.read_only
        case ops.CacheMount():
            out.type = pb.MOUNT_CACHE
            out.input, out.selector, out.readonly = mount.input, mount.selector, mount.read_only
            out.cache.id, out.cache.uid, out.cache.gid = mount.id, mount.uid, mount.gid
            if mount.mode != 0o755:
                out.cache.mode = mount.mode
            out.cache.sharing = number_of(SHARING, mount.sharing)
        case ops.TmpfsMount():
            out.type = pb.MOUNT_TMPFS
            out.tmpfs.size = mount.size_bytes
        case ops.SecretMount():
            out.type = pb.MOUNT_SECRET
            out.secret.CopyFrom(
                pb.SecretOpt(id=mount.id, uid=mount.uid, gid=mount.gid, mode=mount.mode, optional=mount.optional)
            )
        case ops.SshMount():
            out.type = pb.MOUNT_SSH
            out.ssh.CopyFrom(
                pb.SshOpt(id=mount.id, uid=mount.uid, gid=mount.gid, mode=mount.mode, optional=mount.optional)
            )


def encode_action(action: ops.AnyAction, out: pb.FileAction) -> None:
    out.input, out.secondary_input, out.output = action.input, -1, action.output
    match action:
        case ops.Copy():
            out.secondary_input = action.source_input
            copy = out.copy
            copy.src, copy.dest = action.source, action.destination
            copy.mode = -1 if action.mode is None else action.mode
            copy.mode_text = action.mode_text
            copy.follow_symlink = action.follow_links
            copy.dir_copy_contents = action.contents_only
            copy.attempt_unpack = action.unpack
            copy.create_dest_path = action.create_destination
            copy.allow_wildcard = action.wildcard
            copy.allow_empty_wildcard = action.allow_empty_wildcard
            copy.include_patterns.extend(action.include)
            copy.exclude_patterns.extend(action.exclude)
            copy.required_paths.extend(action.required)
            copy.always_replace = action.replace
            copy.timestamp = encode_time(action.timestamp_ns)
            if action.owner is not None:
                copy.owner.CopyFrom(encode_owner(action.owner))
        case ops.MakeFile():
            file = out.make_file
            file.path, file.data, file.mode = action.path, action.data, action.mode
            file.timestamp = encode_time(action.timestamp_ns)
            if action.owner is not None:
                file.owner.CopyFrom(encode_owner(action.owner))
        case ops.MakeDirectory():
            directory = out.make_dir
            directory.path, directory.mode, directory.make_parents = action.path, action.mode, action.parents
            directory.timestamp = encode_time(action.timestamp_ns)
            if action.owner is not None:
                directory.owner.CopyFrom(encode_owner(action.owner))
        case ops.Remove():
            remove = out.remove
            remove.path, remove.allow_not_found, remove.allow_wildcard = (
                action.path,
                action.allow_not_found,
                action.wildcard,
            )
        case ops.Symlink():
            link = out.symlink
            link.old_path, link.new_path = action.target, action.path
            link.timestamp = encode_time(action.timestamp_ns)
            if action.owner is not None:
                link.owner.CopyFrom(encode_owner(action.owner))


def encode_time(value: int | None) -> int:
    return -1 if value is None else value


def encode_owner(owner: ops.Owner) -> pb.ChownOpt:
    out = pb.ChownOpt()
    if owner.user is not None:
        encode_user(owner.user, out.user)
    if owner.group is not None:
        encode_user(owner.group, out.group)
    return out


def encode_user(user: int | ops.Named, out: pb.UserOpt) -> None:
    if isinstance(user, ops.Named):
        out.by_name.name, out.by_name.input = user.name, user.input
    else:
        out.by_id = user
