"""docker logs."""

import re
import time

from conformance.checks import holds, same
from conformance.docker_cli import ANY, Cli, scenario

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"


@scenario("logs", "both streams, each on its own", smoke=True)
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'echo out; echo err >&2'", err=ANY)
    done = docker("logs @c", out="out\n", err="err")
    same(done.err, "err\n")


@scenario("logs", "--tail")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE seq 1000")
    docker("logs --tail 3 @c", out="998\n999\n1000\n")
    docker("logs -n 0 @c", out="")
    docker("logs -n 5000 @c", out="".join(f"{n}\n" for n in range(1, 1001)))
    docker("logs --tail all @c", out="".join(f"{n}\n" for n in range(1, 1001)))


@scenario("logs", "-t stamps every line with nine digits")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'echo a; echo; echo b'")
    docker("logs -t @c", out=re.compile(f"{STAMP} a\n{STAMP} \n{STAMP} b\n"))


@scenario("logs", "--since and --until by time and by age")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'echo one; sleep 1.5; echo two; sleep 1.5; echo three'")
    stamps = [line.split()[0] for line in docker("logs -t @c").lines]
    docker(f"logs --since {stamps[1]} @c", out="two\nthree\n")
    docker(f"logs --until {stamps[1]} @c", out="one\ntwo\n")
    docker(f"logs --since {stamps[1]} --until {stamps[1]} @c", out="two\n")
    docker("logs --since 1h @c", out="one\ntwo\nthree\n")
    docker("logs --until 1h @c", out="")


@scenario("logs", "-f follows to the end")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'for n in 1 2 3 4 5; do echo $n; sleep 0.2; done'")
    docker("logs -f @c", out="1\n2\n3\n4\n5\n")
    docker("logs -f @c", out="1\n2\n3\n4\n5\n")


@scenario("logs", "-f --tail goes on without a gap or a repeat")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'for n in $(seq 3000); do echo $n; done; sleep 1; seq 3001 3100'")
    time.sleep(0.5)
    done = docker("logs -f --tail 5 @c")
    numbers = [int(line) for line in done.lines]
    same(numbers, list(range(numbers[0], 3101)), "lines")


@scenario("logs", "-f of a container that is removed ends")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'echo up; sleep 1000'")
    client = docker.begin("logs -f @c")
    client.until("up")
    docker("rm -f @c")
    same(client.wait(code=None), "up\n")


@scenario("logs", "-f over a restart: does not end with the run")
def _(docker: Cli) -> None:
    docker("run -d --name @c --restart on-failure:1 IMAGE sh -c 'echo run; sleep 0.3; exit 1'")
    docker("logs -f @c", out=re.compile("run\n(run\n)?"))


@scenario("logs", "a line without an end, and none at all")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE printf 'no end'")
    docker("logs @c", out="no end")
    docker("run --name @d IMAGE true")
    docker("logs @d", out="")


@scenario("logs", "a line of 1 MiB is one line")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'head -c 1048576 /dev/zero | tr \"\\0\" x; echo; echo after'", out=ANY)
    done = docker("logs @c")
    same([len(line) for line in done.lines], [1048576, 5], "lengths")


@scenario("logs", "bytes that are no text")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE printf '\\000\\001\\302\\265\\n'", out=ANY)
    docker("logs @c", out=b"\x00\x01\xc2\xb5\n")


@scenario("logs", "of a terminal")
def _(docker: Cli) -> None:
    docker("run -t --name @c IMAGE sh -c 'echo out; echo err >&2'", out=ANY)
    docker("logs @c", out="out\r\nerr\r\n")


@scenario("logs", "--details shows what log options choose")
def _(docker: Cli) -> None:
    docker("run --name @c -l tier=web --log-opt labels=tier --log-opt env=MODE -e MODE=x IMAGE echo hi")
    docker("logs --details @c", out="MODE=x,tier=web hi\n")


@scenario("logs", "driver none keeps nothing, the client still sees it")
def _(docker: Cli) -> None:
    docker("run --name @c --log-driver none IMAGE echo hi", out="hi\n")
    done = docker("logs @c", code=1)
    holds("configured logging driver does not support reading" in done.err, f"errors: {done.err!r}")


@scenario("logs", "driver local")
def _(docker: Cli) -> None:
    docker("run --name @c --log-driver local IMAGE sh -c 'echo out; echo err >&2'", out="out\n", err="err")
    docker("logs @c", out="out\n", err="err")
    docker("inspect -f '{{.HostConfig.LogConfig.Type}}' @c", out="local\n")
    docker("logs --tail 1 @c", out=ANY, err=ANY)


@scenario("logs", "json-file with max-size and max-file keeps the newest, of a burst, too")
def _(docker: Cli) -> None:
    docker("run --name @c --log-opt max-size=20k --log-opt max-file=2 IMAGE seq 5000", out=ANY)
    lines = docker("logs @c").lines
    holds(0 < len(lines) < 2000, f"{len(lines)} lines are kept")
    same(lines, [str(n) for n in range(5001 - len(lines), 5001)], "lines")


@scenario("logs", "json-file with max-size and max-file keeps the newest of what comes bit by bit")
def _(docker: Cli) -> None:
    script = "for i in $(seq 0 39); do seq $((i*100+1)) $((i*100+100)); sleep 0.1; done"
    docker(f"run --name @c --log-opt max-size=20k --log-opt max-file=2 IMAGE sh -c '{script}'", out=ANY)
    lines = docker("logs @c").lines
    holds(0 < len(lines) < 2000, f"{len(lines)} lines are kept")
    same(lines, [str(n) for n in range(4001 - len(lines), 4001)], "lines")


@scenario("logs", "an unknown driver and an unknown option are refused")
def _(docker: Cli) -> None:
    done = docker("run --log-driver nothing IMAGE true", code=125, out="")
    holds('error looking up logging plugin nothing: plugin "nothing" not found' in done.err, f"errors: {done.err!r}")
    done = docker("run --log-opt nothing=1 IMAGE true", code=125, out="")
    holds("unknown log opt 'nothing' for json-file log driver" in done.err, f"errors: {done.err!r}")
    done = docker("run --log-opt max-size=many IMAGE true", code=125, out="")
    holds("invalid size: 'many'" in done.err, f"errors: {done.err!r}")


@scenario("logs", "of a created one, and of none")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    docker("logs @c", out="")
    docker("logs @nothing", code=1, err="Error response from daemon: No such container: @nothing")


@scenario("logs", "a value that is no time is refused")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE true")
    docker("logs --since yesterday @c", code=1)


@scenario("logs", "50,000 lines, whole and in order")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE seq 50000")
    docker("wait @c", out="0\n", timeout=60)
    docker("logs @c", out="".join(f"{n}\n" for n in range(1, 50001)), timeout=60)
