"""ADD: archives, files of the web, git; and contexts that come from elsewhere."""

import os

from conformance.building import build, git, git_server, packed_tar, shows, tells, web_server
from conformance.checks import holds, same
from conformance.docker_cli import ANY, Cli, scenario
from wharfd.wire.oci import digest_of


def repository(docker: Cli) -> tuple[str, str]:
    """A bare repository DIR/git/r with a branch and a tag; gives the commits of the main branch's end and of the tag."""
    work = docker.directory / "work"
    docker.file("work/f", "one\n")
    docker.file("work/sub/Dockerfile", "FROM IMAGE\nCOPY g /g\n")
    docker.file("work/sub/g", "of a sub-directory\n")
    docker.file("work/Dockerfile", "FROM IMAGE\nCOPY f /f\n")
    git(work, "init", "-q")
    git(work, "add", ".")
    git(work, "commit", "-q", "-m", "one")
    git(work, "tag", "v1")
    tagged = git(work, "rev-parse", "HEAD")
    docker.file("work/f", "two\n")
    git(work, "commit", "-q", "-a", "-m", "two")
    git(work, "branch", "side")
    (docker.directory / "git").mkdir()
    git(docker.directory, "clone", "-q", "--bare", str(work), "git/r")
    git(docker.directory / "git/r", "config", "uploadpack.allowAnySHA1InWant", "true")
    return git(work, "rev-parse", "HEAD"), tagged


@scenario("build", "ADD of archives: plain, gzip, bzip2; what only looks like one")
def _(docker: Cli) -> None:
    for ending, mode in (("tar", "w"), ("tgz", "w:gz"), ("tbz", "w:bz2")):
        docker.file(f"ctx/a.{ending}", packed_tar({f"in/{ending}": f"{ending}\n"}, mode))
    docker.file("ctx/no.tar.gz", "text\n")
    build(docker, "FROM IMAGE\nADD a.tar a.tgz a.tbz no.tar.gz /a/\nCOPY a.tar /copied/\n")
    shows(docker, "cat /a/in/*; cat /a/no.tar.gz; ls /copied", "tar\ntbz\ntgz\ntext\na.tar\n")


@scenario("build", "ADD --chown and --chmod; a tar's own owners")
def _(docker: Cli) -> None:
    docker.file("ctx/a.tar", packed_tar({"f": "x"}))
    docker.file("ctx/g", "x")
    build(docker, "FROM IMAGE\nADD a.tar /a/\nADD --chown=5:6 a.tar /b/\nADD --chown=5:6 --chmod=600 g /c/\n")
    shows(docker, "stat -c '%u:%g %a' /a/f /b/f /c/g", "0:0 644\n5:6 644\n5:6 600\n")


@scenario("build", "ADD --unpack: not what is here, but what is fetched")
def _(docker: Cli) -> None:
    docker.file("web/a.tar.gz", packed_tar({"in": "x\n"}, "w:gz"))
    docker.file("ctx/b.tar", packed_tar({"in": "y\n"}))
    with web_server(docker.directory / "web") as address:
        build(
            docker,
            f"FROM IMAGE\nADD {address}/a.tar.gz /1/\nADD --unpack=true {address}/a.tar.gz /2/\nADD --unpack=false b.tar /3/\n",
        )
    shows(docker, "ls /1; cat /2/in; ls /3", "a.tar.gz\nx\nb.tar\n")


@scenario("build", "ADD from the web: name, mode, time, checksum")
def _(docker: Cli) -> None:
    path = docker.file("web/some/file.txt", "of the web\n")
    os.utime(path, (1_500_000_000, 1_500_000_000))
    digest = digest_of(b"of the web\n")
    with web_server(docker.directory / "web") as address:
        url = f"{address}/some/file.txt"
        build(
            docker, f"FROM IMAGE\nADD {url} /d/\nADD {url} /n\nADD --checksum={digest} --chmod=755 --chown=3 {url} /c\n"
        )
        shows(
            docker,
            "cat /d/file.txt /n; stat -c '%a %u %Y' /n /c",
            "of the web\nof the web\n600 0 1500000000\n755 3 1500000000\n",
        )
        done = build(docker, f"FROM IMAGE\nADD --checksum=sha256:{'0' * 64} {url} /c\n", code=1)
        tells(done, "digest mismatch", digest)
        done = build(docker, f"FROM IMAGE\nADD {address}/missing /c\n", code=1)
        tells(done, "404")


