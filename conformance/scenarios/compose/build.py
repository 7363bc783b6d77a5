"""docker compose: images that a project builds, and `watch`."""

import time

from conformance.checks import eventually, holds
from conformance.compose import Compose, scenario

DOCKERFILE = 'FROM IMAGE\nARG WHO=nobody\nRUN echo built for $WHO > /made\nCOPY f /f\nCMD ["cat", "/made", "/f"]\n'


@scenario("build", "build and up --build with arguments")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", DOCKERFILE)
    compose.file("f", "copied\n")
    compose.project("services: {web: {image: '@built:1', build: {context: ., args: {WHO: me}}}}")
    compose("up --build", timeout=120)
    compose("logs --no-log-prefix", out="built for me\ncopied\n")
    compose("down --rmi all")
    compose.docker("image inspect @built:1", code=1)


@scenario("build", "build alone, a target, --no-cache")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", "FROM IMAGE AS one\nRUN echo one > /stage\nFROM one AS two\nRUN echo two > /stage\n")
    compose.project("services: {web: {image: '@built:1', build: {context: ., target: one}, command: cat /stage}}")
    compose("build --no-cache", timeout=120)
    compose("run --rm web", out="one\n")


@scenario("build", "dockerfile_inline, and a step that fails")
def _(compose: Compose) -> None:
    compose.project(
        'services: {web: {image: "@built:1", build: {dockerfile_inline: "FROM IMAGE\\nRUN echo inline > /made\\nCMD cat /made\\n"}}}'
    )
    compose("up --build", timeout=120)
    compose("logs --no-log-prefix", out="inline\n")
    compose.project('services: {web: {image: "@built:2", build: {dockerfile_inline: "FROM IMAGE\\nRUN exit 7\\n"}}}')
    done = compose("build", code=None, timeout=120)
    holds(done.code != 0 and "exit code: 7" in done.err + done.out, f"{done.code} {done.err[-300:]!r}")


@scenario("build", "watch: sync, and a rebuild")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", "FROM IMAGE\nCOPY src /src\nCMD sleep 1000\n")
    compose.file("src/f", "old\n")
    compose.project(
        "services: {web: {image: '@built:1', init: true, build: ., develop: {watch: [{action: sync, path: ./src, target: /src}]}}}"
    )
    compose("up -d --build", timeout=120)
    compose.begin("watch --no-up")
    time.sleep(2)
    compose.file("src/f", "new\n")
    eventually(lambda: compose("exec web cat /src/f", out="new\n"), 20)
