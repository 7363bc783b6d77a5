"""buildx beside `build`: bake, what is used, what was built."""

import json
import re

from conformance.building import build, shows
from conformance.checks import has, holds, same
from conformance.docker_cli import ANY, Cli, Done, scenario

BAKE = """
variable "TAG" { default = "PREFIX" }
variable "N" { default = "1" }
group "default" { targets = ["one", "two"] }
target "base" {
  context = "DIR/ctx"
  args = { N = N }
}
target "one" {
  inherits = ["base"]
  tags = ["${TAG}baked:one"]
  labels = { l = "one" }
}
target "two" {
  inherits = ["base"]
  tags = ["${TAG}baked:two"]
  args = { N = "two" }
  target = "second"
}
"""


def bake(docker: Cli, text: str, line: str = "", name: str = "bake.hcl", **more: str) -> Done:
    docker.file(name, text)
    return docker(
        f"buildx bake --progress plain --allow=fs=* -f DIR/{name} {line}", err=ANY, out=ANY, timeout=120, env=more
    )


@scenario("build", "bake: groups, inheritance, variables, targets")
def _(docker: Cli) -> None:
    docker.file(
        "ctx/Dockerfile",
        "FROM IMAGE AS first\nARG N\nRUN echo $N > /n\nFROM first AS second\nRUN echo 2nd > /m\nFROM first\n",
    )
    bake(docker, BAKE, N="given")
    shows(docker, "cat /n", "given\n", "@baked:one")
    shows(docker, "cat /n /m", "two\n2nd\n", "@baked:two")
    same(docker.inspect("@baked:one", "image")["Config"]["Labels"]["l"], "one")


@scenario("build", "bake: --print, --set, one target")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nARG N\nRUN echo $N > /n\n")
    found = json.loads(bake(docker, BAKE, "--print one").out)
    has(found["target"]["one"]["args"], {"N": "1"})
    bake(docker, BAKE, "--set one.args.N=set one")
    shows(docker, "cat /n", "set\n", "@baked:one")
    docker("image inspect @baked:two", code=1)


@scenario("build", "bake: a matrix, an inline Dockerfile")
def _(docker: Cli) -> None:
    docker.file("ctx/x", "")
    bake(
        docker,
        'target "default" {\n  name = "m-${v}"\n  matrix = { v = ["1", "2"] }\n  context = "DIR/ctx"\n  args = { V = v }\n'
        '  dockerfile-inline = "FROM IMAGE\\nARG V\\nRUN echo $V > /v\\n"\n  tags = ["PREFIX" == "" ? "" : "@baked:${v}"]\n}\n',
    )
    for version in ("1", "2"):
        shows(docker, "cat /v", f"{version}\n", f"@baked:{version}")


@scenario(
    "build", "bake: a target is the named context of another one", machine="dockerd 28 at times loses the inner result"
)
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nRUN echo base > /b\n")
    docker.file("app/Dockerfile", "FROM base\nRUN cat /b > /a\n")
    bake(
        docker,
        'target "base" { context = "DIR/ctx" }\n'
        'target "default" {\n  context = "DIR/app"\n  contexts = { base = "target:base" }\n  tags = ["@baked:1"]\n}\n',
    )
    shows(docker, "cat /a", "base\n", "@baked:1")


@scenario("build", "bake: a compose file, secrets and outputs")
def _(docker: Cli) -> None:
    docker.file(
        "ctx/Dockerfile",
        "FROM IMAGE AS b\nRUN --mount=type=secret,id=s cat /run/secrets/s > /s\nFROM scratch\nCOPY --from=b /s /s\n",
    )
    docker.file("s", "hidden\n")
    bake(
        docker,
        "services: {web: {image: '@baked:web', build: {context: DIR/ctx, secrets: [s]}}}\nsecrets: {s: {file: DIR/s}}\n",
        name="compose.yaml",
    )
    docker.inspect("@baked:web", "image")
    bake(
        docker,
        'target "default" {\n  context = "DIR/ctx"\n  secret = ["id=s,src=DIR/s"]\n  output = ["type=local,dest=DIR/out"]\n}\n',
    )
    same((docker.directory / "out/s").read_text(), "hidden\n")


