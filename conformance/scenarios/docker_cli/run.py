"""docker run: streams, exit codes, names, what the command sees."""

import hashlib
import os
import re
import signal

from conformance.checks import eventually, has, holds, same
from conformance.docker_cli import ANY, Cli, scenario

HEX = re.compile(r"[0-9a-f]{64}\n")


@scenario("run", "output and errors keep to their own streams", smoke=True)
def _(docker: Cli) -> None:
    docker("run --rm IMAGE sh -c 'echo out; echo err >&2'", out="out\n", err="err")


@scenario("run", "the exit code is the command's", smoke=True)
def _(docker: Cli) -> None:
    docker("run --rm IMAGE sh -c 'exit 7'", code=7, err="")
    docker("run --rm IMAGE true", out="")


@scenario("run", "a command killed by a signal gives 128 and its number")
def _(docker: Cli) -> None:
    docker("run --rm IMAGE sh -c 'sleep 1000 & kill -9 $!; wait $!'", code=137)
    docker("run --rm --init IMAGE sh -c 'kill -TERM $$'", code=143, err="")
    docker("run -d --name @k IMAGE sleep 1000")
    docker("kill @k", out="@k\n")
    docker("wait @k", out="137\n")


@scenario("run", "a command that is not there: 127 and its name")
def _(docker: Cli) -> None:
    done = docker("run --rm IMAGE no-such-program", code=127, out="")
    holds('exec: "no-such-program": executable file not found in $PATH' in done.err, f"errors: {done.err!r}")


@scenario("run", "an absolute command that is not there: 127")
def _(docker: Cli) -> None:
    done = docker("run --rm IMAGE /no/such/program", code=127, out="")
    holds("no such file or directory" in done.err, f"errors: {done.err!r}")


@scenario("run", "a file that is no program: 126")
def _(docker: Cli) -> None:
    done = docker("run --rm IMAGE /etc/passwd", code=126, out="")
    holds("permission denied" in done.err, f"errors: {done.err!r}")


@scenario("run", "a directory as the command: 126")
def _(docker: Cli) -> None:
    docker("run --rm IMAGE /etc", code=126, out="", err=ANY)


@scenario("run", "an image that is not there and cannot be pulled: 125")
def _(docker: Cli) -> None:
    done = docker("run --rm --pull never @nothing:1", code=125, out="")
    holds("No such image: @nothing:1".replace("@", docker.target.prefix) in done.err, f"errors: {done.err!r}")


@scenario("run", "-d prints the id and goes on")
def _(docker: Cli) -> None:
    identifier = docker("run -d --name @web IMAGE sleep 1000", out=HEX).word
    docker("inspect -f '{{.Id}} {{.State.Running}}' @web", out=f"{identifier} true\n")


@scenario("run", "--rm -d takes the container away when it ends")
def _(docker: Cli) -> None:
    docker("run -d --rm --name @web IMAGE sleep 0.2", out=HEX)
    eventually(lambda: same(docker("container inspect @web", code=None).code, 1))


@scenario("run", "--rm takes anonymous volumes with it and leaves named ones")
def _(docker: Cli) -> None:
    docker("run --rm -v /cache -v @data:/data IMAGE touch /cache/a /data/b")
    docker("volume ls -q --filter name=@data", out="@data\n")
    docker("run --rm -v @data:/data IMAGE ls /data", out="b\n")


@scenario("run", "-i reads standard input to its end")
def _(docker: Cli) -> None:
    docker("run --rm -i IMAGE cat", stdin="one\ntwo", out="one\ntwo")
    docker("run --rm -i IMAGE wc -c", stdin="", out="0\n")


@scenario("run", "without -i there is no standard input")
def _(docker: Cli) -> None:
    docker("run --rm IMAGE cat", stdin="lost", out="")


@scenario("run", "-i < 64 MiB through cat, byte for byte")
def _(docker: Cli) -> None:
    data = os.urandom(1 << 20) * 64
    docker("run --rm -i IMAGE cat", stdin=data, out=data, timeout=120)
    docker("run --rm -i IMAGE sha256sum", stdin=data, out=f"{hashlib.sha256(data).hexdigest()}  -\n", timeout=120)


@scenario("run", "4 MiB on each stream at once, none lost")
def _(docker: Cli) -> None:
    script = "yes out | head -c 4194304 & yes err | head -c 4194304 >&2; wait"
    done = docker(f"run --rm IMAGE sh -c '{script}'", out=ANY, err=ANY, timeout=120)
    same((len(done.out), set(done.out.split("\n")[:-1])), (4194304, {"out"}), "output")
    same((len(done.err), set(done.err.split("\n")[:-1])), (4194304, {"err"}), "errors")


