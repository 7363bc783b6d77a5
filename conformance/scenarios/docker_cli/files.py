"""docker cp, diff, commit, export and import."""

import io
import json
import os
import re
import subprocess
import tarfile

from conformance.checks import has, holds, same
from conformance.docker_cli import ANY, Cli, scenario


def copied(docker: Cli, line: str) -> None:
    docker(f"cp {line}", out="", timeout=120)


@scenario("files", "cp a file in and out, as it is", smoke=True)
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    data = os.urandom(300_000)
    docker.file("in", data, 0o640)
    copied(docker, "DIR/in @c:/file")
    copied(docker, "@c:/file DIR/out")
    out = docker.directory / "out"
    same(out.read_bytes(), data, "content")
    same(oct(out.stat().st_mode & 0o7777), "0o640", "mode")


@scenario("files", "cp into a directory, and under another name")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker.file("a", "A")
    copied(docker, "DIR/a @c:/tmp/")
    copied(docker, "DIR/a @c:/tmp/b")
    copied(docker, "DIR/a @c:/tmp")
    docker("exec @c sh -c 'cd /tmp; ls; cat a b'", out="a\nb\nAA")


@scenario("files", "cp of a directory: with its name, or with /. its content")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    docker.file("d/one", "1")
    docker.file("d/sub/two", "2")
    copied(docker, "DIR/d @c:/new")
    docker("exec @c sh -c 'cd /new; find . -type f | sort'", out="./one\n./sub/two\n")
    copied(docker, "DIR/d @c:/new")
    docker("exec @c sh -c 'cd /new; find . -type f | sort'", out="./d/one\n./d/sub/two\n./one\n./sub/two\n")
    copied(docker, "DIR/d/. @c:/tmp")
    docker("exec @c sh -c 'cd /tmp; find . -type f | sort'", out="./one\n./sub/two\n")
    copied(docker, "@c:/new/sub DIR/back")
    same([str(p.relative_to(docker.directory)) for p in sorted((docker.directory / "back").rglob("*"))], ["back/two"])
    copied(docker, "@c:/new/. DIR/all")
    same(sorted(p.name for p in (docker.directory / "all").iterdir()), ["d", "one", "sub"])


@scenario("files", "cp - writes and reads a tar")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'mkdir /t; echo x > /t/f; ln -s f /t/l; sleep 1000'")
    raw = docker("cp @c:/t -").raw
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        same([(m.name.rstrip("/"), m.type) for m in tar], [("t", b"5"), ("t/f", b"0"), ("t/l", b"2")], "members")
    docker("cp - @c:/tmp", stdin=raw)
    docker("exec @c sh -c 'cd /tmp/t; ls; cat f; readlink l'", out="f\nl\nx\nf\n")


@scenario("files", "cp of a symbolic link: as it is, and with -L what it points to")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'echo there > /real; ln -s /real /link; sleep 1000'")
    copied(docker, "@c:/link DIR/l")
    same(os.readlink(docker.directory / "l"), "/real", "link")
    copied(docker, "-L @c:/link DIR/f")
    same((docker.directory / "f").read_text(), "there\n", "content")


@scenario("files", "cp through a link in the path stays in the container's root")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'ln -s / /up; ln -s ../../../../../etc /esc; sleep 1000'")
    docker.file("x", "inside")
    copied(docker, "DIR/x @c:/up/new")
    copied(docker, "DIR/x @c:/esc/conformance-x")
    docker("exec @c cat /new /etc/conformance-x", out="insideinside")
    holds(not os.path.lexists("/etc/conformance-x"), "it is in the host's /etc")


@scenario("files", "cp keeps owners by number, with -a and without")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    os.chown(docker.file("f", "x"), 1234, 4321)
    copied(docker, "DIR/f @c:/plain")
    copied(docker, "-a DIR/f @c:/kept")
    docker("exec @c stat -c '%u:%g' /plain /kept", out="1234:4321\n1234:4321\n")


@scenario("files", "cp into a volume and into a bind mount")
def _(docker: Cli) -> None:
    (docker.directory / "b").mkdir()
    docker("create --name @c -v @v:/vol -v DIR/b:/bind IMAGE cat /vol/f /bind/f")
    docker.file("f", "x")
    copied(docker, "DIR/f @c:/vol/")
    copied(docker, "DIR/f @c:/bind/")
    docker("start -a @c", out="xx")
    same((docker.directory / "b/f").read_text(), "x")


