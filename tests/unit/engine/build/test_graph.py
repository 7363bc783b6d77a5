import pytest

from wharfd.engine.build.graph import Output, Vertex, VertexMeta, check, output_count, walk
from wharfd.engine.build.ops import (
    BindMount,
    Copy,
    DiffOp,
    ExecOp,
    FileOp,
    GitSource,
    ImageSource,
    LocalSource,
    MakeDirectory,
    MergeOp,
)
from wharfd.model.errors import InvalidParameter
from wharfd.model.fileactions import AnyAction
from wharfd.wire.oci import Platform

BUSYBOX = ImageSource(ref="docker.io/library/busybox:latest")


def image(name: str = "") -> Output:
    return Vertex(op=BUSYBOX, meta=VertexMeta(name=name)).output()


def run(script: str, root: Output, *, ignore_cache: bool = False) -> Vertex:
    op = ExecOp(args=["/bin/sh", "-c", script], mounts=[BindMount(destination="/", input=0, output=0)])
    return Vertex(op=op, inputs=(root,), meta=VertexMeta(ignore_cache=ignore_cache))


def test_equal_vertices_have_one_digest_however_they_are_shown() -> None:
    assert run("a", image("one")).digest == run("a", image("two"), ignore_cache=True).digest


@pytest.mark.parametrize(
    "other",
    [
        run("b", image()),
        run("a", Vertex(op=ImageSource(ref="docker.io/library/alpine:latest")).output()),
        run("a", Vertex(op=BUSYBOX, platform=Platform(os="linux", architecture="arm64")).output()),
    ],
)
def test_what_is_done_with_what_decides_on_the_digest(other: Vertex) -> None:
    assert other.digest != run("a", image()).digest


def test_walk_gives_each_digest_once_and_inputs_first() -> None:
    left, right = run("left", image()), run("right", image())
    top = Vertex(op=MergeOp(), inputs=(left.output(), right.output(), left.output()))
    order = list(walk([top.output(), None, left.output()]))
    assert [each.digest for each in order] == [image().vertex.digest, left.digest, right.digest, top.digest]


def test_a_deep_graph_is_walked() -> None:
    output = image()
    for number in range(3000):
        output = run(str(number), output).output()
    assert len(list(walk([output]))) == 3001


def test_outputs_are_counted() -> None:
    assert output_count(run("a", image())) == 1
    assert output_count(Vertex(op=ExecOp(args=["x"], mounts=[BindMount(destination="/", read_only=True)]))) == 0
    two = ExecOp(args=["x"], mounts=[BindMount(destination="/", output=0), BindMount(destination="/m", output=1)])
    assert output_count(Vertex(op=two)) == 2


@pytest.mark.parametrize(
    ("vertex", "message"),
    [
        (Vertex(op=ExecOp(args=[], mounts=[BindMount(destination="/")])), "nothing to run"),
        (Vertex(op=ExecOp(args=["x"], mounts=[])), "exactly one mount has to be the root"),
        (Vertex(op=ExecOp(args=["x"], mounts=[BindMount(destination="/", input=0)])), "input 0 of 0"),
        (Vertex(op=FileOp(actions=[])), "no file action"),
        (Vertex(op=FileOp(actions=[Copy(source_input=1, source="a", destination="b")])), "input 1 of 0"),
        (Vertex(op=FileOp(actions=[MakeDirectory(path="/a", input=0)])), "input 0 of 0"),
        (Vertex(op=MergeOp()), "nothing to merge"),
        (Vertex(op=DiffOp(lower=-1, upper=3)), "input 3 of 0"),
        (Vertex(op=BUSYBOX, inputs=(image(),)), "a source has no inputs"),
        (Vertex(op=MergeOp(), inputs=(image().vertex.output(1),)), "has no output 1"),
    ],
)
def test_a_graph_that_cannot_be_carried_out_is_refused(vertex: Vertex, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        check([vertex.output()])


def test_later_actions_may_use_the_results_of_earlier_ones() -> None:
    actions: list[AnyAction] = [
        MakeDirectory(path="/a"),
        Copy(input=1, source_input=0, source="/", destination="/a", output=0),
    ]
    check([Vertex(op=FileOp(actions=actions), inputs=(image(),)).output()])


def test_names_of_vertices_without_one() -> None:
    assert image().vertex.name == "docker-image://docker.io/library/busybox:latest"
    assert Vertex(op=LocalSource(name="context")).name == "local://context"
    assert Vertex(op=GitSource(remote="https://example.org/a.git", ref="v1")).name == "git://example.org/a.git#v1"
    assert run("make", image()).name == "/bin/sh -c make"
