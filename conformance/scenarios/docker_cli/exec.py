"""docker exec."""

import os
import re

from conformance.checks import eventually, holds, same
from conformance.docker_cli import Cli, scenario


@scenario("exec", "output, errors and exit code", smoke=True)
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    done = docker("exec @c sh -c 'echo out; echo err >&2; exit 5'", out="out\n", code=5)
    same(done.err, "err\n", "errors")


@scenario("exec", "-i passes input on, byte for byte")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    data = os.urandom(1 << 20) * 16
    docker("exec -i @c cat", stdin=data, out=data, timeout=120)
    docker("exec -i @c wc -c", stdin="", out="0\n")


@scenario("exec", "-d goes on in the background")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("exec -d @c sh -c 'echo here > /made'", out="")
    eventually(lambda: same(docker("exec @c cat /made", code=None).out, "here\n"))


@scenario("exec", "-e, --env-file, -w, -u")
def _(docker: Cli) -> None:
    docker("run -d --name @c -e KEPT=1 -e OVER=old -w /tmp -u nobody IMAGE sleep 1000")
    docker("exec @c sh -c 'echo $KEPT $OVER $(pwd) $(id -u)'", out="1 old /tmp 65534\n")
    docker("exec -e OVER=new -w /etc -u 0 @c sh -c 'echo $KEPT $OVER $(pwd) $(id -u)'", out="1 new /etc 0\n")
    docker("exec -u 5:6 @c id", out=re.compile(r"uid=5 gid=6.*\n"))
    docker.file("env", "FILE=f\n")
    docker("exec --env-file DIR/env @c sh -c 'echo $FILE'", out="f\n")


@scenario("exec", "--privileged has every capability")
def _(docker: Cli) -> None:
    docker("run -d --name @c --cap-drop ALL IMAGE sleep 1000")
    docker("exec @c grep CapEff /proc/self/status", out="CapEff:\t0000000000000000\n")
    docker("exec --privileged @c grep CapEff /proc/self/status", out=re.compile("CapEff:\t000001f[ef]f[ef]ffffff\n"))


@scenario("exec", "a program that is not there: 127")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    done = docker("exec @c nothing", code=127)
    text = done.out + done.err
    holds("OCI runtime exec failed" in text and "executable file not found in $PATH" in text, f"text: {text!r}")


@scenario("exec", "a file that is no program: 126")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    done = docker("exec @c /etc/passwd", code=126)
    text = done.out + done.err
    holds("OCI runtime exec failed" in text and "permission denied" in text, f"text: {text!r}")


@scenario("exec", "a working directory that is not there")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    done = docker("exec -w /nowhere @c pwd", code=127)
    holds("OCI runtime exec failed" in done.out + done.err, f"text: {done.out + done.err!r}")


@scenario("exec", "an unknown user")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    done = docker("exec -u nobody-knows @c true", code=None)
    holds(
        done.code in (1, 126) and "unable to find user nobody-knows" in done.out + done.err, f"{done.code} {done.err!r}"
    )


@scenario("exec", "in a container that does not run")
def _(docker: Cli) -> None:
    identifier = docker("create --name @c IMAGE true").word
    done = docker("exec @c true", code=1)
    holds(f"container {identifier} is not running" in done.err, f"errors: {done.err!r}")


@scenario("exec", "in a paused container")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("pause @c")
    done = docker("exec @c true", code=1)
    holds("is paused, unpause the container before exec" in done.err, f"errors: {done.err!r}")


@scenario("exec", "in a container that is not there")
def _(docker: Cli) -> None:
    docker("exec @nothing true", code=1, err="Error response from daemon: No such container: @nothing")


@scenario("exec", "killed by a signal: 128 and its number")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("exec @c sh -c 'kill -9 $$'", code=137)


@scenario("exec", "its container ends: exec ends too, with 137")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    client = docker.begin("exec @c sh -c 'echo up; sleep 1000'")
    client.until("up")
    docker("kill @c")
    client.wait(137)


@scenario("exec", "a background child does not hold the client")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("exec @c sh -c 'sleep 1000 >/dev/null 2>&1 & echo went'", out="went\n", timeout=15)


@scenario("exec", "limits of the container hold in it")
def _(docker: Cli) -> None:
    docker("run -d --name @c --ulimit nofile=123:456 IMAGE sleep 1000")
    docker("exec @c sh -c 'ulimit -n; ulimit -Hn'", out="123\n456\n")


@scenario("exec", "sees the container's hostname, network and mounts")
def _(docker: Cli) -> None:
    docker("run -d --name @c -h box --tmpfs /scratch IMAGE sleep 1000")
    docker("exec @c sh -c 'hostname; grep -c \" /scratch \" /proc/mounts; ls /sys/class/net'", out="box\n1\neth0\nlo\n")


@scenario("exec", "20 at once")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    clients = [docker.begin(f"exec @c sh -c 'sleep 0.2; echo {number}; exit {number}'") for number in range(20)]
    for number, client in enumerate(clients):
        same(client.wait(number, within_s=60), f"{number}\n", "output")


@scenario("exec", "inspect lists no exec once it has ended")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("exec @c true")
    eventually(lambda: same(docker.inspect("@c")["ExecIDs"], None, "ExecIDs"))
    docker("exec -d @c sleep 1000")
    same(len(docker.inspect("@c")["ExecIDs"]), 1, "number of ExecIDs")


@scenario("exec", "with a tty both streams are one")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("exec -t @c sh -c 'echo out; echo err >&2'", out="out\r\nerr\r\n")
