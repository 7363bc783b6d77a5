"""A container's life: create, start, stop, kill, pause, restart, rename, wait, rm, restart policies."""

import re
import time

from conformance.checks import Mismatch, eventually, has, holds, same
from conformance.docker_cli import Cli, scenario

ZERO = "0001-01-01T00:00:00Z"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@scenario("life", "created, running, exited: what inspect says of each", smoke=True)
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE sh -c 'sleep 1; exit 3'")
    has(
        docker.state("@c"),
        {
            "Status": "created",
            "Running": False,
            "Paused": False,
            "Restarting": False,
            "OOMKilled": False,
            "Dead": False,
            "Pid": 0,
            "ExitCode": 0,
            "Error": "",
            "StartedAt": ZERO,
            "FinishedAt": ZERO,
        },
        "State",
    )
    docker("start @c", out="@c\n")
    state = docker.state("@c")
    has(state, {"Status": "running", "Running": True, "StartedAt": TIME, "FinishedAt": ZERO}, "State")
    holds(state["Pid"] > 0, f"State.Pid {state['Pid']}")
    docker("wait @c", out="3\n")
    has(
        docker.state("@c"), {"Status": "exited", "Running": False, "Pid": 0, "ExitCode": 3, "FinishedAt": TIME}, "State"
    )


@scenario("life", "start of a running one says nothing")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("start @c", out="@c\n")


@scenario("life", "start again: a new run, the old files")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'echo x >> /log; wc -l < /log'", out="1\n")
    docker("start -a @c", out="2\n")
    docker("logs @c", out="1\n2\n")


@scenario("life", "stop is SIGTERM, then SIGKILL after -t")
def _(docker: Cli) -> None:
    docker("run -d --name @a IMAGE sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.1; done'")
    docker("stop @a", out="@a\n", timeout=9)
    same(docker.state("@a")["ExitCode"], 0, "State.ExitCode")
    docker("run -d --name @b IMAGE sleep 1000")
    docker("stop -t 1 @b", out="@b\n", timeout=9)
    same(docker.state("@b")["ExitCode"], 137, "State.ExitCode")
    docker("stop @b", out="@b\n")


@scenario("life", "stop -s sends another signal")
def _(docker: Cli) -> None:
    docker("run -d --name @a IMAGE sh -c 'trap \"exit 11\" HUP; while :; do sleep 0.1; done'")
    docker("stop -s HUP @a", out="@a\n", timeout=9)
    same(docker.state("@a")["ExitCode"], 11, "State.ExitCode")


@scenario("life", "stop several at once")
def _(docker: Cli) -> None:
    for name in "abc":
        docker(f"run -d --name @{name}1 --init IMAGE sleep 1000")
    docker("stop @a1 @b1 @c1", out="@a1\n@b1\n@c1\n", timeout=20)


@scenario("life", "kill, with a signal by name, number and SIG name")
def _(docker: Cli) -> None:
    script = 'for s in HUP USR1 USR2; do trap "echo $s" $s; done; echo up; while :; do sleep 0.1; done'
    docker(f"run -d --name @c IMAGE sh -c '{script}'")
    eventually(lambda: docker("logs @c", out="up\n"))
    for given, seen in (("HUP", "HUP"), ("SIGUSR1", "USR1"), ("12", "USR2"), ("usr1", "USR1")):
        before = docker("logs @c").out
        docker(f"kill -s {given} @c", out="@c\n")
        eventually(lambda: docker("logs @c", out=f"{before}{seen}\n"))  # noqa: B023
    docker("kill @c", out="@c\n")
    docker("wait @c", out="137\n")


@scenario("life", "kill of a stopped one, and with a signal that is none")
def _(docker: Cli) -> None:
    identifier = docker("run -d --name @c IMAGE true").word
    docker("wait @c")
    name = docker.target.expand("@c")
    docker(
        "kill @c",
        code=1,
        err=f"Error response from daemon: cannot kill container: {name}: container {identifier} is not running",
    )
    docker("run -d --name @d IMAGE sleep 1000")
    docker(
        "kill -s NOTHING @d",
        code=1,
        err="Error response from daemon: cannot kill container: @d: invalid signal: NOTHING",
    )