@scenario("files", "cp to where nothing is, from where nothing is")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    docker.file("f", "x")
    done = docker("cp DIR/f @c:/no/such/dir/f", code=1)
    holds("Could not find the file /no/such/dir in container" in done.err, f"errors: {done.err!r}")
    done = docker("cp @c:/nothing DIR/", code=1)
    holds("Could not find the file /nothing in container" in done.err, f"errors: {done.err!r}")
    done = docker("cp @nothing:/x DIR/", code=1)
    holds("No such container" in done.err, f"errors: {done.err!r}")


@scenario("files", "cp a directory onto a file and into a path below a file")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    docker.file("d/x", "x")
    docker("cp DIR/d @c:/etc/passwd", code=1)
    docker("cp DIR/d/x @c:/etc/passwd/x", code=1)


@scenario("files", "cp into a read-only container is refused")
def _(docker: Cli) -> None:
    docker("run -d --name @c --read-only IMAGE sleep 1000")
    docker.file("f", "x")
    done = docker("cp DIR/f @c:/f", code=1)
    holds("container rootfs is marked read-only" in done.err, f"errors: {done.err!r}")


@scenario("files", "cp 5,000 files both ways")
def _(docker: Cli) -> None:
    for number in range(5000):
        docker.file(f"many/{number % 50}/{number}", str(number))
    docker("run -d --name @c IMAGE sleep 1000")
    copied(docker, "DIR/many @c:/")
    docker("exec @c sh -c 'find /many -type f | wc -l'", out="5000\n")
    copied(docker, "@c:/many DIR/back")
    done = subprocess.run(
        ["diff", "-r", docker.directory / "many", docker.directory / "back"],
        capture_output=True,
        text=True,
        check=False,
    )
    same((done.returncode, done.stdout), (0, ""), "diff -r")


@scenario("files", "cp keeps times, modes, hard links, fifos and empty directories")
def _(docker: Cli) -> None:
    script = "mkdir -p /s/empty; echo x > /s/a; ln /s/a /s/b; chmod 4751 /s/a; touch -d '2001-02-03 04:05:06' /s/a; mkfifo /s/p"
    docker(f'run --name @a IMAGE sh -c "{script}"')
    raw = docker("cp -a @a:/s -").raw
    docker("run -d --name @b IMAGE sleep 1000")
    docker("cp -a - @b:/", stdin=raw)
    docker(
        'exec @b sh -c \'cd /s; stat -c "%n %f %h %Y" a b; stat -c "%n %F" empty p\'',
        out="a 89e9 2 981173106\nb 89e9 2 981173106\nempty directory\np fifo\n",
    )


@scenario("files", "cp -q says nothing")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    docker.file("f", "x")
    docker("cp -q DIR/f @c:/f", out="", err="")


@scenario("files", "cp out of /proc and /dev of a running one")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    raw = docker("cp @c:/etc/hostname -").raw
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        member = tar.extractfile("hostname")
        assert member is not None
        same(member.read().decode(), docker("exec @c hostname").out, "hostname")


@scenario("files", "diff: added, changed, deleted", smoke=True)
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'rm /etc/shells; echo x >> /etc/group; mkdir /new; touch /new/f'")
    lines = docker("diff @c").lines
    same(sorted(lines), ["A /new", "A /new/f", "C /etc", "C /etc/group", "D /etc/shells"], "lines")


@scenario("files", "diff of an untouched one is empty, volumes do not count")
def _(docker: Cli) -> None:
    docker("run --name @c -v @v:/data --tmpfs /t IMAGE touch /data/x /t/x")
    lines = docker("diff @c").lines
    same([line for line in lines if line not in ("A /data", "A /t")], [], "lines")