@scenario("build", "bake: a target that fails, one that there is not")
def _(docker: Cli) -> None:
    docker.file("ctx/Dockerfile", "FROM IMAGE\nRUN exit 9\n")
    docker.file("bake.hcl", 'target "default" { context = "DIR/ctx" }\n')
    done = docker("buildx bake --progress plain --allow=fs=* -f DIR/bake.hcl", code=1)
    holds("exit code: 9" in done.err, f"{done.err!r}")
    done = docker("buildx bake -f DIR/bake.hcl none", code=1)
    holds("failed to find target none" in done.err, f"{done.err!r}")


@scenario("build", "buildx ls and inspect: the builder and what it can")
def _(docker: Cli) -> None:
    rows = [json.loads(line) for line in docker("buildx ls --format json").lines]
    found = next(row for row in rows if row["Name"] == "default")
    same(found["Driver"], "docker")
    text = docker("buildx inspect --bootstrap").out
    for pattern in (
        r"Name: +default",
        r"Driver: +docker",
        r"Status: +running",
        r"Platforms: +linux/amd64",
        r"GC Policy rule#0:",
    ):
        holds(re.search(pattern, text) is not None, f"{pattern} is not in {text!r}")


@scenario("build", "buildx du: entries, verbose, filters")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN --mount=type=cache,target=/c,id=@du echo du-marker > /c/x\n")
    text = docker("buildx du").out
    holds(re.search(r"^ID\s+RECLAIMABLE\s+SIZE\s+LAST ACCESSED", text) is not None and "Total:" in text, f"{text!r}")
    text = docker("buildx du --verbose --filter type=exec.cachemount").out
    holds("exec.cachemount" in text and "regular" not in text, f"{text!r}")
    holds("du-marker" in docker("buildx du --verbose").out, "the step is not told")


@scenario("build", "buildx prune: a filter, everything; the next build does it again")
def _(docker: Cli) -> None:
    text = (
        "FROM IMAGE\nRUN --mount=type=cache,target=/c,id=@pr echo x > /c/x\nRUN cat /proc/sys/kernel/random/uuid > /u\n"
    )
    build(docker, text)
    first = docker("run --rm @built cat /u").word
    docker("buildx prune -f --filter type=exec.cachemount", out=ANY)
    holds("CACHED" in build(docker, text).err, "all is gone")
    docker("rmi -f @built", out=ANY)
    holds("Total:" in docker("buildx prune -af").out, "prune does not tell what it did")
    build(docker, text)
    holds(docker("run --rm @built cat /u").word != first, "nothing was pruned")


def latest(docker: Cli) -> dict[str, str]:
    rows = [json.loads(line) for line in docker("buildx history ls --no-trunc --format json").lines]
    found: dict[str, str] = max(rows, key=lambda row: row["created_at"])
    return found


@scenario("build", "history ls and inspect: a build that went well")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nARG A=1\nRUN true\n", "-t @built --build-arg A=2")
    row = latest(docker)
    same(row["status"], "Completed")
    reference = row["ref"].rpartition("/")[2]
    text = docker(f"buildx history inspect {reference}").out
    for pattern in (r"Name:\s+ctx", r"Build Steps:\s+\d", r"A\s+2"):
        holds(re.search(pattern, text) is not None, f"{pattern} is not in {text!r}")
    found = docker(f"buildx history inspect --format json {reference}").json
    same((found["Status"], found["Dockerfile"]), ("completed", "Dockerfile"))


@scenario("build", "history logs: what the steps said")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN echo marked-42\n", "-t @built --no-cache")
    reference = latest(docker)["ref"].rpartition("/")[2]
    done = docker(f"buildx history logs --progress plain {reference}", err=ANY)
    holds("marked-42" in done.out + done.err, f"{done.out!r} {done.err!r}")


@scenario("build", "history: a build that failed, and removal")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN exit 5\n", code=1)
    row = latest(docker)
    same(row["status"], "Error")
    reference = row["ref"].rpartition("/")[2]
    text = docker(f"buildx history inspect {reference}").out
    holds("exit code: 5" in text and "Error" in text, f"{text!r}")
    docker(f"buildx history rm {reference}", out=ANY)
    docker(f"buildx history inspect {reference}", code=1)


@scenario("build", "system df and builder prune know the build cache")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN echo x > /x\n")
    rows = [json.loads(line) for line in docker("system df --format json").lines]
    row = next(row for row in rows if row["Type"] == "Build Cache")
    holds(int(row["TotalCount"]) > 0, f"{row}")
    holds("Total" in docker("builder prune -f --filter until=1000h").out, "prune does not tell what it did")