@scenario("run", "-i with a command that does not read ends by itself")
def _(docker: Cli) -> None:
    docker("run --rm -i IMAGE echo hi", stdin="x" * 100_000, out="hi\n")


@scenario("run", "-i: output goes on after standard input has ended")
def _(docker: Cli) -> None:
    docker("run --rm -i IMAGE sh -c 'cat; sleep 0.3; echo after'", stdin="before\n", out="before\nafter\n")


@scenario("run", "-a stdout leaves errors out")
def _(docker: Cli) -> None:
    docker("run --rm -a stdout IMAGE sh -c 'echo out; echo err >&2; exit 3'", out="out\n", code=3)


@scenario("run", "-a stderr leaves output out")
def _(docker: Cli) -> None:
    done = docker("run --rm -a stderr IMAGE sh -c 'echo out; echo err >&2; exit 4'", out="", code=4)
    same(done.err, "err\n", "errors")


@scenario("run", "--rm -a stdout -a stderr: both, and the exit code")
def _(docker: Cli) -> None:
    done = docker("run --rm -a stdout -a stderr IMAGE sh -c 'echo out; echo err >&2; exit 5'", out="out\n", code=5)
    same(done.err, "err\n", "errors")


@scenario("run", "-a stdin: the input arrives, nothing is shown")
def _(docker: Cli) -> None:
    docker("run -a stdin -i --name @in IMAGE cat", stdin="given\n", out="")
    docker("wait @in", out="0\n")
    docker("logs @in", out="given\n")


@scenario("run", "SIGTERM to the client goes through to the command")
def _(docker: Cli) -> None:
    script = 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.1; done'
    client = docker.begin(f"run --rm --name @sig IMAGE sh -c '{script}'")
    client.until("ready")
    client.signal(signal.SIGTERM)
    same(client.wait(9), "ready\ngot\n", "output")


@scenario("run", "a client that is killed leaves the container as it is")
def _(docker: Cli) -> None:
    client = docker.begin("run --name @sig IMAGE sh -c 'echo ready; sleep 1000'")
    client.until("ready")
    client.signal(signal.SIGKILL)
    client.wait(code=None)
    same(docker.state("@sig")["Running"], True, "State.Running")


