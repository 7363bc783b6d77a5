"""What a Dockerfile says about the image: its config and its history."""

import re

from conformance.building import build, shows, tells
from conformance.checks import has, holds, same
from conformance.docker_cli import Cli, scenario


@scenario("build", "HEALTHCHECK: every option, NONE")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE AS checked\nHEALTHCHECK --interval=1m30s --timeout=2s --start-period=3s --start-interval=500ms --retries=4 \\\n"
        '  CMD ["true", "x"]\nFROM checked\nHEALTHCHECK NONE\n',
    )
    same(docker.inspect("@built", "image")["Config"]["Healthcheck"], {"Test": ["NONE"]})
    docker("build -q -t @built --target checked DIR/ctx", out=None, timeout=120)
    wanted = {
        "Test": ["CMD", "true", "x"],
        "Interval": 90_000_000_000,
        "Timeout": 2_000_000_000,
        "StartPeriod": 3_000_000_000,
        "StartInterval": 500_000_000,
        "Retries": 4,
    }
    same(docker.inspect("@built", "image")["Config"]["Healthcheck"], wanted)
    done = build(docker, "FROM IMAGE\nHEALTHCHECK --interval=x CMD true\n", code=1)
    tells(done, 'invalid duration "x"')


@scenario("build", "ONBUILD: COPY and ENV of the context of the later build; what may not be a trigger")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "later\n")
    build(docker, "FROM IMAGE\nONBUILD COPY f /f\nONBUILD ENV E=1\nONBUILD RUN cat /f > /g\n", "-t @base")
    same(docker.inspect("@base", "image")["Config"]["OnBuild"], ["COPY f /f", "ENV E=1", "RUN cat /f > /g"])
    build(docker, docker.target.expand("FROM @base\nRUN echo $E > /e\n"))
    shows(docker, "cat /f /g /e", "later\nlater\n1\n")
    holds(not docker.inspect("@built", "image")["Config"].get("OnBuild"), "triggers are inherited")
    for text, message in (
        ("ONBUILD ONBUILD RUN true", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM IMAGE", "FROM isn't allowed as an ONBUILD trigger"),
    ):
        tells(build(docker, f"FROM IMAGE\n{text}\n", code=1), message, "Dockerfile:2")


@scenario("build", "CMD and ENTRYPOINT: forms, what the one does to the other's inheritance")
def _(docker: Cli) -> None:
    build(docker, 'FROM IMAGE AS one\nCMD ["inherited"]\nFROM one\nENTRYPOINT ["echo", "e"]\n')
    config = docker.inspect("@built", "image")["Config"]
    same((config["Entrypoint"], config.get("Cmd")), (["echo", "e"], None))
    build(docker, 'FROM IMAGE\nCMD ["a"]\nENTRYPOINT ["echo"]\nCMD [ "b" , "c d" ]\n')
    docker("run --rm @built", out="b c d\n")
    build(docker, "FROM IMAGE\nENTRYPOINT echo $HOME\n")
    same(docker.inspect("@built", "image")["Config"]["Entrypoint"], ["/bin/sh", "-c", "echo $HOME"])
    build(docker, "FROM IMAGE\nENTRYPOINT []\nCMD ['single', quotes]\n")
    same(docker.inspect("@built", "image")["Config"]["Cmd"], ["/bin/sh", "-c", "['single', quotes]"])


@scenario("build", "VOLUME: both forms; what is written there before and after")
def _(docker: Cli) -> None:
    build(docker, 'FROM IMAGE\nRUN mkdir /v && echo 1 > /v/a\nVOLUME /v /w\nVOLUME ["/x y"]\nRUN echo 2 > /v/b\n')
    same(docker.inspect("@built", "image")["Config"]["Volumes"], {"/v": {}, "/w": {}, "/x y": {}})
    shows(docker, "cat /v/a /v/b", "1\n2\n")


@scenario("build", "LABEL: quotes, continued lines, the last one counts, the command line's above all; MAINTAINER")
def _(docker: Cli) -> None:
    build(
        docker,
        'FROM IMAGE\nLABEL a=1 "b c"=\'d e\' \\\n  f="g\\"h" \\\n  i=j\\ k\nLABEL a=2 cli=file\nMAINTAINER somebody <a at b>\n',
        "-t @built --label cli=line --label only",
    )
    image = docker.inspect("@built", "image")
    has(image["Config"]["Labels"], {"a": "2", "b c": "d e", "f": 'g"h', "i": "j k", "cli": "line", "only": ""})
    same(image["Author"], "somebody <a at b>")


@scenario("build", "EXPOSE: ranges, protocols; what is no port")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nARG P=9000\nEXPOSE 80 443/tcp 53/udp 7000-7002/udp $P\n")
    ports = docker.inspect("@built", "image")["Config"]["ExposedPorts"]
    same(sorted(ports), ["443/tcp", "53/udp", "7000/udp", "7001/udp", "7002/udp", "80/tcp", "9000/tcp"])
    tells(build(docker, "FROM IMAGE\nEXPOSE x/y\n", code=1), "Dockerfile:2")


@scenario("build", "STOPSIGNAL and USER are kept as they are written; a signal that there is none")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nSTOPSIGNAL 9\nUSER 12:nogroup\n")
    config = docker.inspect("@built", "image")["Config"]
    same((config["StopSignal"], config["User"]), ("9", "12:nogroup"))
    docker("run --rm @built id -u", out="12\n")


@scenario("build", "the history: a line for each instruction, which of them made no layer")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "x")
    build(docker, 'FROM scratch\nCOPY f /f\nENV A=1\nWORKDIR /w\nLABEL l=1\nADD f /g\nUSER 1\nCMD ["x"]\n')
    lines = docker("history --no-trunc --format '{{.CreatedBy}}|{{.Size}}|{{.Comment}}' @built").lines
    wanted = [
        'CMD ["x"]|0B|', "USER 1|0B|", "ADD f /g # buildkit|1B|", "LABEL l=1|0B|", "WORKDIR /w|0B|", "ENV A=1|0B|",
        "COPY f /f # buildkit|1B|",
    ]  # fmt: skip
    same(lines, [f"{line}buildkit.dockerfile.v0" for line in wanted])
    same(len(docker.inspect("@built", "image")["RootFS"]["Layers"]), 3)