@scenario("files", "commit: the files, the settings, author, message and changes")
def _(docker: Cli) -> None:
    docker("run --name @c -e A=1 -w /tmp IMAGE sh -c 'echo made > /made'")
    identifier = docker(
        "commit -a 'Jo <jo@example.test>' -m 'why it was made' -c 'ENV B=2' -c 'CMD [\"cat\", \"/made\"]' "
        "-c 'EXPOSE 80' -c 'LABEL k=v' -c 'USER nobody' -c 'VOLUME /data' -c 'WORKDIR /etc' @c @image:1",
        out=re.compile(r"sha256:[0-9a-f]{64}\n"),
    ).word
    docker("run --rm @image:1", out="made\n")
    docker("run --rm @image:1 sh -c 'echo $A $B $(pwd) $(id -u)'", out="1 2 /etc 65534\n")
    image = docker.inspect("@image:1", "image")
    has(image, {"Id": identifier, "Author": "Jo <jo@example.test>", "Comment": "why it was made"})
    has(
        image["Config"],
        {
            "Cmd": ["cat", "/made"],
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/data": {}},
            "WorkingDir": "/etc",
            "User": "nobody",
        },
        "Config",
    )
    same(image["Config"]["Labels"]["k"], "v", "Labels.k")
    same(len(image["RootFS"]["Layers"]), 2, "number of layers")


@scenario("files", "commit of a running one pauses it only for a while")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'echo x > /f; sleep 1000'")
    docker("commit @c @image", out=ANY)
    has(docker.state("@c"), {"Running": True, "Paused": False}, "State")
    docker("run --rm @image cat /f", out="x\n")
    docker("commit -p=false @c @image:live", out=ANY)


@scenario("files", "commit without a name gives an image without a name")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE touch /f")
    identifier = docker("commit @c").word
    same(docker.inspect(identifier, "image")["RepoTags"], [], "RepoTags")
    docker(f"rmi {identifier}", out=ANY)


@scenario("files", "commit with a change that is none")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    done = docker("commit -c 'NOTHING x' @c @image", code=1)
    holds("is not a valid change command" in done.err or "unknown instruction" in done.err, f"errors: {done.err!r}")
    done = docker("commit -c 'RUN x' @c @image", code=1)
    holds("not a valid change command" in done.err, f"errors: {done.err!r}")


@scenario("files", "export is the whole root file system")
def _(docker: Cli) -> None:
    docker("run --name @c -v @v:/vol IMAGE sh -c 'echo x > /made; rm /etc/shells; echo y > /vol/hidden'")
    raw = docker("export @c").raw
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        names = {member.name.rstrip("/") for member in tar}
        made = tar.extractfile("made")
        assert made is not None
        same(made.read(), b"x\n", "made")
    holds({"bin/busybox", "etc/passwd", "dev", "proc", "vol"} <= names, f"missing in {sorted(names)[:50]}")
    holds(not {"etc/shells", "vol/hidden"} & names, "deleted files, or those of volumes, are in it")


@scenario("files", "export -o | import: the files without the settings")
def _(docker: Cli) -> None:
    docker("run --name @c -e A=1 IMAGE sh -c 'echo x > /made'")
    docker("export -o DIR/c.tar @c", out="")
    docker(
        "import -c 'CMD [\"cat\", \"/made\"]' -m 'a message' DIR/c.tar @flat:1",
        out=re.compile(r"sha256:[0-9a-f]{64}\n"),
    )
    docker("run --rm @flat:1", out="x\n")
    docker("run --rm @flat:1 sh -c 'echo a${A}b'", out="ab\n")
    image = docker.inspect("@flat:1", "image")
    same((len(image["RootFS"]["Layers"]), image["Comment"]), (1, "a message"))


@scenario("files", "export of a running one to standard output into import")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'echo x > /made; sleep 1000'")
    raw = docker("export @c").raw
    docker("import - @flat:2", stdin=raw, out=ANY)
    docker("run --rm @flat:2 cat /made", out="x\n")


@scenario("files", "history and size of a committed image")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'head -c 1000000 /dev/zero > /big'")
    docker("commit -m note @c @image")
    lines = [json.loads(line) for line in docker("history --no-trunc --format json @image").lines]
    has(lines[0], {"Comment": "note", "Size": "1MB"}, "newest")
    holds("head -c" in lines[0]["CreatedBy"], f"CreatedBy {lines[0]['CreatedBy']!r}")
    same(docker("ps -as --filter name=@c --format '{{.Size}}'").word[:4], "1MB ", "ps -s")