@scenario("run", "--name, and the name is taken")
def _(docker: Cli) -> None:
    identifier = docker("run -d --name @web IMAGE sleep 1000").word
    name = docker.target.expand("@web")
    done = docker("run --name @web IMAGE true", code=125, out="")
    wanted = (
        f'Conflict. The container name "/{name}" is already in use by container "{identifier}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
    holds(wanted in done.err, f"errors: {done.err!r}")


@scenario("run", "a name that is not allowed")
def _(docker: Cli) -> None:
    done = docker("run --name 'not/allowed' IMAGE true", code=125, out="")
    wanted = "Invalid container name (not/allowed), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    holds(wanted in done.err, f"errors: {done.err!r}")


@scenario("run", "without a name it gets two words")
def _(docker: Cli) -> None:
    identifier = docker("run -d IMAGE true").word
    docker(f"inspect -f '{{{{.Name}}}}' {identifier}", out=re.compile(r"/[a-z]+_[a-z]+\d?\n"))


@scenario("run", "--cidfile holds the id")
def _(docker: Cli) -> None:
    docker("run --cidfile DIR/id --name @c IMAGE true")
    docker("inspect -f '{{.Id}}' @c", out=(docker.directory / "id").read_text() + "\n")


@scenario("run", "--entrypoint replaces, and drops the image's command")
def _(docker: Cli) -> None:
    docker("run --rm --entrypoint echo IMAGE a b", out="a b\n")
    docker("run --rm --entrypoint echo IMAGE", out="\n")


@scenario("run", "-w, and a working directory that is made")
def _(docker: Cli) -> None:
    docker("run --rm -w /tmp IMAGE pwd", out="/tmp\n")
    docker("run --rm -w /not/there/yet IMAGE pwd", out="/not/there/yet\n")
    done = docker("run --rm -w relative IMAGE pwd", code=125)
    holds("the working directory 'relative' is invalid, it needs to be an absolute path" in done.err, done.err)


@scenario("run", "-u by number, name, with a group")
def _(docker: Cli) -> None:
    show = "IMAGE sh -c 'echo $(id -u):$(id -g) $HOME'"
    docker(f"run --rm -u 1234 {show}", out="1234:0 /\n")
    docker(f"run --rm -u 1234:567 {show}", out="1234:567 /\n")
    docker(f"run --rm -u nobody {show}", out="65534:65534 /home\n")
    docker(f"run --rm -u nobody:disk {show}", out="65534:6 /home\n")
    done = docker(f"run --rm -u nobody-knows {show}", code=125)
    holds("unable to find user nobody-knows: no matching entries in passwd file" in done.err, done.err)


@scenario("run", "--group-add by name and number")
def _(docker: Cli) -> None:
    docker("run --rm -u 1000:1000 --group-add disk --group-add 777 IMAGE id -G", out="1000 6 777\n")


@scenario("run", "-e, -e from the client's environment, --env-file")
def _(docker: Cli) -> None:
    docker.file("env", "# a comment\nFILE=from a file\nGIVEN\nONLY=file\n")
    docker(
        "run --rm --env-file DIR/env -e ONLY=flag -e MINE IMAGE sh -c 'echo $FILE,$GIVEN,$ONLY,$MINE'",
        env={"GIVEN": "given", "MINE": "mine"},
        out="from a file,given,flag,mine\n",
    )


@scenario("run", "the environment of a plain container")
def _(docker: Cli) -> None:
    done = docker("run --rm --hostname box IMAGE env")
    same(
        sorted(done.lines),
        ["HOME=/root", "HOSTNAME=box", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    )
    done = docker("run --rm -t --hostname box IMAGE env")
    holds("TERM=xterm" in done.out.split("\r\n"), f"no TERM: {done.out!r}")


@scenario("run", "--hostname and --domainname from inside")
def _(docker: Cli) -> None:
    docker("run --rm -h box --domainname example.test IMAGE sh -c 'hostname; hostname -d'", out="box\nexample.test\n")
    identifier = docker("run -d --name @h IMAGE sleep 1000").word
    docker("exec @h hostname", out=f"{identifier[:12]}\n")


@scenario("run", "--label and --label-file")
def _(docker: Cli) -> None:
    docker.file("labels", "from=file\nempty=\n")
    docker("run --name @l -l a=1 -l b --label-file DIR/labels IMAGE true")
    has(docker.inspect("@l")["Config"]["Labels"], {"a": "1", "b": "", "from": "file", "empty": ""}, "Labels")


@scenario("run", "--init: a child that is left behind is reaped")
def _(docker: Cli) -> None:
    docker("run --rm --init IMAGE sh -c 'cat /proc/1/comm'", out=re.compile("(docker-init|tini|catatonit|init)\n"))
    docker("run --rm IMAGE sh -c 'cat /proc/1/comm'", out="cat\n", err="")


@scenario("run", "--read-only: nothing but mounts can be written")
def _(docker: Cli) -> None:
    done = docker("run --rm --read-only IMAGE touch /new", code=1)
    holds("Read-only file system" in done.err, f"errors: {done.err!r}")
    docker("run --rm --read-only --tmpfs /scratch -v @v:/data IMAGE touch /scratch/a /data/b /dev/shm/c")


@scenario("run", "what is written when the client has stopped reading is kept in the log")
def _(docker: Cli) -> None:
    docker("run -d --name @log IMAGE sh -c 'for n in 1 2 3; do echo $n; done'")
    docker("wait @log", out="0\n")
    docker("logs @log", out="1\n2\n3\n")


@scenario("run", "-t joins both streams and writes CR LF")
def _(docker: Cli) -> None:
    docker("run --rm -t IMAGE sh -c 'echo out; echo err >&2'", out="out\r\nerr\r\n")


@scenario("run", "a stop signal of one's own")
def _(docker: Cli) -> None:
    script = 'trap "echo usr1; exit 0" USR1; while :; do sleep 0.1; done'
    docker(f"run -d --name @s --stop-signal SIGUSR1 IMAGE sh -c '{script}'")
    docker("stop @s", out="@s\n")
    docker("logs @s", out="usr1\n")
    same(docker.state("@s")["ExitCode"], 0, "State.ExitCode")


@scenario("run", "--stop-timeout: SIGKILL after it")
def _(docker: Cli) -> None:
    docker("run -d --name @s --stop-timeout 1 IMAGE sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'")
    docker("stop @s", out="@s\n", timeout=8)
    same(docker.state("@s")["ExitCode"], 137, "State.ExitCode")


@scenario("run", "--pull never takes the image that is there")
def _(docker: Cli) -> None:
    docker("run --rm --pull never IMAGE echo here", out="here\n")


@scenario("run", "--platform of another architecture: not found")
def _(docker: Cli) -> None:
    docker("run --rm --pull never --platform linux/s390x IMAGE true", code=125, err=ANY)


@scenario("run", "an unknown --network: 125, and no container is left")
def _(docker: Cli) -> None:
    done = docker("run --name @n --network @nothing IMAGE true", code=125)
    holds(f"network {docker.target.prefix}nothing not found" in done.err, f"errors: {done.err!r}")