@scenario("life", "pause holds every process, unpause lets them go on")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done'")
    docker("pause @c", out="@c\n")
    has(docker.state("@c"), {"Status": "paused", "Running": True, "Paused": True}, "State")
    docker("ps --filter name=@c --format '{{.Status}}'", out=re.compile(r"Up .* \(Paused\)\n"))
    before = docker("logs --tail 1 @c").out
    time.sleep(0.5)
    docker("logs --tail 1 @c", out=before)
    docker("pause @c", code=1, err=re.compile("Error response from daemon: Container [0-9a-f]{64} is already paused"))
    docker("unpause @c", out="@c\n")

    def moved() -> None:
        if docker("logs --tail 1 @c").out == before:
            raise Mismatch("nothing is written after unpause")

    eventually(moved)
    docker("unpause @c", code=1, err=re.compile("Error response from daemon: Container [0-9a-f]{64} is not paused"))


@scenario("life", "a paused one can be stopped and killed")
def _(docker: Cli) -> None:
    docker("run -d --name @a --init IMAGE sleep 1000")
    docker("pause @a")
    docker("stop @a", out="@a\n", timeout=25)
    docker("run -d --name @b IMAGE sleep 1000")
    docker("pause @b")
    docker("kill @b", out="@b\n")
    docker("wait @b", out="137\n")


@scenario("life", "restart: another process, StartedAt anew, RestartCount as it was")
def _(docker: Cli) -> None:
    docker("run -d --name @c --init IMAGE sleep 1000")
    before = docker.inspect("@c")
    docker("restart @c", out="@c\n")
    after = docker.inspect("@c")
    holds(before["State"]["Pid"] != after["State"]["Pid"], "the same Pid")
    holds(before["State"]["StartedAt"] < after["State"]["StartedAt"], "StartedAt is the old one")
    same(after["RestartCount"], 0, "RestartCount")
    docker("restart -t 0 @c", out="@c\n")


@scenario("life", "restart of a stopped one starts it")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE sleep 1000")
    docker("restart @c", out="@c\n")
    same(docker.state("@c")["Running"], True, "State.Running")


@scenario("life", "rename, also while it runs")
def _(docker: Cli) -> None:
    docker("run -d --name @a IMAGE sleep 1000")
    docker("rename @a @b", out="")
    docker("inspect -f '{{.Name}}' @b", out="/@b\n".replace("/@", "/" + docker.target.prefix))
    docker("inspect --type container @a", code=1)
    docker("run -d --name @a IMAGE sleep 1000")
    done = docker("rename @a @b", code=1)
    holds(f'The container name "/{docker.target.prefix}b" is already in use' in done.err, f"errors: {done.err!r}")
    done = docker("rename @b @b", code=1)
    holds("Renaming a container with the same name as its current name" in done.err, f"errors: {done.err!r}")


@scenario("life", "wait for several, in the order asked for")
def _(docker: Cli) -> None:
    docker("run -d --name @a IMAGE sh -c 'sleep 1; exit 1'")
    docker("run -d --name @b IMAGE sh -c 'exit 2'")
    docker("wait @a @b", out="1\n2\n")


@scenario("life", "wait of one that is not there")
def _(docker: Cli) -> None:
    docker("wait @nothing", code=1, out="", err="Error response from daemon: No such container: @nothing")


@scenario("life", "rm of a running one is refused, -f kills it")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    name = docker.target.expand("@c")
    docker(
        "rm @c",
        code=1,
        err=f'Error response from daemon: cannot remove container "{name}": container is running: '
        "stop the container before removing or force remove",
    )
    docker("rm -f @c", out="@c\n")
    docker("rm -f @c", out="", err="Error response from daemon: No such container: @c")
    docker("rm @c", code=1, err="Error response from daemon: No such container: @c")


@scenario("life", "rm of a paused one is refused")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("pause @c")
    name = docker.target.expand("@c")
    docker(
        "rm @c",
        code=1,
        err=f'Error response from daemon: cannot remove container "{name}": container is paused and must be unpaused first',
    )
    docker("rm -f @c", out="@c\n")


@scenario("life", "rm -v takes anonymous volumes, rm leaves them")
def _(docker: Cli) -> None:
    docker("create --name @a -v /data IMAGE true")
    volume = docker.inspect("@a")["Mounts"][0]["Name"]
    docker("rm -v @a")
    docker(f"volume inspect {volume}", code=1)
    docker("create --name @b -v /data IMAGE true")
    volume = docker.inspect("@b")["Mounts"][0]["Name"]
    docker("rm @b")
    docker(f"volume rm {volume}", out=f"{volume}\n")


@scenario("life", "by full id, short id, prefix and name")
def _(docker: Cli) -> None:
    identifier = docker("create --name @c IMAGE true").word
    for way in (identifier, identifier[:12], identifier[:7], "@c", "/@c"):
        docker(f"inspect --type container -f '{{{{.Id}}}}' {way}", out=f"{identifier}\n")


