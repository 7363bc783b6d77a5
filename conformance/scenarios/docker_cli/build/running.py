"""RUN: mounts of all kinds, networks, here-documents, shells, and what a step's process finds."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from conformance.building import build, shows, tells
from conformance.checks import holds, same
from conformance.clients import Missing
from conformance.docker_cli import Cli, scenario


@scenario("build", "cache mounts: mode, owner, what stays, a source to begin with")
def _(docker: Cli) -> None:
    text = (
        "FROM IMAGE AS seed\nRUN mkdir -p /s/d && echo seed > /s/d/f\nFROM IMAGE\n"
        "RUN --mount=type=cache,target=/c,id=@mode,mode=0700,uid=12,gid=13 stat -c '%a %u:%g' /c > /a\n"
        "RUN --mount=type=cache,target=/c,id=@seed,from=seed,source=/s/d cat /c/f > /b\n"
        "ARG N\nRUN --mount=type=cache,target=/c,id=@count echo $N >> /c/log && cat /c/log > /log\n"
    )
    build(docker, text, "-t @built --build-arg N=1")
    build(docker, text, "-t @built --build-arg N=2")
    shows(docker, "cat /a /b /log", "700 12:13\nseed\n1\n2\n")


@scenario("build", "cache mounts: locked, private and read-only")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE AS one\nRUN --mount=type=cache,target=/c,id=@l,sharing=locked echo 1 >> /c/l\n"
        "FROM IMAGE AS two\nRUN --mount=type=cache,target=/c,id=@l,sharing=locked echo 2 >> /c/l\n"
        "FROM IMAGE\nCOPY --from=one /etc/shells /1\nCOPY --from=two /etc/shells /2\n"
        "RUN --mount=type=cache,target=/c,id=@l,sharing=locked sort /c/l > /l\n"
        "RUN --mount=type=cache,target=/c,id=@p,sharing=private touch /c/x\n"
        "RUN --mount=type=cache,target=/c,id=@l,readonly touch /c/no 2>/dev/null || echo refused > /ro\n",
    )
    shows(docker, "cat /l /ro", "1\n2\nrefused\n")


@scenario("build", "bind mounts: the context, a stage, an image; what is written is lost")
def _(docker: Cli) -> None:
    docker.file("ctx/d/f", "of the context\n")
    build(
        docker,
        "FROM IMAGE AS s\nRUN mkdir /s && echo of a stage > /s/f\nFROM IMAGE\n"
        "RUN --mount=target=/ctx cat /ctx/d/f > /1; touch /ctx/no 2>/dev/null || echo refused >> /1\n"
        "RUN --mount=type=bind,from=s,source=/s,target=/m,rw touch /m/new && cat /m/f > /2 && ls /m >> /2\n"
        "RUN --mount=from=IMAGE,source=/etc,target=/e head -1 /e/shells > /3\n"
        "RUN --mount=type=bind,from=s,source=/s,target=/m ls /m > /4\n",
    )
    shows(docker, "cat /1 /2 /3 /4", "of the context\nrefused\nof a stage\nf\nnew\n/bin/sh\nf\n")
    done = build(docker, "FROM IMAGE\nRUN --mount=type=bind,source=none,target=/x true\n", code=1)
    tells(done, "not found")


@scenario("build", "secrets: as a variable, with mode and owner, from the client's environment")
def _(docker: Cli) -> None:
    docker.file("s", "of a file")
    build(
        docker,
        "FROM IMAGE\nRUN --mount=type=secret,id=a,env=TOKEN echo $TOKEN > /1; ls /run/secrets 2>/dev/null >> /1; true\n"
        "RUN --mount=type=secret,id=b,target=/etc/b,mode=0440,uid=3,gid=4 cat /etc/b > /2; stat -c ' %a %u:%g' /etc/b >> /2\n"
        "RUN --mount=type=secret,id=none ls /run/secrets/none 2>/dev/null || echo none > /3\n",
        "-t @built --secret id=a,src=DIR/s --secret id=b,env=GIVEN",
        env={"GIVEN": "of the environment"},
    )
    shows(docker, "cat /1 /2 /3", "of a file\nof the environment 440 3:4\nnone\n")


@scenario("build", "a secret that is required and not given, one that is not there")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nRUN --mount=type=secret,id=need,required=true true\n", code=1)
    tells(done, "secret need: not found", "Dockerfile:2")
    done = build(docker, "FROM IMAGE\n", "-t @built --secret id=x,src=DIR/nothing", code=1)
    holds("nothing" in done.err, f"errors: {done.err!r}")


@scenario("build", "tmpfs mounts with a size")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nRUN --mount=type=tmpfs,target=/t,size=1m df -k /t | tail -1 | awk '{print $2}' > /a\n",
    )
    shows(docker, "cat /a", "1024\n")


@contextmanager
def agent(docker: Cli) -> Iterator[str]:
    """An SSH agent with one key; gives its socket."""
    if not shutil.which("ssh-agent"):
        raise Missing("needs OpenSSH's client")
    socket = str(docker.directory / "agent")
    key = docker.directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not os.path.exists(socket):
            if process.poll() is not None:
                raise Missing("ssh-agent does not start")
        environment = {**os.environ, "SSH_AUTH_SOCK": socket}
        subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True, stderr=subprocess.DEVNULL)
        yield socket
    finally:
        process.terminate()
        process.wait(10)


SSH = (
    "FROM IMAGE\nRUN --mount=type=ssh stat -c '%F %a %u' $SSH_AUTH_SOCK > /a\n"
    "RUN --mount=type=ssh,id=second,mode=0666,target=/tmp/s,uid=7 stat -c '%F %a %u' /tmp/s > /b; echo $SSH_AUTH_SOCK >> /b\n"
    "RUN echo [$SSH_AUTH_SOCK] > /c\n"
)


@scenario("build", "ssh mounts: the client's agent, a key file")
def _(docker: Cli) -> None:
    with agent(docker) as socket:
        build(docker, SSH, "-t @built --ssh default --ssh second=DIR/key", env={"SSH_AUTH_SOCK": socket})
    shows(docker, "cat /a /b /c", "socket 600 0\nsocket 666 7\n/tmp/s\n[]\n")


@scenario("build", "ssh mounts: required and not given")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nRUN --mount=type=ssh,required=true true\n", code=1)
    tells(done, "ssh", "Dockerfile:2")
    build(docker, "FROM IMAGE\nRUN --mount=type=ssh echo [$SSH_AUTH_SOCK] > /a\n")
    shows(docker, "cat /a", "[/run/buildkit/ssh_agent.0]\n")


@scenario("build", "RUN --network: none, default, and host only when it is allowed")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nRUN --network=none ls /sys/class/net > /a\nRUN --network=default ls /sys/class/net | grep -c eth0 > /b\n",
    )
    shows(docker, "cat /a /b", "lo\n1\n")
    text = "FROM IMAGE\nRUN --network=host ls /sys/class/net > /a\n"
    done = build(docker, text, code=1)
    tells(done, "network.host")
    build(docker, text, "-t @built --allow network.host")


@scenario("build", "RUN --security=insecure is not let through")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nRUN --security=insecure true\n", code=1)
    holds("unknown flag: --security" in done.err or "security.insecure" in done.err, f"errors: {done.err!r}")


@scenario("build", "RUN with here-documents: an interpreter, several, tabs")
def _(docker: Cli) -> None:
    build(
        docker,
        'FROM IMAGE\nRUN <<EOF\n#!/usr/bin/awk -f\nBEGIN { print 6 * 7 > "/a" }\nEOF\n'
        "RUN cat <<one - <<two >/dev/null && true\n1\none\n2\ntwo\n"
        "RUN sh <<EOF > /b\necho from a $0\nEOF\nRUN <<-'EOF'\n\techo [$HOME] > /c\n\tEOF\n",
    )
    shows(docker, "cat /a /b /c", "42\nfrom a /bin/sh\n[/root]\n")


@scenario("build", "SHELL, and commands as JSON")
def _(docker: Cli) -> None:
    build(
        docker,
        'FROM IMAGE\nRUN ["sh", "-c", "echo $0 > /a", "exec"]\nSHELL ["/bin/sh", "-ec"]\nRUN false; true || echo no\n', code=1,
    )  # fmt: skip
    build(
        docker,
        'FROM IMAGE\nRUN ["sh", "-c", "echo $0 > /a", "exec"]\nSHELL ["/bin/sh", "-xc"]\nRUN echo traced > /b\n'
        "CMD echo x\nENTRYPOINT echo y\n",
    )
    shows_config = docker.inspect("@built", "image")["Config"]
    same(shows_config["Entrypoint"], ["/bin/sh", "-xc", "echo y"])
    same(shows_config.get("Cmd"), ["/bin/sh", "-xc", "echo x"])
    docker("run --rm --entrypoint cat @built /a /b", out="exec\ntraced\n")


@scenario("build", "the user and directory of a step; WORKDIR makes what is missing")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nWORKDIR /w\nWORKDIR x\nRUN pwd > /a && chmod 777 /w/x\nUSER nobody\nRUN id -u > f; echo $HOME >> f\n"
        "WORKDIR /new/y\nUSER 5:6\nRUN id -u > /w/x/g; id -g >> /w/x/g\n",
    )
    shows(docker, "cat /a /w/x/f /w/x/g; stat -c %u /new/y", "/w/x\n65534\n/home\n5\n6\n65534\n")
    done = build(docker, "FROM IMAGE\nUSER who\nRUN true\n", code=1)
    tells(done, "unable to find user who")


@scenario("build", "what a step's process finds, and what does not stay in the image")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nRUN grep -c localhost /etc/hosts > /a; test -e /etc/resolv.conf && echo resolv >> /a; "
        "mount | grep -c 'on /proc type proc' >> /a; test -c /dev/null && echo null >> /a; hostname > /h; "
        "cat /proc/1/comm > /c; mkdir /dev/shm/x; touch /tmp/kept\nRUN ls -A /dev/shm | wc -l > /s\n",
    )
    out = docker("run --rm @built cat /a /h /s").out
    same(out, re.compile(r"[12]\nresolv\n1\nnull\nbuildkitsandbox\n0\n"))
    docker("create --name @c @built", out=None)
    tar = docker("export @c").raw
    holds(b"/tmp/kept" in tar or b"tmp/kept" in tar, "a file is not kept")


@scenario("build", "limits: --ulimit, --shm-size, --add-host")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nRUN ulimit -n > /a; df -k /dev/shm | tail -1 | awk '{print $2}' >> /a; grep 10.1.2.3 /etc/hosts >> /a\n",
        "-t @built --ulimit nofile=123:456 --shm-size 2m --add-host db:10.1.2.3",
    )
    shows(docker, "cat /a", "123\n2048\n10.1.2.3\tdb\n")


@scenario("build", "a step killed by a signal, one whose program is missing")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nRUN sh -c 'kill -9 $$'; exit $?\n", code=1)
    tells(done, "exit code: 137")
    done = build(docker, 'FROM IMAGE\nRUN ["/no/such"]\n', code=1)
    tells(done, "/no/such", "no such file or directory")


@scenario("build", "a step's output comes as it is written, both streams")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\nRUN echo to out; echo to err >&2; printf 'no end'\n", "-t @built --no-cache")
    holds(
        all(re.search(rf"#\d+ \d+\.\d+ {text}", done.err) for text in ("to out", "to err", "no end")), f"{done.err!r}"
    )
