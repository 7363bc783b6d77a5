"""docker build: through buildx and BuildKit's doors, and by the classic way."""

import json
import re

from conformance.building import build
from conformance.checks import has, holds, same
from conformance.docker_cli import ANY, Cli, scenario


@scenario("build", "RUN, COPY, CMD")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "copied\n")
    build(docker, 'FROM IMAGE\nRUN echo built > /made\nCOPY f /dir/\nCMD ["cat", "/made", "/dir/f"]\n')
    docker("run --rm @built", out="built\ncopied\n")


@scenario("build", "-q prints the id alone, --iidfile writes it")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nLABEL k=v\n")
    identifier = docker(
        "build -q --iidfile DIR/id -t @built DIR/ctx", out=re.compile(r"sha256:[0-9a-f]{64}\n"), timeout=120
    ).word
    same((docker.directory / "id").read_text(), identifier)
    same(docker.inspect("@built", "image")["Id"], identifier)


@scenario("build", "a Dockerfile on standard input, with and without a context")
def _(docker: Cli) -> None:
    docker(
        "build -q -t @built -", stdin=docker.target.expand("FROM IMAGE\nRUN echo stdin > /made\n"), out=ANY, timeout=120
    )
    docker("run --rm @built cat /made", out="stdin\n")
    docker.file("ctx/f", "from the context\n")
    text = docker.target.expand("FROM IMAGE\nCOPY f /f\n")
    docker("build -q -t @built:2 -f - DIR/ctx", stdin=text, out=ANY, timeout=120)
    docker("run --rm @built:2 cat /f", out="from the context\n")


@scenario("build", "ARG, --build-arg, ENV, variables")
def _(docker: Cli) -> None:
    build(
        docker,
        "ARG BASE=IMAGE\nFROM ${BASE}\nARG WHO=nobody\nENV GREETING=hello\nRUN echo $GREETING ${WHO} > /made\n",
        "-t @built --build-arg WHO=me",
    )
    docker("run --rm @built cat /made", out="hello me\n")


@scenario("build", "stages, --target, COPY --from")
def _(docker: Cli) -> None:
    text = "FROM IMAGE AS one\nRUN echo one > /a\nFROM IMAGE AS two\nCOPY --from=one /a /b\nFROM two\nRUN cat /b > /c\n"
    build(docker, text)
    docker("run --rm @built cat /b /c", out="one\none\n")
    build(docker, text, "-t @built:one --target one")
    docker("run --rm @built:one cat /a", out="one\n")
    docker("run --rm @built:one cat /b", code=1)


@scenario("build", "a step that fails: its number, command, output and code")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nRUN echo before; echo bad >&2; exit 7\n", code=1)
    holds("exit code: 7" in done.err and "bad" in done.err, f"errors: {done.err[-400:]!r}")
    holds("Dockerfile:2" in done.err, f"errors: {done.err[-400:]!r}")


@scenario("build", "a Dockerfile that is wrong")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nNOTHING x\n", code=1)
    holds("unknown instruction: NOTHING" in done.err, f"errors: {done.err[-300:]!r}")
    done = build(docker, "FROM IMAGE\nCOPY missing /x\n", code=1)
    holds("not found" in done.err, f"errors: {done.err[-300:]!r}")
    done = docker("build DIR/ctx -f DIR/none", code=1)
    holds("no such file or directory" in done.err, f"errors: {done.err[-300:]!r}")


@scenario("build", ".dockerignore")
def _(docker: Cli) -> None:
    for name in ("keep", "skip.log", "d/skip.log", "d/keep"):
        docker.file(f"ctx/{name}", "x")
    docker.file("ctx/.dockerignore", "**/*.log\nDockerfile\n")
    build(docker, "FROM IMAGE\nCOPY . /ctx\n")
    docker("run --rm @built sh -c 'cd /ctx; find . -type f | sort'", out="./.dockerignore\n./d/keep\n./keep\n")