@scenario("life", "start of a command that is not there: error, code and state")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE nothing-like-it")
    done = docker("start @c", code=1)
    holds('exec: "nothing-like-it": executable file not found in $PATH' in done.err, f"errors: {done.err!r}")
    state = docker.state("@c")
    has(state, {"Status": "created", "Running": False, "ExitCode": 127}, "State")
    holds("executable file not found in $PATH" in state["Error"], f"State.Error {state['Error']!r}")


@scenario("life", "--restart on-failure:2 tries twice more and stops")
def _(docker: Cli) -> None:
    docker("run -d --name @c --restart on-failure:2 IMAGE sh -c 'echo run; exit 4'")
    eventually(lambda: has(docker.inspect("@c"), {"RestartCount": 2, "State": {"Status": "exited"}}), 20)
    has(docker.state("@c"), {"ExitCode": 4, "Restarting": False}, "State")
    docker("logs @c", out="run\nrun\nrun\n")


@scenario("life", "--restart on-failure does not restart after 0")
def _(docker: Cli) -> None:
    docker("run -d --name @c --restart on-failure IMAGE true")
    docker("wait @c", out="0\n")
    time.sleep(0.5)
    has(docker.inspect("@c"), {"RestartCount": 0, "State": {"Status": "exited"}})


@scenario("life", "--restart always comes back, stop ends it")
def _(docker: Cli) -> None:
    docker("run -d --name @c --restart always IMAGE sh -c 'sleep 0.3'")

    def twice() -> None:
        holds(docker.inspect("@c")["RestartCount"] >= 2, "it is not restarted twice")

    eventually(twice, 20)
    docker("stop @c", out="@c\n")
    time.sleep(1)
    has(docker.state("@c"), {"Status": "exited", "Running": False}, "State")
    count = docker.inspect("@c")["RestartCount"]
    docker("start @c")
    same(docker.inspect("@c")["RestartCount"], 0, f"RestartCount after start (before: {count})")


@scenario("life", "--restart always: kill ends it too")
def _(docker: Cli) -> None:
    docker("run -d --name @c --restart always IMAGE sleep 1000")
    docker("kill @c")
    docker("wait @c", out="137\n")
    time.sleep(0.7)
    has(docker.state("@c"), {"Running": False}, "State")


@scenario("life", "--restart with --rm is refused")
def _(docker: Cli) -> None:
    docker("run --rm --restart always IMAGE true", code=125, out="")


@scenario("life", "a wrong restart policy is refused")
def _(docker: Cli) -> None:
    done = docker("run --restart sometimes IMAGE true", code=125, out="")
    holds("invalid restart policy: unknown policy 'sometimes'" in done.err, f"errors: {done.err!r}")
    done = docker("run --restart always:3 IMAGE true", code=125, out="")
    holds("invalid restart policy: maximum retry count can only be used with 'on-failure'" in done.err, done.err)


@scenario("life", "restarting is told by ps and inspect")
def _(docker: Cli) -> None:
    docker("run -d --name @c --restart always IMAGE sh -c 'exit 6'")

    def restarting() -> None:
        has(docker.state("@c"), {"Status": "restarting", "Restarting": True, "Running": True, "Pid": 0, "ExitCode": 6})

    eventually(restarting, 20)
    docker("ps --filter name=@c --format '{{.Status}}'", out=re.compile(r"Restarting \(6\) .* ago\n"))
    docker("rm -f @c", out="@c\n")


@scenario("life", "prune takes the stopped ones with the label, and says which")
def _(docker: Cli) -> None:
    gone = docker("create --name @a -l @prune IMAGE true").word
    docker("run -d --name @b -l @prune IMAGE sleep 1000")
    docker("create --name @c IMAGE true")
    done = docker("container prune -f --filter label=@prune")
    same(done.out, f"Deleted Containers:\n{gone}\n\nTotal reclaimed space: 0B\n", "output")
    docker("container inspect @a", code=1)
    docker("container inspect @b")
    docker("container inspect @c")


@scenario("life", "20 in a row leave nothing behind")
def _(docker: Cli) -> None:
    for number in range(20):
        docker(f"run --rm --name @x{number} IMAGE echo {number}", out=f"{number}\n")
    docker("ps -aq --filter name=@x", out="")


@scenario("life", "10 at once, each with its own output and code")
def _(docker: Cli) -> None:
    clients = [docker.begin(f"run --rm IMAGE sh -c 'echo {number}; exit {number}'") for number in range(10)]
    for number, client in enumerate(clients):
        same(client.wait(number, within_s=60), f"{number}\n", "output")
