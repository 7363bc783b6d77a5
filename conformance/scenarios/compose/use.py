"""docker compose: what is done with a project that runs."""

import json
import re
import time

from conformance.checks import eventually, has, holds, same
from conformance.compose import Compose, scenario
from conformance.projects import SLEEP, TWO


@scenario("use", "exec: output, code, user, environment, workdir, -T and input")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d --scale db=2")
    compose("exec web sh -c 'echo out; exit 4'", out="out\n", code=4)
    compose("exec -u nobody -w /tmp -e A=1 web sh -c 'id -u; pwd; echo $A'", out="65534\n/tmp\n1\n")
    compose("exec -T web cat", stdin="given", out="given")
    compose("exec --index 2 db hostname", out=re.compile("[0-9a-f]{12}\n"))
    done = compose("exec nothing true", code=1)
    holds('service "nothing" is not running' in done.err, f"errors: {done.err!r}")


@scenario("use", "run: one-off containers with their code, and --rm")
def _(compose: Compose) -> None:
    compose.project(TWO.replace("  web:\n", "  web:\n    depends_on: [db]\n    environment: {A: one}\n"))
    compose("run --rm web sh -c 'echo $A; exit 6'", out="one\n", code=6)
    same(compose.names("-a"), ["db-1"])
    compose("run --rm -T --no-deps -e A=two --entrypoint sh web -c 'cat; echo $A'", stdin="given\n", out="given\ntwo\n")
    compose("run -d --name @oneoff web sleep 1000")
    compose.docker("inspect -f '{{index .Config.Labels \"com.docker.compose.oneoff\"}}' @oneoff", out="True\n")


@scenario("use", "logs: prefixed, of one service, --tail, -f, --since")
def _(compose: Compose) -> None:
    compose.project(
        "services: {a: {image: IMAGE, command: seq 3}, b: {image: IMAGE, command: sh -c 'for n in 1 2 3; do echo b$$n; sleep 0.3; done'}}"
    )
    compose("up -d")
    client = compose.begin("logs -f --no-log-prefix b")
    client.until("b3")
    wanted = ["a-1|1", "a-1|2", "a-1|3", "b-1|b1", "b-1|b2", "b-1|b3"]
    same(sorted(compose("logs --no-color").out.replace(" ", "").splitlines()), wanted)
    compose("logs --no-log-prefix --tail 1 a", out="3\n")
    compose("logs --no-log-prefix --since 1h a", out="1\n2\n3\n")
    holds(compose("logs -t --no-log-prefix --tail 1 a").out.endswith("Z 3\n"), "no timestamp")


@scenario("use", "logs -f follows a service that comes later and one that restarts")
def _(compose: Compose) -> None:
    compose.project(SLEEP.replace("sleep 1000", "sh -c 'echo begun; sleep 1000'"))
    compose("up -d")
    client = compose.begin("logs -f --no-log-prefix")
    client.until("begun")
    compose("restart -t 0 web")
    eventually(lambda: same(client.text.count("begun"), 2, client.text), 20)


@scenario("use", "cp in and out")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d")
    compose.file("f", "copied")
    compose(f"cp {compose.directory}/f web:/tmp/f")
    compose("exec web cat /tmp/f", out="copied")
    compose(f"cp web:/tmp/f {compose.directory}/back")
    same((compose.directory / "back").read_text(), "copied")


@scenario("use", "stop, start, restart, kill, pause, unpause, rm")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    compose("stop web")
    same(compose.names(), ["db-1"])
    compose("start web")
    compose("pause db")
    same(json.loads(compose("ps --format json db").out)["State"], "paused")
    compose("unpause db")
    compose("restart -t 0", timeout=60)
    compose("kill -s KILL web")
    eventually(lambda: same(compose.names(), ["db-1"]))
    compose("rm -f web")
    same(compose.names("-a"), ["db-1"])


@scenario("use", "ps: json, filters, exited ones with -a")
def _(compose: Compose) -> None:
    compose.project(
        "services: {job: {image: IMAGE, command: sh -c 'exit 3'}, web: {image: IMAGE, init: true, command: sleep 1000}}"
    )
    compose("up -d")
    eventually(lambda: same(compose.names("--status exited"), ["job-1"]))
    rows = [json.loads(line) for line in compose("ps -a --format json").out.splitlines()]
    has(
        {row["Service"]: row for row in rows},
        {
            "job": {"State": "exited", "ExitCode": 3, "Project": compose.name, "Image": compose.target.image},
            "web": {"State": "running", "ExitCode": 0, "Health": "", "Command": re.compile('"sleep 1000"|"/.*')},
        },
    )
    compose("ps --services", out="web\n")


@scenario("use", "ls, images, top, events, wait, version")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d")
    done = compose.docker("compose ls --format json")
    holds(any(row["Name"] == compose.name and row["Status"] == "running(1)" for row in done.json), f"ls: {done.out!r}")
    (row,) = json.loads(compose("images --format json").out)
    same(f"{row['Repository']}:{row['Tag']}", compose.target.image)
    holds("sleep 1000" in compose("top").out, "top")
    client = compose.begin("events --json")
    time.sleep(0.7)
    compose("kill web")
    text = client.until('"die"')
    has(json.loads(text.splitlines()[0]), {"type": "container", "service": "web"})


@scenario("use", "wait: the code of the service that ends first")
def _(compose: Compose) -> None:
    compose.project("services: {job: {image: IMAGE, command: sh -c 'sleep 1; exit 5'}}")
    compose("up -d")
    compose("wait job", code=5)


