"""docker-py: images.build and the API below it; both speak to the classic builder."""

import io
import json
import tempfile
from pathlib import Path

from conformance.building import packed_tar
from conformance.checks import has, holds, same
from conformance.docker_py import Py, refused, scenario


def run(py: Py, command: str) -> str:
    output: bytes = py.docker.containers.run(py.name("built"), ["sh", "-c", command], remove=True)
    return output.decode()


@scenario("build", "a directory, its .dockerignore, a Dockerfile of another name")
def _(py: Py) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name, text in {
            "My.Dockerfile": f"FROM {py.image}\nCOPY . /c\n",
            "keep": "x",
            "skip.log": "x",
            ".dockerignore": "*.log\n",
        }.items():
            (Path(directory) / name).write_text(text)
        py.docker.images.build(path=directory, dockerfile="My.Dockerfile", tag=py.name("built"), rm=True)
    same(run(py, "ls /c"), "My.Dockerfile\nkeep\n")


@scenario("build", "buildargs, labels, target, nocache")
def _(py: Py) -> None:
    text = f"FROM {py.image} AS one\nARG A=1\nRUN echo $A > /a; cat /proc/sys/kernel/random/uuid > /u\nFROM one\nRUN exit 1\n".encode()
    found = []
    for nocache in (False, False, True):
        built, _ = py.docker.images.build(
            fileobj=io.BytesIO(text),
            tag=py.name("built"),
            buildargs={"A": "2"},
            labels={"l": "v"},
            target="one",
            nocache=nocache,
            rm=True,
        )
        has(built.labels, {"l": "v"})
        found.append(run(py, "cat /a /u"))
    same((found[0][:2], found[0] == found[1], found[1] == found[2]), ("2\n", True, False))


@scenario("build", "a context of one's own, network_mode, extra_hosts, shmsize")
def _(py: Py) -> None:
    context = packed_tar(
        {
            "d/Dockerfile": f"FROM {py.image}\nCOPY f /f\nRUN ls /sys/class/net > /n; grep -c 10.1.2.3 /etc/hosts >> /n\n",
            "f": "x\n",
        },
        "w:gz",
    )
    py.docker.images.build(
        fileobj=io.BytesIO(context), custom_context=True, encoding="gzip", dockerfile="d/Dockerfile",
        tag=py.name("built"), network_mode="none", extra_hosts={"db": "10.1.2.3"}, shmsize=1 << 20, rm=True,
    )  # fmt: skip
    same(run(py, "cat /f /n"), "x\nlo\n1\n")


@scenario("build", "the stream: steps, the id beside them, what ends it")
def _(py: Py) -> None:
    text = f"FROM {py.image}\nRUN echo said\n".encode()
    lines = list(py.api.build(fileobj=io.BytesIO(text), tag=py.name("built"), rm=True, decode=True))
    streams = "".join(line.get("stream", "") for line in lines)
    for part in (
        "Step 1/2 : FROM",
        "Step 2/2 : RUN echo said",
        "said\n",
        "Successfully built ",
        f"Successfully tagged {py.name('built')}:latest\n",
    ):
        holds(part in streams, f"{part!r} is not in {streams!r}")
    ids = [line["aux"]["ID"] for line in lines if "aux" in line]
    same(ids[-1], py.docker.images.get(py.name("built")).id)


@scenario("build", "quiet: the id alone")
def _(py: Py) -> None:
    text = f"FROM {py.image}\nRUN echo said\n".encode()
    raw = b"".join(py.api.build(fileobj=io.BytesIO(text), quiet=True, rm=True, tag=py.name("built")))
    lines = [json.loads(line) for line in raw.splitlines()]
    same([line["stream"].strip() for line in lines if "stream" in line], [py.docker.images.get(py.name("built")).id])


@scenario("build", "requests that are wrong: no Dockerfile, a fault in it")
def _(py: Py) -> None:
    def built(text: str) -> object:
        return list(py.api.build(fileobj=io.BytesIO(text.encode()), decode=True))

    refused(
        400,
        "dockerfile parse error on line 2: unknown instruction: NOTHING",
        lambda: built(f"FROM {py.image}\nNOTHING\n"),
    )
    refused(400, "file with no instructions", lambda: built("# nothing\n"))


@scenario("build", "prune_builds tells what it removed")
def _(py: Py) -> None:
    has(py.api.prune_builds(filters={"until": "1000h"}), {"SpaceReclaimed": 0})
