"""The classic builder: DOCKER_BUILDKIT=0."""

import re

from conformance.building import CLASSIC, classic, packed_tar, shows, tells, web_server
from conformance.checks import has, holds, same
from conformance.docker_cli import ANY, Cli, scenario


@scenario("build", "classic: the second build uses the cache, --no-cache does not")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "1\n")
    text = "FROM IMAGE\nRUN cat /proc/sys/kernel/random/uuid > /u\nCOPY f /f\nLABEL a=1\n"
    done = classic(docker, text)
    holds("Using cache" not in done.out, f"{done.out!r}")
    first = docker.inspect("@built", "image")["Id"]
    done = classic(docker, text)
    same(done.out.count(" ---> Using cache\n"), 3)
    same(docker.inspect("@built", "image")["Id"], first)
    docker.file("ctx/f", "2\n")
    same(classic(docker, text).out.count(" ---> Using cache\n"), 1)
    holds("Using cache" not in classic(docker, text, "-t @built --no-cache").out, "--no-cache uses the cache")


@scenario("build", "classic: stages, --target, COPY --from of a stage and an image")
def _(docker: Cli) -> None:
    text = (
        "FROM IMAGE AS one\nRUN echo one > /a\nFROM IMAGE AS two\nCOPY --from=one /a /b\nCOPY --from=0 /a /c\n"
        "COPY --from=IMAGE /etc/shells /s\nFROM two\nRUN rm /c\n"
    )
    classic(docker, text)
    shows(docker, "cat /b; head -1 /s", "one\n/bin/sh\n")
    done = classic(docker, text, "-t @built:1 --target one")
    same(
        [line for line in done.lines if line.startswith("Step")],
        ["Step 1/2 : FROM IMAGE AS one".replace("IMAGE", docker.target.image), "Step 2/2 : RUN echo one > /a"],
    )


@scenario("build", "classic: ARG and ENV, --build-arg, what nothing consumes")
def _(docker: Cli) -> None:
    done = classic(
        docker,
        "ARG TAG=x\nFROM IMAGE\nARG A=1\nENV E=$A\nRUN echo $A $E ${B:-none} > /a\n",
        "-t @built --build-arg A=2 --build-arg NOBODY=1",
    )
    shows(docker, "cat /a", "2 2 none\n")
    holds("[Warning] One or more build-args [NOBODY] were not consumed" in done.out, f"{done.out!r}")


@scenario("build", "classic: what a Dockerfile sets, --label")
def _(docker: Cli) -> None:
    classic(
        docker,
        'FROM IMAGE\nLABEL a=1\nEXPOSE 80\nVOLUME /v\nWORKDIR /w/x\nUSER nobody\nENTRYPOINT ["echo"]\nCMD ["hi"]\n'
        'HEALTHCHECK --interval=5s CMD true\nSTOPSIGNAL SIGINT\nSHELL ["/bin/sh", "-ec"]\nONBUILD RUN true\nMAINTAINER me\n',
        "-t @built --label b=2",
    )
    image = docker.inspect("@built", "image")
    has(
        image["Config"],
        {
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/v": {}},
            "WorkingDir": "/w/x",
            "User": "nobody",
            "Entrypoint": ["echo"],
            "Cmd": ["hi"],
            "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000},
            "StopSignal": "SIGINT",
            "Shell": ["/bin/sh", "-ec"],
            "OnBuild": ["RUN true"],
        },
    )
    has(image["Config"]["Labels"], {"a": "1", "b": "2"})
    same(image["Author"], "me")
    docker("run --rm @built", out="hi\n")


@scenario("build", "classic: COPY --chown, patterns, .dockerignore, ADD of an archive and of the web")
def _(docker: Cli) -> None:
    for name in ("a.txt", "b.txt", "c.log", "d/x"):
        docker.file(f"ctx/{name}", f"{name}\n")
    docker.file("ctx/.dockerignore", "*.log\nDockerfile\n")
    docker.file("ctx/p.tar.gz", packed_tar({"in": "packed\n"}, "w:gz"))
    docker.file("web/f", "web\n")
    with web_server(docker.directory / "web") as address:
        classic(docker, f"FROM IMAGE\nCOPY --chown=3:4 *.txt /t/\nCOPY . /all\nADD p.tar.gz /p/\nADD {address}/f /w/\n")
    docker(
        "run --rm @built sh -c 'stat -c %u:%g /t/*; cd /all; find . -type f | sort; cat /p/in /w/f; stat -c %a /w/f'",
        out="3:4\n3:4\n./.dockerignore\n./a.txt\n./b.txt\n./d/x\n./p.tar.gz\npacked\nweb\n600\n",
    )


