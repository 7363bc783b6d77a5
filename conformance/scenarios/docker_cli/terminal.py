"""Terminals: docker run -it, attach, detach, sizes."""

import signal
import time

from conformance.checks import holds, same
from conformance.docker_cli import Cli, scenario

DETACH = b"\x10\x11"


@scenario("terminal", "run -it is a shell at a terminal, its exit code is the client's")
def _(docker: Cli) -> None:
    at = docker.terminal("run --rm -it IMAGE sh")
    at.expect("/ # ")
    at.send("echo a$((1+1))b\n")
    at.expect("a2b\r\n")
    at.send("exit 3\n")
    at.wait(3)


@scenario("terminal", "run -it has the client's size from the start")
def _(docker: Cli) -> None:
    at = docker.terminal("run --rm -it IMAGE sh -c 'sleep 0.5; stty size'", rows=40, columns=133)
    at.expect("40 133")
    at.wait(0)


@scenario("terminal", "the size follows the client's window")
def _(docker: Cli) -> None:
    at = docker.terminal("run --rm -it IMAGE sh", rows=30, columns=100)
    at.expect("/ # ")
    at.send("stty size\n")
    at.expect("30 100")
    at.resize(51, 123)
    time.sleep(0.5)
    at.send("stty size\n")
    at.expect("51 123")
    at.send("exit\n")
    at.wait(0)


@scenario("terminal", "ctrl-c reaches the command")
def _(docker: Cli) -> None:
    at = docker.terminal(
        "run --rm -it IMAGE sh -c 'trap \"echo got; exit 6\" INT; echo ready; while :; do sleep 0.1; done'"
    )
    at.expect("ready")
    at.send(b"\x03")
    at.expect("got")
    at.wait(6)


@scenario("terminal", "ctrl-d ends the input")
def _(docker: Cli) -> None:
    at = docker.terminal("run --rm -it IMAGE cat")
    at.send("line\n")
    at.expect("line\r\nline\r\n")
    at.send(b"\x04")
    at.wait(0)


@scenario("terminal", "ctrl-p ctrl-q leaves, attach comes back to the same shell")
def _(docker: Cli) -> None:
    at = docker.terminal("run -it --name @sh IMAGE sh")
    at.expect("/ # ")
    at.send("kept=yes\n")
    at.expect("/ # ")
    at.send(DETACH)
    at.wait(0)
    same(docker.state("@sh")["Running"], True, "State.Running")
    again = docker.terminal("attach @sh")
    again.send("\necho kept is $kept\n")
    again.expect("kept is yes\r\n")
    again.send("exit 4\n")
    again.wait(4)


@scenario("terminal", "detaching says `read escape sequence`")
def _(docker: Cli) -> None:
    docker("run -dit --name @sh IMAGE sh")
    at = docker.terminal("attach @sh")
    at.send("\n")
    at.expect("/ # ")
    at.send(DETACH)
    holds("read escape sequence" in at.wait(1), f"output: {at.text!r}")


@scenario("terminal", "keys of one's own, given to run and to attach")
def _(docker: Cli) -> None:
    at = docker.terminal("run -it --detach-keys ctrl-a,x --name @sh IMAGE sh")
    at.expect("/ # ")
    at.send(DETACH)
    at.send("\necho still $((40+2))\n")
    at.expect("still 42")
    at.send(b"\x01x")
    at.wait(0)
    again = docker.terminal("attach --detach-keys q @sh")
    again.send("\n")
    again.expect("/ # ")
    again.send("q")
    again.wait(1)
    same(docker.state("@sh")["Running"], True, "State.Running")


@scenario("terminal", "keys that are none: 400")
def _(docker: Cli) -> None:
    docker("run -dit --name @sh IMAGE sh")
    at = docker.terminal("attach --detach-keys ctrl-nothing @sh")
    text = at.wait(1)
    same(text, "unable to upgrade to tcp, received 400\r\n", "output")


@scenario("terminal", "the first of the keys alone is passed on")
def _(docker: Cli) -> None:
    at = docker.terminal("run --rm -it IMAGE sh -c 'stty raw; echo go; dd bs=1 count=2 2>/dev/null | od -An -tx1'")
    at.expect("go")
    at.send(b"\x10a")
    at.expect("10 61")
    at.wait(0)


