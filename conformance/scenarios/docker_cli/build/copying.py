"""COPY: flags, names, modes, links, and what .dockerignore leaves out."""

from conformance.building import build, shows, tells
from conformance.docker_cli import Cli, scenario


def files(docker: Cli, *names: str) -> None:
    for name in names:
        docker.file(f"ctx/{name}", f"{name}\n")


@scenario("build", "COPY --link: the same files, also through a link of the stage before")
def _(docker: Cli) -> None:
    files(docker, "a", "d/b")
    build(
        docker,
        "FROM IMAGE\nRUN mkdir /real && ln -s real /l\nCOPY --link a /x/a\nCOPY --link --chown=3:4 d /x/\nCOPY a /l/\n",
    )
    shows(docker, "cat /x/a /x/b /real/a; stat -c '%u:%g %n' /x/*", "a\nd/b\na\n0:0 /x/a\n3:4 /x/b\n")


@scenario("build", "COPY --exclude, once and more")
def _(docker: Cli) -> None:
    files(docker, "d/a.txt", "d/a.log", "d/e/b.log", "d/e/c.txt", "d/tmp/x")
    build(docker, "FROM IMAGE\nCOPY --exclude=**/*.log --exclude=tmp d /d\nCOPY --exclude=*.txt d /e\n")
    shows(
        docker,
        "cd /d; find . -type f | sort; cd /e; find . -type f | sort",
        "./a.txt\n./e/c.txt\n./a.log\n./e/b.log\n./e/c.txt\n./tmp/x\n",
    )


@scenario("build", "COPY --chmod: octal, and symbolic")
def _(docker: Cli) -> None:
    docker.file("ctx/d/run", "x", 0o755)
    docker.file("ctx/d/plain", "x", 0o600)
    build(docker, "FROM IMAGE\nCOPY --chmod=0751 d /a\nCOPY --chmod=u=rwX,go=rX d /b\nCOPY --chmod=g+w,o-r d /c\n")
    shows(
        docker,
        "for d in a b c; do stat -c '%n %a' /$d/run /$d/plain; done",
        "/a/run 751\n/a/plain 751\n/b/run 755\n/b/plain 644\n/c/run 771\n/c/plain 620\n",
    )


@scenario("build", "COPY --chown by the image's names")
def _(docker: Cli) -> None:
    files(docker, "a")
    build(
        docker,
        "FROM IMAGE\nCOPY --chown=www-data a /1\nCOPY --chown=nobody:users a /2\nCOPY --chown=7 a /3\nCOPY --chown=0:disk a /4\n",
    )
    shows(docker, "stat -c '%u:%g' /1 /2 /3 /4", "33:33\n65534:100\n7:7\n0:6\n")


@scenario("build", "COPY: where things go")
def _(docker: Cli) -> None:
    files(docker, "a", "d/b", "d/e/c")
    build(
        docker,
        "FROM IMAGE\nWORKDIR /w/x\nRUN mkdir -p /old/e /ex && echo old > /old/e/kept && echo old > /old/b\n"
        "COPY a .\nCOPY a ../up\nCOPY a new/\nCOPY a new2\nCOPY d /old\nCOPY d /ex/\nCOPY d/ sub/dir\nCOPY a d /both/\n",
    )
    shows(
        docker,
        "find /w /old /ex /both -type f | sort; cat /old/b",
        "/both/a\n/both/b\n/both/e/c\n/ex/b\n/ex/e/c\n/old/b\n/old/e/c\n/old/e/kept\n/w/up\n/w/x/a\n/w/x/new/a\n"
        "/w/x/new2\n/w/x/sub/dir/b\n/w/x/sub/dir/e/c\nd/b\n",
    )


@scenario("build", "COPY: patterns")
def _(docker: Cli) -> None:
    files(docker, "a1.txt", "a2.txt", "b1.txt", "s/one/x.c", "s/two/y.c", "s/two/deep/z.c", "[odd].txt")
    build(
        docker,
        "FROM IMAGE\nCOPY a?.txt /1/\nCOPY [ab]1.txt /2/\nCOPY s/*/*.c /3/\nCOPY s/t* /4/\nCOPY s/**/*.c /5/\nCOPY [[]odd].txt /6/\n",
    )
    shows(
        docker,
        "find /1 /2 /3 /4 /6 -type f | sort; ls /5",
        "/1/a1.txt\n/1/a2.txt\n/2/a1.txt\n/2/b1.txt\n/3/x.c\n/3/y.c\n/4/deep/z.c\n/4/y.c\n/6/[odd].txt\nx.c\ny.c\n",
    )