@scenario("build", "classic: faults of the file and of its sources")
def _(docker: Cli) -> None:
    done = classic(docker, "FROM IMAGE\nCOPY missing /x\n", code=1)
    tells(
        done,
        "COPY failed: file not found in build context or excluded by .dockerignore: stat missing: file does not exist",
    )
    done = classic(docker, "FROM IMAGE\nNOTHING x\n", code=1)
    tells(done, "dockerfile parse error on line 2: unknown instruction: NOTHING")
    done = classic(docker, "FROM IMAGE\nCOPY --from=none.invalid/x:1 /a /b\n", code=1)
    tells(done, "invalid from flag value none.invalid/x:1")


@scenario("build", "classic: containers of steps are removed, --rm=false leaves them")
def _(docker: Cli) -> None:
    classic(docker, "FROM IMAGE\nRUN true\n", "-q -t @built")
    same(docker("ps -aq --filter label=conformance.run=PREFIX").out, "")
    done = classic(docker, "FROM IMAGE\nRUN true\n", "--no-cache --rm=false -t @built")
    found = re.findall(r"Running in ([0-9a-f]{12})", done.out)
    holds(len(found) == 1 and "Removed intermediate" not in done.out, f"{done.out!r}")
    docker(f"rm {found[0]}", out=ANY)


@scenario("build", "classic: limits, hosts and a network for its steps")
def _(docker: Cli) -> None:
    classic(
        docker,
        "FROM IMAGE\nRUN ls /sys/class/net > /a; grep -c 10.9.9.9 /etc/hosts >> /a; df -k /dev/shm | tail -1 | awk '{print $2}' >> /a; "
        "ulimit -n >> /a\n",
        "-t @built --network none --add-host db:10.9.9.9 --shm-size 2m --ulimit nofile=99:100 -m 64m",
    )
    shows(docker, "cat /a", "lo\n1\n2048\n99\n")


@scenario("build", "classic: a Dockerfile on standard input, -q, --iidfile, several tags")
def _(docker: Cli) -> None:
    text = docker.target.expand("FROM IMAGE\nRUN echo piped > /a\n")
    done = docker("build -q -t @built -t @built:2 --iidfile DIR/id -", stdin=text, env=CLASSIC, err=ANY, timeout=120)
    holds(re.fullmatch(r"sha256:[0-9a-f]{64}\n", done.out) is not None, f"{done.out!r}")
    same((docker.directory / "id").read_text().strip(), done.word)
    same(docker.inspect("@built:2", "image")["Id"], done.word)
    docker("build -q -t @tar -", stdin=packed_tar({"Dockerfile": text}), env=CLASSIC, err=ANY, out=ANY, timeout=120)
    shows(docker, "cat /a", "piped\n", "@tar")


@scenario("build", "classic: ONBUILD, an image's triggers are steps")
def _(docker: Cli) -> None:
    classic(docker, "FROM IMAGE\nONBUILD RUN echo later > /made\nONBUILD ENV E=1\n", "-t @base")
    done = classic(docker, docker.target.expand("FROM @base\nRUN echo $E > /e\n"))
    holds("# Executing 2 build triggers" in done.out, f"{done.out!r}")
    shows(docker, "cat /made /e", "later\n1\n")


@scenario("build", "classic: the history has the shell's lines")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "x")
    classic(docker, 'FROM IMAGE\nARG A=1\nRUN echo $A\nENV B=2\nCOPY f /f\nCMD ["x"]\n')
    lines = docker("history --no-trunc --format '{{.CreatedBy}}' @built").lines
    same(lines[0], '/bin/sh -c #(nop)  CMD ["x"]')
    holds(re.fullmatch(r"/bin/sh -c #\(nop\) COPY file:[0-9a-f]{64} in /f ?", lines[1]) is not None, f"{lines[1]!r}")
    same(lines[2:5], ["/bin/sh -c #(nop)  ENV B=2", "|1 A=1 /bin/sh -c echo $A", "/bin/sh -c #(nop)  ARG A=1"])
