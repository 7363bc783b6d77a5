"""docker compose: images that a project builds, and `watch`."""

import time

from conformance.checks import eventually, holds, same
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


@scenario("build", "labels, tags, a Dockerfile elsewhere, extra hosts, shm_size")
def _(compose: Compose) -> None:
    compose.file(
        "docker/My.Dockerfile",
        "FROM IMAGE\nRUN grep -c 10.1.2.3 /etc/hosts > /a; df -k /dev/shm | tail -1 | awk '{print $2}' >> /a\nCMD cat /a\n",
    )
    compose.project(
        "services: {web: {image: '@built:1', build: {context: ., dockerfile: docker/My.Dockerfile, labels: {l: v}, "
        "tags: ['@built:2'], extra_hosts: ['db:10.1.2.3'], shm_size: 2m}}}"
    )
    compose("build", timeout=120)
    compose("run --rm web", out="1\n2048\n")
    same(compose.docker.inspect("@built:2", "image")["Config"]["Labels"]["l"], "v")


@scenario("build", "additional contexts: a directory, another service")
def _(compose: Compose) -> None:
    compose.file("other/f", "of another directory\n")
    compose.file("web/Dockerfile", "FROM base\nCOPY --from=more f /f\nCMD cat /f /base\n")
    compose.file("base/Dockerfile", "FROM IMAGE\nRUN echo base > /base\n")
    compose.project(
        "services:\n  base: {image: '@built:base', build: ./base}\n"
        "  web: {image: '@built:web', build: {context: ./web, additional_contexts: {more: ./other, base: 'service:base'}}}\n"
    )
    compose("build", timeout=120)
    compose("run --rm --no-deps web", out="of another directory\nbase\n")


@scenario("build", "secrets of a build, from a file and from the environment")
def _(compose: Compose) -> None:
    compose.file("s", "filed\n")
    compose.file(
        "Dockerfile",
        "FROM IMAGE\nRUN --mount=type=secret,id=a cat /run/secrets/a > /a\n"
        "RUN --mount=type=secret,id=b cat /run/secrets/b >> /a\nCMD cat /a\n",
    )
    compose.project(
        "services: {web: {image: '@built:1', build: {context: ., secrets: [a, b]}}}\nsecrets: {a: {file: ./s}, b: {environment: GIVEN}}\n"
    )
    compose("build", timeout=120, env={"GIVEN": "given"})
    compose("run --rm web", out="filed\ngiven", env={"GIVEN": "given"})


@scenario("build", "several services at once, --build-arg, one alone")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", "FROM IMAGE\nARG W=none\nRUN echo $W > /w\nCMD cat /w\n")
    compose.project("services:\n  a: {image: '@built:a', build: .}\n  b: {image: '@built:b', build: .}\n")
    compose("build --build-arg W=both", timeout=120)
    for name in ("a", "b"):
        compose(f"run --rm {name}", out="both\n")
    compose("build --build-arg W=alone b", timeout=120)
    compose("run --rm a", out="both\n")
    compose("run --rm b", out="alone\n")


@scenario("build", "up --build builds anew what has changed, and makes the container anew")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", "FROM IMAGE\nCOPY f /f\nCMD cat /f && sleep 1000\n")
    compose.project("services: {web: {image: '@built:1', init: true, build: .}}")
    for text in ("old\n", "new\n"):
        compose.file("f", text)
        compose("up -d --build", timeout=120)
        eventually(lambda text=text: compose("logs --no-log-prefix web", out=text), 20)  # type: ignore[misc]
