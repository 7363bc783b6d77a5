"""ARG and ENV: their scopes, what is substituted where, and the variables that every build has."""

from conformance.building import build, shows, tells
from conformance.checks import has, holds, same
from conformance.docker_cli import Cli, scenario


@scenario("build", "ARG before FROM is known to FROM, and to a stage only when it says so")
def _(docker: Cli) -> None:
    build(docker, "ARG V=1\nFROM IMAGE\nRUN echo [$V] > /a\nARG V\nRUN echo [$V] > /b\nARG V=2\nRUN echo [$V] > /c\n")
    shows(docker, "cat /a /b /c", "[]\n[1]\n[2]\n")
    build(
        docker,
        "ARG V=1\nFROM IMAGE\nARG V\nRUN echo [$V] > /b\nARG V=2\nRUN echo [$V] > /c\n",
        "-t @built --build-arg V=3",
    )
    shows(docker, "cat /b /c", "[3]\n[3]\n")


@scenario("build", "ARG ends with its stage, and is inherited by stages made from it")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE AS one\nARG V=1\nENV E=$V\nFROM IMAGE AS two\nRUN echo [$V][$E] > /a\n"
        "FROM one\nRUN echo [$V][$E] > /b\nCOPY --from=two /a /a\n",
    )
    shows(docker, "cat /a /b", "[][]\n[1][1]\n")


@scenario("build", "ENV outweighs ARG, --build-arg takes the client's environment")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nARG A=1\nENV A=2\nRUN echo [$A] > /a\nARG A=3\nRUN echo [$A] > /c\nARG FROM_CLIENT\nRUN echo [$FROM_CLIENT] > /b\n",
        "-t @built --build-arg A=4 --build-arg FROM_CLIENT",
        env={"FROM_CLIENT": "given"},
    )
    shows(docker, "cat /a /c /b", "[2]\n[4]\n[given]\n")
    holds("FROM_CLIENT=given" not in docker.inspect("@built", "image")["Config"]["Env"], "an ARG is in the image")


@scenario("build", "proxies are known without ARG and are not in the history")
def _(docker: Cli) -> None:
    text = "FROM IMAGE\nRUN echo [$http_proxy][$NO_PROXY] > /a\n"
    build(docker, text, "-t @built --build-arg http_proxy=http://proxy.invalid:1 --build-arg NO_PROXY=x")
    shows(docker, "cat /a", "[http://proxy.invalid:1][x]\n")
    holds("proxy.invalid" not in docker("history --no-trunc @built").out, "the proxy is in the history")
    done = build(docker, text, "-t @built --build-arg http_proxy=http://other.invalid:1")
    tells(done, "CACHED")


@scenario("build", "the platform's variables")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM --platform=$BUILDPLATFORM IMAGE\nARG TARGETPLATFORM\nARG TARGETOS\nARG TARGETARCH\nARG BUILDPLATFORM\n"
        "ARG BUILDOS\nARG BUILDARCH\nARG TARGETSTAGE\nRUN echo $TARGETPLATFORM $TARGETOS $TARGETARCH $TARGETSTAGE > /a; "
        '[ "$BUILDPLATFORM" = "$BUILDOS/$BUILDARCH" ] && echo same >> /a; echo [$TARGETVARIANT] >> /a\n',
        "-t @built --platform linux/amd64",
    )
    shows(docker, "cat /a", "linux/amd64 linux amd64 default\nsame\n[]\n")


@scenario("build", "forms of substitution")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nARG x=foobarfoo\nARG empty=\n"
        "ENV A=${x:-d} B=${none:-d} C=${empty:-d} D=${empty-d} E=${x:+y} F=${none:+y} G=${x#foo} H=${x%foo}\n"
        "ENV I=${x##*bar} J=${x/foo/X} K=${x//foo/X} L=\\$x M=\\${x} N='$x' O=\"$x\" P=${none:-${x}}\n"
        "RUN echo $A,$B,$C,$D,$E,$F,$G,$H,$I,$J,$K,$L,$M,$N,$O,$P > /a\n",
    )
    env = dict(word.split("=", 1) for word in docker.inspect("@built", "image")["Config"]["Env"])
    wanted = {
        "A": "foobarfoo", "B": "d", "C": "d", "D": "", "E": "y", "F": "", "G": "barfoo", "H": "foobar",
        "I": "foo", "J": "Xbarfoo", "K": "XbarX", "L": "$x", "M": "${x}", "N": "$x", "O": "foobarfoo", "P": "foobarfoo",
    }  # fmt: skip
    has(env, wanted)


@scenario("build", "ENV: both forms, several of a line, the values before the line")
def _(docker: Cli) -> None:
    build(
        docker,
        'FROM IMAGE\nENV a 1 2  3\nENV b=x\nENV b=y c=$b d="two words" e=two\\ words \\\n    f=$b\nENV PATH=/more:$PATH\n',
    )
    env = dict(word.split("=", 1) for word in docker.inspect("@built", "image")["Config"]["Env"])
    has(env, {"a": "1 2  3", "b": "y", "c": "x", "d": "two words", "e": "two words", "f": "x"})
    holds(env["PATH"].startswith("/more:/usr"), f"PATH is {env['PATH']}")


@scenario("build", "where variables are substituted")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "x\n")
    build(
        docker,
        "FROM IMAGE\nENV N=f D=/d P=90 U=nobody S=SIGINT\nLABEL l=$N\nEXPOSE $P\nVOLUME ${D}/v\nUSER $U\nSTOPSIGNAL $S\n"
        'WORKDIR $D/w\nCOPY $N ./${N}2\nADD $N $D/a\nCMD ["echo", "$N"]\n',
    )
    config = docker.inspect("@built", "image")["Config"]
    has(
        config,
        {
            "ExposedPorts": {"90/tcp": {}},
            "Volumes": {"/d/v": {}},
            "User": "nobody",
            "StopSignal": "SIGINT",
            "WorkingDir": "/d/w",
            "Cmd": ["echo", "$N"],
        },
    )
    same(config["Labels"]["l"], "f")
    shows(docker, "cat /d/w/f2 /d/a", "x\nx\n")


@scenario("build", "a build argument that nothing consumes is let pass")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nENV N=[$NOBODY]\n", "-t @built --build-arg NOBODY=1")
    shows(docker, "echo $N", "[]\n")


@scenario("build", "another escape character, comments, continued lines, instructions in any case")
def _(docker: Cli) -> None:
    build(
        docker,
        "# escape=`\n\n# a comment\nfrom IMAGE\nRuN echo one `\n# between the lines\n\n   two `\n > /a\n   env X=a`\nb\n"
        "run echo '# no comment' > /b\n",
    )
    shows(docker, "cat /a /b; echo $X", "one two\n# no comment\nab\n")


@scenario("build", "an ARG that is used is part of what a step is cached by, one that is not used yet is not")
def _(docker: Cli) -> None:
    text = "FROM IMAGE\nRUN cat /proc/sys/kernel/random/uuid > /a\nARG V\nRUN cat /proc/sys/kernel/random/uuid > /b\n"
    build(docker, text, "-t @built --build-arg V=1")
    first = docker("run --rm @built cat /a /b").lines
    build(docker, text, "-t @built --build-arg V=2")
    again = docker("run --rm @built cat /a /b").lines
    same((again[0] == first[0], again[1] == first[1]), (True, False))