@scenario("build", "the history of steps: arguments and here-documents are in it")
def _(docker: Cli) -> None:
    build(
        docker,
        'FROM IMAGE\nARG A=1\nARG B\nRUN echo $A\nRUN <<EOF\ntrue\nEOF\nSHELL ["/bin/sh", "-ec"]\nRUN true && \\\n  true\n',
        "-t @built --build-arg B=x",
    )
    lines = docker("history --no-trunc --format '{{.CreatedBy}}' @built").lines
    holds("RUN |2 A=1 B=x /bin/sh -ec true &&   true # buildkit" in lines, f"{lines}")
    holds("RUN |2 A=1 B=x /bin/sh -c echo $A # buildkit" in lines and "ARG B=x" in lines, f"{lines}")


@scenario("build", "times: with SOURCE_DATE_EPOCH the same image twice, and files of that time")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "x\n")
    ids = []
    for more in ("--build-arg SOURCE_DATE_EPOCH=1600000000", "--build-arg SOURCE_DATE_EPOCH=1600000000 --no-cache"):
        build(docker, "FROM scratch\nCOPY f /f\nWORKDIR /w\n", f"-t @built {more}")
        ids.append(docker.inspect("@built", "image")["Created"])
    same(ids, ["2020-09-13T12:26:40Z"] * 2)
    times = docker("history --format '{{.CreatedAt}}' @built").lines
    holds(all(re.match("2020-09-13T12:26:40", time) for time in times[:2]), f"{times}")