@scenario("build", "COPY --chown, --chmod, directories, globs, several sources")
def _(docker: Cli) -> None:
    for name in ("a.txt", "b.txt", "d/c"):
        docker.file(f"ctx/{name}", name)
    build(docker, "FROM IMAGE\nCOPY --chown=12:34 --chmod=640 *.txt /t/\nCOPY d /d\nCOPY a.txt b.txt /u/\n")
    docker(
        "run --rm @built sh -c 'stat -c \"%n %u:%g %a\" /t/*; ls /d /u'",
        out="/t/a.txt 12:34 640\n/t/b.txt 12:34 640\n/d:\nc\n\n/u:\na.txt\nb.txt\n",
    )


@scenario("build", "the second build is cached, a changed file is not")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "1")
    text = (
        "FROM IMAGE\nRUN cat /proc/sys/kernel/random/uuid > /u\nCOPY f /f\nRUN cat /proc/sys/kernel/random/uuid > /v\n"
    )
    build(docker, text)
    first = docker("run --rm @built cat /u /v").lines
    done = build(docker, text)
    holds("CACHED" in done.err, "nothing is said to be cached")
    same(docker("run --rm @built cat /u /v").lines, first)
    docker.file("ctx/f", "2")
    build(docker, text)
    again = docker("run --rm @built cat /u /v").lines
    same((again[0] == first[0], again[1] == first[1]), (True, False))
    build(docker, text, "-t @built --no-cache")
    holds(docker("run --rm @built cat /u").lines[0] != first[0], "--no-cache is cached")


@scenario("build", "RUN --mount: cache, bind, tmpfs, secret")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "bound\n")
    docker.file("s", "hidden")
    build(
        docker,
        "FROM IMAGE\n"
        "RUN --mount=type=cache,target=/c,id=PREFIX echo x >> /c/log && wc -l < /c/log > /lines\n"
        "RUN --mount=type=bind,source=f,target=/b cat /b > /bound\n"
        "RUN --mount=type=secret,id=tok cat /run/secrets/tok > /seen\n"
        "RUN --mount=type=tmpfs,target=/t touch /t/gone\n",
        "-t @built --secret id=tok,src=DIR/s",
    )
    docker("run --rm @built cat /bound /seen", out="bound\nhidden")
    docker("run --rm @built ls /c /t/gone", code=1, err=ANY)
    done = docker("history --no-trunc @built")
    holds("hidden" not in done.out, "the secret is in the history")


@scenario("build", "here-documents")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN <<EOF\necho one > /made\necho two >> /made\nEOF\nCOPY <<'EOF' /f\nin $place\nEOF\n")
    docker("run --rm @built cat /made /f", out="one\ntwo\nin $place\n")


@scenario(
    "build", "what a Dockerfile sets: LABEL, EXPOSE, VOLUME, USER, WORKDIR, ENTRYPOINT, HEALTHCHECK, STOPSIGNAL, SHELL"
)
def _(docker: Cli) -> None:
    build(
        docker,
        'FROM IMAGE\nLABEL a=1 b="two words"\nEXPOSE 80 81/udp\nVOLUME /v\nWORKDIR /w/x\nUSER nobody\n'
        'ENTRYPOINT ["echo"]\nCMD ["hi"]\nHEALTHCHECK --interval=5s --retries=2 CMD true\nSTOPSIGNAL SIGINT\n'
        'SHELL ["/bin/sh", "-ec"]\n',
    )
    config = docker.inspect("@built", "image")["Config"]
    has(
        config,
        {
            "ExposedPorts": {"80/tcp": {}, "81/udp": {}},
            "Volumes": {"/v": {}},
            "WorkingDir": "/w/x",
            "User": "nobody",
            "Entrypoint": ["echo"],
            "Cmd": ["hi"],
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000, "Retries": 2},
            "StopSignal": "SIGINT",
            "Shell": ["/bin/sh", "-ec"],
        },
    )
    has(config["Labels"], {"a": "1", "b": "two words"})
    docker("run --rm @built", out="hi\n")