@scenario("use", "profiles")
def _(compose: Compose) -> None:
    compose.project(TWO.replace("  db:\n", "  db:\n    profiles: [extra]\n"))
    compose("up -d")
    same(compose.names(), ["web-1"])
    compose("--profile extra up -d")
    same(compose.names(), ["db-1", "web-1"])
    compose("--profile extra down")
    same(compose.names("-a"), [])


@scenario("use", "variables, .env, env_file, defaults")
def _(compose: Compose) -> None:
    compose.file(".env", "WHO=dotenv\n")
    compose.file("more.env", "FILE=from file\nOVER=file\n")
    compose.project(
        """
services:
  web:
    image: IMAGE
    command: sh -c 'echo "$$A,$$B,$$FILE,$$OVER"'
    env_file: more.env
    environment: {A: "${WHO}", B: "${NOT_THERE:-default}", OVER: given}
"""
    )
    compose("up")
    compose("logs --no-log-prefix", out="dotenv,default,from file,given\n")


@scenario("use", "labels, container_name, what compose writes on its containers")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    container_name: '@named'\n    labels: {k: v}\n")
    compose("up -d")
    labels = compose.docker.inspect("@named")["Config"]["Labels"]
    has(
        labels,
        {
            "k": "v",
            "com.docker.compose.project": compose.name,
            "com.docker.compose.service": "web",
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.image": compose.docker.inspect("IMAGE", "image")["Id"],
        },
    )


@scenario("use", "restart policies and stop_grace_period")
def _(compose: Compose) -> None:
    compose.project(
        "services: {web: {image: IMAGE, command: sh -c 'sleep 0.2; exit 1', restart: 'on-failure:2', stop_grace_period: 1s}}"
    )
    compose("up -d")
    name = f"{compose.name}-web-1"
    eventually(lambda: has(compose.docker.inspect(name), {"RestartCount": 2, "State": {"Status": "exited"}}), 30)
    same(compose.docker.inspect(name)["Config"]["StopTimeout"], 1)


@scenario("use", "limits, capabilities, ulimits, sysctls, read_only, user")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web:
    image: IMAGE
    command:
      - sh
      - -c
      - id -u; ulimit -n; cat /proc/sys/net/core/somaxconn; grep CapEff /proc/self/status; touch /x 2>/dev/null || echo read-only
    user: "65534"
    read_only: true
    cap_drop: [ALL]
    ulimits: {nofile: {soft: 100, hard: 200}}
    sysctls: {net.core.somaxconn: 1024}
    mem_limit: 64m
    memswap_limit: 64m
    pids_limit: 50
    cpus: 0.5
"""
    )
    compose("up")
    compose("logs --no-log-prefix", out="65534\n100\n1024\nCapEff:\t0000000000000000\nread-only\n")
    has(
        compose.docker.inspect(f"{compose.name}-web-1")["HostConfig"],
        {"Memory": 64 << 20, "PidsLimit": 50, "NanoCpus": 500_000_000},
    )


@scenario("use", "extends, several files, anchors")
def _(compose: Compose) -> None:
    compose.file("base.yaml", "services: {common: {image: IMAGE, environment: {A: base, B: base}}}")
    compose.project(
        "services: {web: {extends: {file: base.yaml, service: common}, environment: {B: own}, command: sh -c 'echo $$A $$B'}}"
    )
    compose("up")
    compose("logs --no-log-prefix", out="base own\n")


@scenario("use", "post_start and pre_stop hooks")
def _(compose: Compose) -> None:
    compose.project(
        SLEEP
        + "    volumes: ['./out:/out']\n    post_start: [{command: touch /out/started}]\n    pre_stop: [{command: touch /out/stopping}]\n"
    )
    compose("up -d")
    eventually(lambda: holds((compose.directory / "out/started").exists(), "post_start has not run"))
    compose("down")
    holds((compose.directory / "out/stopping").exists(), "pre_stop has not run")


@scenario("use", "up --wait after a crash of a service: up mends it")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d --wait")
    compose.docker(f"rm -f {compose.name}-db-1")
    compose("up -d --wait")
    same(compose.names(), ["db-1", "web-1"])


@scenario("use", "10 services at once")
def _(compose: Compose) -> None:
    services = "".join(f"  s{n}: {{image: IMAGE, init: true, command: sleep 1000}}\n" for n in range(10))
    compose.project(f"services:\n{services}")
    compose("up -d --wait", timeout=90)
    same(len(compose.names()), 10)
    compose("down -t 1", timeout=90)
    same(compose.names("-a"), [])


@scenario("use", "commit and export of a service")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d")
    compose("exec web touch /made")
    compose("commit web @made:1")
    compose.docker("run --rm @made:1 ls /made", out="/made\n")
    compose(f"export -o {compose.directory}/web.tar web")
    holds((compose.directory / "web.tar").stat().st_size > 1_000_000, "the archive is empty")


@scenario("use", "attach, stats, volumes")
def _(compose: Compose) -> None:
    compose.project(
        "services: {web: {image: IMAGE, command: sh -c 'sleep 1; echo out; exit 3', volumes: ['data:/data']}}\nvolumes: {data: {}}"
    )
    compose("up -d")
    compose("attach --no-stdin web", out="out\n", code=None)
    compose("volumes -q", out=f"{compose.name}_data\n")
