"""Stages, named contexts, platforms."""

import io
import tarfile

from conformance.building import build, needs_image_store, shows, tells
from conformance.checks import holds, same
from conformance.docker_cli import Cli, scenario
from conformance.images import base_image


@scenario("build", "named contexts: a directory")
def _(docker: Cli) -> None:
    docker.file("other/f", "other\n")
    docker.file("other/skip", "x")
    docker.file("other/.dockerignore", "skip\n")
    build(
        docker,
        "FROM IMAGE\nCOPY --from=src f /f\nCOPY --from=src . /all\nRUN --mount=from=src,target=/m cat /m/f > /g\n",
        "-t @built --build-context src=DIR/other",
    )
    shows(docker, "cat /f /g; ls -A /all", "other\nother\n.dockerignore\nf\n")


@scenario("build", "named contexts: an image in the place of a stage, of an image, of nothing")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN echo replaced > /r\n", "-t @replacement")
    text = "FROM IMAGE AS stage\nRUN exit 1\nFROM stage\nRUN cat /r > /a\nCOPY --from=extra /r /b\nCOPY --from=named.invalid/x:1 /r /c\n"
    image = docker.target.expand("docker-image://@replacement")
    more = f"--build-context stage={image} --build-context extra={image} --build-context named.invalid/x:1={image}"
    build(docker, text, f"-t @built {more}")
    shows(docker, "cat /a /b /c", "replaced\nreplaced\nreplaced\n")


@scenario("build", "named contexts: an OCI layout")
def _(docker: Cli) -> None:
    needs_image_store(docker.target)
    with tarfile.open(fileobj=io.BytesIO(base_image("layout:1", {"in": "layout"}))) as archive:
        archive.extractall(docker.directory / "layout")
    build(docker, "FROM base\nRUN echo of a layout > /a\n", "-t @built --build-context base=oci-layout://DIR/layout:1")
    shows(docker, "cat /a", "of a layout\n")
    same(docker.inspect("@built", "image")["Config"]["Labels"]["in"], "layout")


@scenario("build", "a stage that nothing needs is not built")
def _(docker: Cli) -> None:
    text = "FROM IMAGE AS unused\nRUN exit 1\nFROM IMAGE AS used\nRUN echo used > /a\nFROM used\n"
    done = build(docker, text)
    holds("unused" not in done.err.replace("unused\n", ""), f"{done.err!r}")
    build(docker, text, "-t @built --target unused", code=1)


@scenario("build", "names of stages: any case, a stage called as its image, one that is not there")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE AS One\nRUN echo 1 > /a\nFROM IMAGE AS two\nCOPY --from=ONE /a /a\nFROM two\n")
    shows(docker, "cat /a", "1\n")
    done = build(docker, "FROM IMAGE AS one\n", "-t @built --target ones", code=1)
    tells(done, 'target stage "ones" could not be found')


@scenario("build", "--no-cache-filter builds one stage anew")
def _(docker: Cli) -> None:
    text = (
        "FROM IMAGE AS one\nRUN cat /proc/sys/kernel/random/uuid > /a\nFROM IMAGE AS two\n"
        "RUN cat /proc/sys/kernel/random/uuid > /b\nFROM IMAGE\nCOPY --from=one /a /a\nCOPY --from=two /b /b\n"
    )
    build(docker, text)
    first = docker("run --rm @built cat /a /b").lines
    build(docker, text, "-t @built --no-cache-filter two")
    again = docker("run --rm @built cat /a /b").lines
    same((again[0] == first[0], again[1] == first[1]), (True, False))


@scenario("build", "an image for another platform, from nothing and from a stage of this one")
def _(docker: Cli) -> None:
    text = (
        "FROM --platform=$BUILDPLATFORM IMAGE AS b\nARG TARGETARCH TARGETVARIANT\nRUN echo $TARGETARCH$TARGETVARIANT > /arch\n"
        "FROM scratch\nCOPY --from=b /arch /arch\n"
    )
    build(docker, text, "-t @built --platform linux/arm/v7")
    image = docker.inspect("@built", "image")
    same((image["Os"], image["Architecture"], image["Variant"]), ("linux", "arm", "v7"))
    build(docker, text, "-o DIR/out --platform linux/arm64")
    same((docker.directory / "out/arch").read_text(), "arm64\n")


@scenario("build", "stages that do not need each other run at the same time")
def _(docker: Cli) -> None:
    wait = "n=0; until [ -e /c/%s ]; do n=$((n+1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done"
    build(
        docker,
        f"FROM IMAGE AS one\nRUN --mount=type=cache,target=/c,id=@meet touch /c/1; {wait % 2}; echo 1 > /a\n"
        f"FROM IMAGE AS two\nRUN --mount=type=cache,target=/c,id=@meet touch /c/2; {wait % 1}; echo 2 > /b\n"
        "FROM IMAGE\nCOPY --from=one /a /a\nCOPY --from=two /b /b\n",
    )
    shows(docker, "cat /a /b", "1\n2\n")


@scenario("build", "a chain of stages with files handed on, and an image that is made of them")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE AS base\nENV V=1\nWORKDIR /w\nFROM base AS deps\nRUN echo deps > d\nFROM base AS src\nCOPY --from=deps /w/d .\n"
        "RUN echo $(cat d) and src > s\nFROM base AS test\nCOPY --from=src /w /t\nRUN grep -q src /t/s && touch /ok\n"
        "FROM base\nCOPY --from=src /w/s ./\nCOPY --from=test /ok /ok\nENV V=2\nCMD cat s\n",
    )
    docker("run --rm @built", out="deps and src\n")
    env = docker.inspect("@built", "image")["Config"]["Env"]
    holds("V=2" in env and "V=1" not in env, f"{env}")
