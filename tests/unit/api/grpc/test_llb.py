"""LLB and the builder's graph: there and back, and graphs that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.api.grpc.llb import decode_definition, encode_definition
from wharfd.api.grpc.llb.decode import digest_of
from wharfd.engine.build import ops
from wharfd.engine.build.graph import Output, ProgressGroup, Vertex, VertexMeta, walk
from wharfd.model.errors import InvalidParameter, NotImplementedHere
from wharfd.wire.oci import Platform
from wharfd.wire.proto import llb_pb2 as pb

IMAGE = Vertex(
    op=ops.ImageSource(ref="docker.io/library/alpine:latest", resolve_mode=ops.ResolveMode.PULL),
    platform=Platform(os="linux", architecture="arm", variant="v7"),
    meta=VertexMeta(name="[1/2] FROM alpine", description={"com.docker.dockerfile.v1.command": "FROM alpine"}),
)
CONTEXT = Vertex(
    op=ops.LocalSource(
        name="context", include=["a"], exclude=["ä*", "!b"], follow_paths=["x"], shared_key="k", session_id="s"
    ),
    meta=VertexMeta(ignore_cache=True, export_cache=False, progress_group=ProgressGroup("1", "group", True)),
)
SOURCES: list[ops.Source] = [
    ops.LayoutSource(ref="x@sha256:" + "1" * 64, store_id="store", session_id="s"),
    ops.HttpSource(url="https://h/x?y#z", checksum="sha256:1", filename="f", mode=0o755, uid=1, gid=2),
    ops.HttpSource(url="http://h/"),
    ops.GitSource(remote="https://github.com/a/b.git", ref="main", subdir="sub/dir", keep_git_dir=True, checksum="abc"),
    ops.GitSource(
        remote="git@github.com:a/b.git", mount_ssh_socket="default", known_ssh_hosts="h", skip_submodules=True
    ),
]
RUN = Vertex(
    op=ops.ExecOp(
        args=["sh", "-c", "x"],
        env=["A=b"],
        cwd="/w",
        user="u",
        hostname="h",
        network=ops.NetworkMode.NONE,
        security=ops.SecurityMode.INSECURE,
        extra_hosts=[ops.ExtraHost(host="h", ip="1.2.3.4")],
        ulimits=[ops.Rlimit(name="nofile", soft=1, hard=-1)],
        shm_size=5,
        cgroup_parent="c",
        secret_env=[ops.SecretEnv(id="s", name="S", optional=True)],
        devices=["vendor.com/gpu=0"],
        valid_exit_codes=[0, 3],
        remove_mount_stubs=True,
        proxy=ops.ProxyEnv(http_proxy="p"),
        mounts=[
            ops.BindMount(destination="/", input=0, output=0),
            ops.BindMount(destination="/c", input=1, selector="sub", read_only=True),
            ops.CacheMount(destination="/k", id="k", sharing=ops.Sharing.LOCKED, uid=3, mode=0o700),
            ops.CacheMount(destination="/m", id="m", mode=0),
            ops.TmpfsMount(destination="/t", size_bytes=9),
            ops.SecretMount(destination="/s", id="s", uid=1, gid=2, mode=0o400, optional=True),
            ops.SshMount(destination="/a", id="default", mode=0o600),
        ],
    ),
    inputs=(IMAGE.output(), CONTEXT.output()),
    platform=Platform(os="linux", architecture="amd64"),
)
FILES = Vertex(
    op=ops.FileOp(
        actions=[
            ops.MakeDirectory(
                input=0,
                path="/d",
                parents=True,
                owner=ops.Owner(user=ops.Named(name="u", input=0), group=5),
                timestamp_ns=0,
            ),
            ops.Copy(
                input=2,
                source_input=1,
                source="/x*",
                destination="/d/",
                owner=ops.Owner(user=0),
                mode=0o600,
                mode_text="u=rwX",
                follow_links=True,
                contents_only=True,
                unpack=True,
                create_destination=True,
                wildcard=True,
                allow_empty_wildcard=True,
                include=["i"],
                exclude=["e"],
                required=["/x1"],
                replace=True,
                timestamp_ns=1_000,
            ),
            ops.MakeFile(input=3, path="/f", data=b"\0\xff", mode=0o640),
            ops.Symlink(input=4, target="../x", path="/l"),
            ops.Remove(input=5, path="/y", allow_not_found=True, wildcard=True, output=0),
        ]
    ),
    inputs=(RUN.output(), CONTEXT.output()),
)
MERGED = Vertex(
    op=ops.MergeOp(),
    inputs=(FILES.output(), Vertex(op=ops.DiffOp(lower=0, upper=1), inputs=(IMAGE.output(), RUN.output())).output()),
)


def assert_same(output: Output) -> None:
    found = decode_definition(encode_definition(output)).output
    assert found is not None
    assert found.index == output.index
    assert [(each.digest, each.op, each.platform, each.meta) for each in walk([found])] == [
        (each.digest, each.op, each.platform, each.meta) for each in walk([output])
    ]


@pytest.mark.parametrize("vertex", [IMAGE, CONTEXT, RUN, FILES, MERGED, *(Vertex(op=source) for source in SOURCES)])
def test_there_and_back(vertex: Vertex) -> None:
    assert_same(vertex.output())


def test_an_empty_root() -> None:
    assert decode_definition(encode_definition(None)).output is None
    assert decode_definition(None).output is None


def test_a_long_chain_is_no_deep_recursion() -> None:
    output = IMAGE.output()
    for number in range(3000):
        output = Vertex(
            op=ops.FileOp(actions=[ops.MakeFile(input=0, path=f"/{number}", output=0)]), inputs=(output,)
        ).output()
    assert_same(output)


def blocks_of(definition: pb.Definition) -> list[bytes]:
    return list(definition.blocks)


def test_a_block_that_was_changed_is_not_found() -> None:
    definition = encode_definition(RUN.output())
    blocks = blocks_of(definition)
    blocks[0] = pb.Op(source=pb.SourceOp(identifier="docker-image://evil")).SerializeToString()
    broken = pb.Definition(blocks=blocks)
    with pytest.raises(InvalidParameter, match="missing input digest"):
        decode_definition(broken)


def test_where_it_was_written() -> None:
    definition = encode_definition(IMAGE.output())
    definition.source.infos.add(filename="Dockerfile", data=b"FROM x\n", language="Dockerfile")
    digest = digest_of(blocks_of(definition)[0])
    location = definition.source.locations[digest].locations.add(source_index=0)
    location.ranges.add(start=pb.Position(line=1), end=pb.Position(line=2))
    definition.source.locations[digest].locations.add(source_index=7)
    places = decode_definition(definition).places[IMAGE.digest]
    assert [(file.filename, ranges[0].start_line, ranges[0].end_line) for file, ranges in places] == [
        ("Dockerfile", 1, 2)
    ]


def definition_of(*found: pb.Op) -> pb.Definition:
    blocks = [each.SerializeToString() for each in found]
    last = pb.Op(inputs=[pb.Input(digest=digest_of(blocks[-1]))])
    return pb.Definition(blocks=[*blocks, last.SerializeToString()])


@pytest.mark.parametrize(
    ("op", "kind"),
    [
        (pb.Op(), InvalidParameter),
        (pb.Op(source=pb.SourceOp(identifier="nonsense")), InvalidParameter),
        (pb.Op(source=pb.SourceOp(identifier="ftp://x")), InvalidParameter),
        (pb.Op(source=pb.SourceOp(identifier="local://x", attrs={"local.includepattern": "{"})), InvalidParameter),
        (pb.Op(source=pb.SourceOp(identifier="http://x", attrs={"http.perm": "rwx"})), InvalidParameter),
        (pb.Op(source=pb.SourceOp(identifier="git://x", attrs={"git.sig.pubkey": "k"})), NotImplementedHere),
        (pb.Op(source=pb.SourceOp(identifier="docker-image://x", attrs={"image.resolvemode": "q"})), InvalidParameter),
        (pb.Op(build=pb.BuildOp()), NotImplementedHere),
        (pb.Op(exec=pb.ExecOp(mounts=[pb.Mount(dest="/", type=9)])), InvalidParameter),  # type: ignore[arg-type]
        (pb.Op(exec=pb.ExecOp(network=7)), InvalidParameter),  # type: ignore[arg-type]
        (pb.Op(file=pb.FileOp(actions=[pb.FileAction()])), InvalidParameter),
        (pb.Op(merge=pb.MergeOp(inputs=[pb.MergeInput(input=4)])), InvalidParameter),
        (pb.Op(inputs=[pb.Input(digest="sha256:" + "0" * 64)], diff=pb.DiffOp()), InvalidParameter),
    ],
)
def test_what_is_no_graph(op: pb.Op, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        decode_definition(definition_of(op))


def test_a_graph_without_an_end() -> None:
    with pytest.raises(InvalidParameter, match="does not end"):
        decode_definition(pb.Definition(blocks=[pb.Op(diff=pb.DiffOp()).SerializeToString()]))


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_hostile_bytes(blocks: list[bytes]) -> None:
    last = pb.Op(inputs=[pb.Input(digest=digest_of(blocks[-1]))]).SerializeToString() if blocks else b""
    try:
        decode_definition(pb.Definition(blocks=[*blocks, last]))
    except (InvalidParameter, NotImplementedHere):
        pass