@scenario("terminal", "two clients at one terminal see the same")
def _(docker: Cli) -> None:
    docker("run -dit --name @sh IMAGE sh")
    one, two = docker.terminal("attach @sh"), docker.terminal("attach @sh")
    time.sleep(0.5)
    one.send("\necho both$((1+1))\n")
    one.expect("both2")
    two.expect("both2")
    two.send(DETACH)
    two.wait(1)
    one.send("echo left$((1+1))\n")
    one.expect("left2")
    one.send("exit\n")
    one.wait(0)


@scenario("terminal", "run -it without a terminal is refused by the client, -i goes")
def _(docker: Cli) -> None:
    docker("run --rm -it IMAGE true", stdin="", code=1)
    docker("run --rm -i IMAGE cat", stdin="x", out="x")


@scenario("terminal", "attach without a terminal follows output and gives the exit code")
def _(docker: Cli) -> None:
    docker("run -d --name @job IMAGE sh -c 'sleep 1; echo done; exit 5'")
    docker("attach @job", out="done\n", code=5)


@scenario("terminal", "attach --no-stdin sends nothing")
def _(docker: Cli) -> None:
    docker("run -di --name @cat IMAGE sh -c 'sleep 1; echo end'")
    docker("attach --no-stdin @cat", stdin="lost", out="end\n")


@scenario("terminal", "attach feeds a command whose input stays open after it")
def _(docker: Cli) -> None:
    docker("run -di --name @cat IMAGE cat")
    for word in ("one", "two"):
        client = docker.begin("attach @cat")
        client.write(f"{word}\n")
        client.until(word)
        client.close_stdin()
        client.signal(signal.SIGKILL)
        client.wait(code=None)
    same(docker.state("@cat")["Running"], True, "State.Running")
    docker("logs @cat", out="one\ntwo\n")


@scenario("terminal", "attach to a stopped one is refused")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    done = docker("attach @c", code=1)
    holds("You cannot attach to a stopped container, start it first" in done.err, f"errors: {done.err!r}")


@scenario("terminal", "attach to a paused one is refused")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker("pause @c", out="@c\n")
    done = docker("attach @c", code=1)
    holds("You cannot attach to a paused container, unpause it first" in done.err, f"errors: {done.err!r}")


@scenario("terminal", "start -a shows what is written and gives the exit code")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE sh -c 'echo out; echo err >&2; exit 8'")
    done = docker("start -a @c", out="out\n", code=8)
    same(done.err, "err\n", "errors")


@scenario("terminal", "start -ai: again, with input")
def _(docker: Cli) -> None:
    docker("create -i --name @c IMAGE cat")
    docker("start -ai @c", stdin="first", out="first")
    docker("start -ai @c", stdin="second", out="second")


@scenario("terminal", "exec -it is a terminal of its own with the client's size")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    at = docker.terminal("exec -it @c sh", rows=33, columns=111)
    at.expect("/ # ")
    at.send("stty size; tty; echo $TERM\n")
    at.expect("33 111")
    at.expect("/dev/pts/")
    at.expect("xterm")
    at.resize(22, 66)
    time.sleep(0.5)
    at.send("stty size\n")
    at.expect("22 66")
    at.send("exit 9\n")
    at.wait(9)


@scenario("terminal", "exec -it: detach keys leave the command running")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    at = docker.terminal("exec -it @c sh -c 'echo up; sleep 777'")
    at.expect("up")
    at.send(DETACH)
    at.wait(1)
    holds("sleep 777" in docker("top @c -o pid,args").out, "the command of exec is gone")


@scenario("terminal", "-t without -i: a terminal that takes no input")
def _(docker: Cli) -> None:
    docker("run --rm -t IMAGE tty", out="/dev/pts/0\r\n")


@scenario("terminal", "a large output on a terminal is whole")
def _(docker: Cli) -> None:
    done = docker("run --rm -t IMAGE seq 100000", timeout=120)
    same(done.out.split("\r\n"), [*map(str, range(1, 100001)), ""])