@scenario("build", "COPY: links stay links within a directory, and are followed when they are named")
def _(docker: Cli) -> None:
    files(docker, "d/f")
    (docker.directory / "ctx/d/l").symlink_to("f")
    (docker.directory / "ctx/d/dangling").symlink_to("/nowhere/at/all")
    (docker.directory / "ctx/toplink").symlink_to("d/f")
    (docker.directory / "ctx/dirlink").symlink_to("d")
    build(docker, "FROM IMAGE\nCOPY d /d\nCOPY toplink /t\nCOPY dirlink /e\n")
    shows(
        docker,
        "readlink /d/l; readlink /d/dangling; cat /t; test -L /t || echo file; ls /e; test -L /e || echo dir",
        "f\n/nowhere/at/all\nd/f\nfile\ndangling\nf\nl\ndir\n",
    )


@scenario("build", "COPY --from: a stage's number, an image, a link of a stage")
def _(docker: Cli) -> None:
    build(
        docker,
        "FROM IMAGE\nRUN mkdir /d && echo x > /d/f && ln -s d /l && chown 5:6 /d/f\nFROM IMAGE\nCOPY --from=0 /d/f /a\n"
        "COPY --from=0 /l/f /b\nCOPY --from=IMAGE /etc/shells /s\nCOPY --from=0 --chown=1:2 /d /c\n",
    )
    shows(docker, "cat /a /b /c/f; stat -c %u:%g /a /c/f; head -1 /s", "x\nx\nx\n5:6\n1:2\n/bin/sh\n")


@scenario("build", "COPY: names with spaces, as JSON and as here-documents with a mode")
def _(docker: Cli) -> None:
    files(docker, "a b", "c")
    build(
        docker,
        'FROM IMAGE\nENV W=world\nCOPY ["a b", "c", "/to here/"]\n'
        "COPY --chmod=700 --chown=1:1 <<one <<'two' <<-three /h/\nhello $W\none\nhello $W\ntwo\n\t\ttabs\n\tthree\n",
    )
    shows(
        docker,
        "cat '/to here/a b' '/to here/c' /h/one /h/two /h/three; stat -c '%a %u' /h/two",
        "a b\nc\nhello world\nhello $W\ntabs\n700 1\n",
    )


@scenario("build", "COPY: modes and special bits are kept, directories that are made are root's")
def _(docker: Cli) -> None:
    docker.file("ctx/suid", "x", 0o4755)
    docker.file("ctx/private/f", "x", 0o400)
    (docker.directory / "ctx/private").chmod(0o700)
    (docker.directory / "ctx/empty").mkdir()
    build(
        docker,
        "FROM IMAGE\nUSER nobody\nCOPY suid /new/dir/suid\nCOPY private /private\nCOPY empty /empty\nUSER root\n",
    )
    shows(
        docker,
        "stat -c '%a %u:%g %n' /new /new/dir /new/dir/suid /private /private/f /empty",
        "755 0:0 /new\n755 0:0 /new/dir\n4755 0:0 /new/dir/suid\n755 0:0 /private\n400 0:0 /private/f\n755 0:0 /empty\n",
    )


@scenario("build", "COPY over what is there: a file over a file, a directory over a link")
def _(docker: Cli) -> None:
    files(docker, "f", "d/x")
    build(
        docker,
        "FROM IMAGE\nRUN mkdir /real && ln -s /real /link && echo old > /f && ln -s /f /fl\nCOPY d /link\nCOPY f /f\n",
    )
    shows(docker, "readlink /link; ls /real; cat /f", "/real\nx\nf\n")
    done = build(docker, "FROM IMAGE\nRUN mkdir /f\nCOPY d /etc/passwd\n", code=1)
    tells(done, "cannot copy to non-directory")


@scenario("build", ".dockerignore: exceptions, comments, the last line decides")
def _(docker: Cli) -> None:
    files(docker, "a.md", "README.md", "d/a.md", "d/keep.md", "n/x", "n/y/z", "secret")
    docker.file("ctx/.dockerignore", "# comment\n*\n!*.md\n!d\nd/a.md\n!n/y\nsecret\n/README.md\n")
    build(docker, "FROM IMAGE\nCOPY . /c\n")
    shows(docker, "cd /c; find . -type f | sort", "./a.md\n./d/keep.md\n./n/y/z\n")


@scenario("build", "an ignore file of one Dockerfile's own outweighs .dockerignore")
def _(docker: Cli) -> None:
    files(docker, "a", "b")
    docker.file("ctx/.dockerignore", "a\n")
    docker.file("ctx/other.Dockerfile", "FROM IMAGE\nCOPY . /c\n")
    docker.file("ctx/other.Dockerfile.dockerignore", "b\n*Dockerfile*\n")
    build(docker, "FROM IMAGE\n", "-t @built -f DIR/ctx/other.Dockerfile")
    shows(docker, "cd /c; find . -type f | sort", "./.dockerignore\n./a\n")


@scenario("build", "a source that .dockerignore leaves out, or that no pattern finds")
def _(docker: Cli) -> None:
    files(docker, "a")
    docker.file("ctx/.dockerignore", "a\n")
    done = build(docker, "FROM IMAGE\nCOPY a /a\n", code=1)
    tells(done, '"/a": not found', "Dockerfile:2")
    done = build(docker, "FROM IMAGE\nCOPY *.nothing b /a/\n", code=1)
    tells(done, "not found")
