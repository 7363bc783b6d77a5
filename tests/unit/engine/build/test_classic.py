import pytest

from wharfd.engine.build.classic.build import label_text, unused_args
from wharfd.engine.build.classic.context import inside
from wharfd.engine.build.classic.failures import ClassicFailed, in_classic_words
from wharfd.engine.build.classic.request import Text, Told
from wharfd.engine.build.classic.teller import Teller
from wharfd.engine.build.failures import ProcessFailed, StepFailed
from wharfd.engine.build.graph import Vertex
from wharfd.engine.build.ops import Copy, FileOp, ImageSource, LocalSource
from wharfd.engine.build.progress import LogOutput, VertexUpdate
from wharfd.model.errors import InvalidParameter, StartFailed
from wharfd.wire.dockerfile import parse_dockerfile

SOURCE = Vertex(op=LocalSource(name="context")).output()
IMAGE = Vertex(op=ImageSource(ref="x")).output()
RUN = Vertex(op=ImageSource(ref="run"))


def copying(source: object = SOURCE) -> Vertex:
    action = Copy(input=0, source_input=1, source="a", destination="/b", wildcard=True, output=0)
    return Vertex(op=FileOp(actions=[action]), inputs=(IMAGE, source))  # type: ignore[arg-type]


def words(error: StepFailed, text: str = "COPY a /b") -> tuple[str, int]:
    told = in_classic_words(error, text)
    assert isinstance(told, ClassicFailed)
    return str(told), told.code


def test_failures_in_dockerds_words() -> None:
    assert words(ProcessFailed(RUN, ["/bin/sh", "-c", "false"], 7)) == (
        "The command '/bin/sh -c false' returned a non-zero code: 7",
        7,
    )
    missing = 'failed to compute cache key: failed to calculate checksum of ref abc: "/a": not found'
    assert words(StepFailed(copying(), missing))[0] == (
        "COPY failed: file not found in build context or excluded by .dockerignore: stat a: file does not exist"
    )
    assert words(StepFailed(copying(IMAGE), missing), "ADD a /b")[0] == "ADD failed: stat a: file does not exist"
    assert words(StepFailed(copying(), "a* not found"))[0] == "COPY failed: no source files were specified"
    failure = StepFailed(RUN, "process x did not complete")
    failure.__cause__ = StartFailed("OCI runtime create failed: no: unknown", 127)
    assert words(failure, "RUN x") == ("OCI runtime create failed: no", 0)
    assert words(StepFailed(RUN, "disk on fire"), "RUN x")[0] == "disk on fire"


class Lines:
    def __init__(self) -> None:
        self.text = ""
        self.teller = Teller(self.tell, self.wait, lambda: "0123456789abcdef")

    def tell(self, told: Told) -> None:
        assert isinstance(told, Text)
        self.text += told.text

    async def wait(self) -> None:
        return


def log(stream: int, data: bytes) -> LogOutput:
    return LogOutput(vertex=RUN.digest, stream=stream, data=data, at_ns=1)


def test_output_comes_between_the_lines_of_its_step() -> None:
    lines = Lines()
    lines.teller.expect(RUN.output())
    lines.teller(VertexUpdate(digest=RUN.digest, name="RUN", started_ns=1))
    lines.teller(log(1, "ä".encode()[:1]))
    lines.teller(log(2, b"err"))
    lines.teller(log(1, "ä".encode()[1:] + b"\xc3"))
    lines.teller(VertexUpdate(digest=RUN.digest, name="RUN", started_ns=1, completed_ns=2))
    lines.teller.end_run(removed=True)
    assert lines.text == (
        " ---> Running in 0123456789ab\n\x1b[91merr\x1b[0mä\ufffd ---> Removed intermediate container 0123456789ab\n"
    )


def test_a_cached_step_runs_nothing() -> None:
    lines = Lines()
    lines.teller.expect(RUN.output())
    lines.teller(VertexUpdate(digest=RUN.digest, name="RUN", started_ns=1, completed_ns=1, cached=True))
    lines.teller.end_run(removed=True)
    assert lines.text == ""
    assert lines.teller.cached == {RUN.digest}


def test_labels_and_arguments() -> None:
    assert label_text({}) == ""
    assert label_text({"b": "2", "a": "1"}) == "LABEL a=1 b=2"
    dockerfile = parse_dockerfile(b"ARG A\nFROM x\nARG B C=1\n")
    given = {"A": "", "B": None, "Z": "", "Q": "", "HTTP_PROXY": "p", "no_proxy": "n"}
    assert unused_args(dockerfile, given) == ["Q", "Z"]


def test_paths_of_dockerfiles() -> None:
    assert inside("a/./b") == "a/b"
    assert inside("/a") == "a"
    for path in ("../a", "a/../../b", "/../a"):
        with pytest.raises(InvalidParameter, match="forbidden path outside the build context"):
            inside(path)