@scenario("build", "ADD from the web is cached until the file changes")
def _(docker: Cli) -> None:
    docker.file("web/f", "1\n")
    with web_server(docker.directory / "web") as address:
        text = f"FROM IMAGE\nADD {address}/f /f\nRUN cat /proc/sys/kernel/random/uuid > /u\n"
        build(docker, text)
        first = docker("run --rm @built cat /u").word
        build(docker, text)
        same(docker("run --rm @built cat /u").word, first)
        path = docker.file("web/f", "22\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))
        build(docker, text)
    lines = docker("run --rm @built cat /f /u").lines
    holds(lines[0] == "22" and lines[1] != first, f"{first} and then {lines}")


@scenario("build", "ADD of a git repository: branch, tag, commit, sub-directory, its .git")
def _(docker: Cli) -> None:
    last, tagged = repository(docker)
    with git_server(docker.directory / "git") as address:
        build(
            docker,
            f"FROM IMAGE\nADD {address}/r#main /main\nADD --keep-git-dir=true {address}/r#v1 /v1\n"
            f"ADD {address}/r#side:sub /sub\nADD {address}/r#{last} /last\nADD --checksum={tagged} {address}/r#v1 /sum\n",
        )
        shows(
            docker,
            "cat /main/f /v1/f /sub/g /last/f /sum/f; ls -d /*/.git",
            "one\n".join(("two\n", "of a sub-directory\ntwo\n", "/v1/.git\n")),
        )
        done = build(docker, f"FROM IMAGE\nADD --checksum={'1' * 40} {address}/r#v1 /sum\n", code=1)
        tells(done, "expected checksum to match")


@scenario("build", "a git repository as context: a branch, a sub-directory")
def _(docker: Cli) -> None:
    repository(docker)
    with git_server(docker.directory / "git") as address:
        docker(f"build -q -t @built {address}/r.git#v1".replace("r.git", "r"), out=ANY, timeout=120)
        shows(docker, "cat /f", "one\n")
        docker(f"build -q -t @built {address}/r#main:sub", out=ANY, timeout=120)
        shows(docker, "cat /g", "of a sub-directory\n")
        done = docker(f"build -q -t @built {address}/r#none", code=1, timeout=120)
        tells(done, "none")


@scenario("build", "a tar of the web, and a Dockerfile of the web, as context")
def _(docker: Cli) -> None:
    text = docker.target.expand("FROM IMAGE\nCOPY f /f\n")
    docker.file("web/ctx.tar.gz", packed_tar({"Dockerfile": text, "f": "tarred\n"}, "w:gz"))
    docker.file("web/Dockerfile", "FROM IMAGE\nRUN echo alone > /f\n")
    with web_server(docker.directory / "web") as address:
        docker(f"build -q -t @built {address}/ctx.tar.gz", out=ANY, timeout=120)
        shows(docker, "cat /f", "tarred\n")
        docker(f"build -q -t @built {address}/Dockerfile", out=ANY, timeout=120)
        shows(docker, "cat /f", "alone\n")


@scenario("build", "a tar on standard input as context, with the Dockerfile elsewhere in it")
def _(docker: Cli) -> None:
    text = docker.target.expand("FROM IMAGE\nCOPY f /f\n")
    stdin = packed_tar({"sub/My.Dockerfile": text, "f": "piped\n"}, "w:gz")
    docker("build -q -t @built -f sub/My.Dockerfile -", stdin=stdin, out=ANY, timeout=120)
    shows(docker, "cat /f", "piped\n")
