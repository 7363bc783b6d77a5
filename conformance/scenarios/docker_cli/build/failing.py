"""What is wrong, told with its lines; build checks; builds that are broken off."""

import json
import signal
import time

from conformance.building import build, tells
from conformance.checks import Mismatch, eventually, holds, same
from conformance.docker_cli import ANY, Cli, scenario


@scenario("build", "faults of form are told with their line")
def _(docker: Cli) -> None:
    for text, line, message in (
        ("FROM IMAGE\nCOPY --nope a b\n", 2, "unknown flag: --nope"),
        ("FROM IMAGE\n\nRUN true\nCOPY a\n", 4, "COPY requires at least two arguments"),
        ("FROM IMAGE\nENV\n", 2, "ENV requires at least one argument"),
        ("FROM IMAGE\nENV a\n", 2, "ENV must have two arguments"),
        ("FROM a b\n", 1, "FROM requires either one or three arguments"),
        ("RUN true\n", 1, "no build stage in current context"),
        ("FROM IMAGE\nRUN --mount=type=nope true\n", 2, 'unsupported mount type "nope"'),
        ("FROM IMAGE\nWORKDIR\n", 2, "WORKDIR requires exactly one argument"),
    ):
        tells(build(docker, text, code=1), message, f"Dockerfile:{line}")


@scenario("build", "a file that is empty, one without instructions, a here-document without end")
def _(docker: Cli) -> None:
    tells(build(docker, "", code=1), "the Dockerfile cannot be empty")
    tells(build(docker, "# only a comment\n", code=1), "file with no instructions")
    tells(build(docker, "FROM IMAGE\nRUN <<EOF\ntrue\n", code=1), "unterminated heredoc")


@scenario("build", "the lines of a step that fails are shown, also when there are several")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nRUN echo one && \\\n    echo two && \\\n    exit 3\nRUN true\n", code=1)
    tells(
        done,
        "Dockerfile:2",
        "   2 | >>> RUN echo one",
        "   4 | >>>     exit 3",
        "did not complete successfully: exit code: 3",
    )
    tells(done, 'process "/bin/sh -c echo one &&     echo two &&     exit 3"')


@scenario("build", "stages and sources that are not there")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nCOPY --from=7 /a /b\n", code=1)
    tells(done, "invalid stage index 7")
    done = build(docker, "FROM IMAGE AS a\nRUN true\nFROM IMAGE\nCOPY --from=a /none /b\n", code=1)
    tells(done, '"/none": not found', "Dockerfile:4")
    done = build(docker, "FROM a AS b\nFROM b AS a\nFROM $NOTHING\n", code=1)
    tells(done, "base name ($NOTHING) should not be blank")


@scenario("build", "a base image that is nowhere")
def _(docker: Cli) -> None:
    done = build(docker, "FROM 127.0.0.1:9/none/at-all:1\n", code=1)
    tells(done, "Dockerfile:1", "127.0.0.1:9/none/at-all:1", "connection refused")


CHECKED = "from IMAGE as one\nFROM IMAGE\nENV a 1\nWORKDIR rel\nCMD echo x\nMAINTAINER me\n"


@scenario("build", "--check: what there is to say, and the exit code")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", CHECKED)
    done = docker("build --check DIR/ctx", code=1, err=ANY)
    for rule in ("ConsistentInstructionCasing", "LegacyKeyValueFormat", "JSONArgsRecommended", "MaintainerDeprecated"):
        holds(rule in done.out, f"{rule} is not in {done.out!r}")
    docker.file("ctx/Dockerfile", 'FROM IMAGE\nCMD ["x"]\n')
    done = docker("build --check DIR/ctx", err=ANY)
    holds("Check complete, no warnings found." in done.out, f"{done.out!r}")


@scenario("build", "--call check as JSON: rules, lines")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", CHECKED)
    found = json.loads(docker("build --call check,format=json DIR/ctx", code=None, err=ANY).out)
    rules = {each["ruleName"]: each["location"]["ranges"][0]["start"]["line"] for each in found["warnings"]}
    wanted = {"LegacyKeyValueFormat": 3, "WorkdirRelativePath": 4, "JSONArgsRecommended": 5, "MaintainerDeprecated": 6}
    same({rule: rules.get(rule) for rule in wanted}, wanted)


@scenario("build", "checks: what a file leaves out, and what it takes for errors")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "# check=skip=all\n" + CHECKED)
    holds("no warnings found" in docker("build --check DIR/ctx", err=ANY).out, "skip=all skips nothing")
    done = build(docker, "# check=error=true\nFROM IMAGE\nCMD echo x\n", code=1)
    tells(done, "lint violation found for rules: JSONArgsRecommended")


@scenario("build", "warnings are told by a build, too")
def _(docker: Cli) -> None:
    done = build(docker, CHECKED)
    tells(done, "warnings found", "LegacyKeyValueFormat", "(line 3)")
    done = build(docker, "FROM IMAGE\nENV MY_PASSWORD=x\nRUN echo $UNKNOWN\n")
    tells(done, "SecretsUsedInArgOrEnv", "(line 2)")


@scenario("build", "--call outline and targets")
def _(docker: Cli) -> None:
    docker.file(
        "ctx/Dockerfile",
        "# the first stage\nFROM IMAGE AS first\n# V is a version\nARG V=1\nRUN --mount=type=secret,id=tok true $V\nFROM IMAGE AS second\n",
    )
    done = docker("build --call outline --target first DIR/ctx", err=ANY)
    holds(all(word in done.out for word in ("first", "V", "tok")), f"{done.out!r}")
    found = json.loads(docker("build --call targets,format=json DIR/ctx", err=ANY).out)
    same([each["name"] for each in found["targets"]], ["first", "second"])
    holds(found["targets"][1].get("default") is True, f"{found}")


@scenario("build", "a build that is interrupted ends, and its step with it")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nRUN echo begun; sleep 4242\n")
    running = docker.begin("build --progress plain -t @built DIR/ctx")

    def begun() -> None:
        if b"begun" not in bytes(running.err):
            raise Mismatch(f"the step does not begin: {bytes(running.err)!r}")

    eventually(begun, 60)
    began = time.monotonic()
    running.signal(signal.SIGINT)
    running.wait(code=None)
    holds(running.process.returncode != 0 and time.monotonic() - began < 20, "the client does not end")
    holds(b"cancel" in bytes(running.err).lower(), f"{bytes(running.err)!r}")
    docker("image inspect @built", code=1)