@scenario("build", "ADD of a tar and of a directory, links are kept")
def _(docker: Cli) -> None:
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo("in/f")
        info.size = 2
        tar.addfile(info, io.BytesIO(b"x\n"))
    docker.file("ctx/a.tar.gz", out.getvalue())
    docker.file("ctx/d/f", "y\n")
    (docker.directory / "ctx/d/l").symlink_to("f")
    build(docker, "FROM IMAGE\nADD a.tar.gz /a/\nADD d /d\n")
    docker("run --rm @built sh -c 'cat /a/in/f /d/l; readlink /d/l'", out="x\ny\nf\n")


@scenario("build", "several tags, labels and a platform on the command line")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN true\n", "-t @built:1 -t @built:2 --label k=v")
    same(docker.inspect("@built:1", "image")["Id"], docker.inspect("@built:2", "image")["Id"])
    same(docker.inspect("@built:1", "image")["Config"]["Labels"]["k"], "v")


@scenario("build", "--output to a directory and to a tar")
def _(docker: Cli) -> None:
    text = "FROM IMAGE AS b\nRUN echo out > /made\nFROM scratch\nCOPY --from=b /made /made\n"
    build(docker, text, "--output DIR/out")
    same((docker.directory / "out/made").read_text(), "out\n")
    build(docker, text, "--output type=tar,dest=DIR/out.tar")
    holds((docker.directory / "out.tar").stat().st_size >= 1024, "the tar is empty")


@scenario("build", "a network of none for a step, an extra host")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nRUN ls /sys/class/net > /links; grep -c 10.0.0.9 /etc/hosts > /hosts\n",
        "-t @built --network none --add-host db:10.0.0.9",
    )
    docker("run --rm @built cat /links /hosts", out="lo\n1\n")


@scenario("build", "ONBUILD, FROM scratch")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nONBUILD RUN echo later > /made\n", "-t @base")
    build(docker, "FROM PREFIXbase\n".replace("PREFIX", docker.target.prefix), "-t @built")
    docker("run --rm @built cat /made", out="later\n")


@scenario("build", "buildx bake")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nARG N\nRUN echo $N > /n\n")
    target = {"context": str(docker.directory / "ctx"), "tags": [docker.target.expand("@baked:1")], "args": {"N": "5"}}
    docker.file("bake.json", json.dumps({"target": {"default": target}}))
    docker("buildx bake --progress plain --allow=fs.read=DIR -f DIR/bake.json", err=ANY, out=ANY, timeout=120)
    docker("run --rm @baked:1 cat /n", out="5\n")


@scenario("build", "buildx: ls, inspect, du, prune")
def _(docker: Cli) -> None:
    done = docker("buildx ls")
    holds("default" in done.out and "running" in done.out, f"output: {done.out!r}")
    docker("buildx inspect", out=ANY)
    docker("buildx du", out=ANY)
    docker("builder prune -f --filter until=240h", out=ANY)


@scenario("build", "the classic way: steps, ids, tags", since="1.24")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nRUN echo built > /made\nCMD cat /made\n")
    done = docker("build -t @built DIR/ctx", env={"DOCKER_BUILDKIT": "0"}, err=ANY, timeout=120)
    lines = done.lines
    holds(any(re.match(r"Step 2/3 : RUN echo built > /made", line) for line in lines), f"lines: {lines}")
    same(lines[-1], docker.target.expand("Successfully tagged @built:latest"))
    holds(re.match(r"Successfully built [0-9a-f]{12}$", lines[-2]) is not None, f"lines: {lines}")
    docker("run --rm @built", out="built\n")


@scenario("build", "the classic way: a step that fails")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nRUN exit 7\n")
    done = docker("build -t @built DIR/ctx", env={"DOCKER_BUILDKIT": "0"}, code=7)
    holds("The command '/bin/sh -c exit 7' returned a non-zero code: 7" in done.err, f"errors: {done.err!r}")
