import msgspec
import pytest

from wharfd.engine.build.graph import Output, Vertex, VertexMeta
from wharfd.engine.build.keys import content_key, is_read, operation, output_key, quick_key, uses
from wharfd.engine.build.ops import (
    BindMount,
    CacheMount,
    Copy,
    ExecOp,
    FileOp,
    ImageSource,
    LocalSource,
    MakeDirectory,
    MergeOp,
    ProxyEnv,
    Sharing,
)
from wharfd.model.ids import Digest
from wharfd.wire.oci import Platform

ONE, TWO, THREE = (Digest(f"sha256:{number}") for number in "123")


def base(name: str = "a") -> Output:
    return Vertex(op=ImageSource(ref=name)).output()


def copying(*actions: Copy | MakeDirectory) -> Vertex:
    return Vertex(op=FileOp(actions=list(actions)), inputs=(base("a"), base("b")))


COPY = Copy(input=0, source_input=1, source="src", destination="/dst", output=0)


def test_a_copy_is_built_on_its_base_and_reads_its_source() -> None:
    on, read = uses(copying(COPY))
    assert (on.is_base, on.selections) == (True, ())
    assert not read.is_base
    assert [each.path for each in read.selections] == ["src"]


def test_what_is_read_and_built_on_counts_as_a_whole() -> None:
    both = copying(COPY, MakeDirectory(path="/x", input=1, output=1))
    assert [use.is_base for use in uses(both)] == [True, True]
    assert not is_read(both)


def test_an_exec_reads_its_read_only_mounts_and_builds_on_the_others() -> None:
    op = ExecOp(
        args=["x"],
        mounts=[
            BindMount(destination="/", input=0, output=0),
            BindMount(destination="/ro", input=1, selector="sub", read_only=True),
            BindMount(destination="/rw", input=2),
            CacheMount(destination="/cache", id="c", input=3),
        ],
    )
    found = uses(Vertex(op=op, inputs=tuple(base(name) for name in "abcd")))
    assert [use.is_base for use in found] == [True, False, True, True]
    assert found[1].selections[0].path == "sub"


def test_a_read_only_root_is_still_what_is_built_on() -> None:
    op = ExecOp(args=["x"], mounts=[BindMount(destination="/", input=0, read_only=True)])
    assert uses(Vertex(op=op, inputs=(base(),)))[0].is_base


def test_keys_follow_what_counts() -> None:
    vertex = copying(COPY)
    quick = quick_key(vertex, [ONE, TWO])
    content = content_key(vertex, [ONE, TWO], {1: [THREE]})
    assert quick != content
    assert quick != quick_key(vertex, [ONE, THREE])
    assert content == content_key(vertex, [ONE, ONE], {1: [THREE]})
    assert content != content_key(vertex, [TWO, TWO], {1: [THREE]})
    assert content != content_key(vertex, [ONE, TWO], {1: [TWO]})


def test_what_does_not_matter_for_the_outcome_does_not_count() -> None:
    op = ExecOp(args=["x"], mounts=[BindMount(destination="/", input=0, output=0)])
    one = Vertex(op=op, inputs=(base("a"),))
    other = Vertex(
        op=msgspec.structs.replace(op, proxy=ProxyEnv(http_proxy="p"), cgroup_parent="/x"),
        inputs=(base("b"),),
        meta=VertexMeta(name="x", ignore_cache=True),
    )
    assert operation(one) == operation(other)
    sessions = [Vertex(op=LocalSource(name="c", session_id=each, shared_key=each)) for each in "ab"]
    assert operation(sessions[0]) == operation(sessions[1])


@pytest.mark.parametrize(
    "change",
    [
        {"args": ["y"]},
        {"env": ["A=1"]},
        {"user": "1"},
        {"cwd": "/x"},
        {"hostname": "h"},
        {"mounts": [BindMount(destination="/", input=0, output=0), CacheMount(destination="/c", id="i")]},
    ],
    ids=str,
)
def test_what_matters_for_the_outcome_counts(change: dict[str, object]) -> None:
    op = ExecOp(args=["x"], mounts=[BindMount(destination="/", input=0, output=0)])
    changed = msgspec.structs.replace(op, **change)
    assert operation(Vertex(op=op, inputs=(base(),))) != operation(Vertex(op=changed, inputs=(base(),)))


def test_the_platform_and_the_numbers_of_outputs_count() -> None:
    merge = Vertex(op=MergeOp(), inputs=(base(),))
    assert operation(merge) != operation(
        Vertex(op=MergeOp(), inputs=(base(),), platform=Platform(os="linux", architecture="arm64"))
    )
    assert len({output_key(ONE, 0), output_key(ONE, 1), output_key(ONE, 2)}) == 3
    assert output_key(ONE, 0) == ONE


def test_how_a_cache_mount_is_shared_counts() -> None:
    ops = [
        ExecOp(
            args=["x"],
            mounts=[BindMount(destination="/", input=0), CacheMount(destination="/c", id="i", sharing=sharing)],
        )
        for sharing in Sharing
    ]
    assert len({operation(Vertex(op=op, inputs=(base(),))) for op in ops}) == len(ops)
