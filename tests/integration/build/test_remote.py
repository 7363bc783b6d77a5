"""Builds that bring something from elsewhere: files of the web, git repositories, whole contexts."""

import io
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import PATIENCE, Engine
from tests.integration.build.contexts import Builder, context, dockerfile

PORT = 8099
HERE = f"http://127.0.0.1:{PORT}"
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]


@pytest.fixture(scope="module")
def site(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that is served where the engine can reach it."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "file.txt").write_text("from the web\n")
    server = subprocess.Popen(
        ["nsenter", f"--net={engine.netns}", sys.executable, "-m", "http.server", str(PORT), "--bind", "127.0.0.1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20 * PATIENCE
    while not is_served(engine):
        assert time.monotonic() < deadline
        assert server.poll() is None
        time.sleep(0.1)
    yield folder
    server.kill()
    server.wait()


def is_served(engine: Engine) -> bool:
    script = f"import socket; socket.create_connection(('127.0.0.1', {PORT}), 1)"
    command = ["nsenter", f"--net={engine.netns}", sys.executable, "-c", script]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def repository(site: Path, files: dict[str, str]) -> str:
    """A repository that is served as files; returns the commit."""
    work = site / "work"
    subprocess.run([*GIT, "init", "-q", str(work)], check=True)
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    subprocess.run([*GIT, "-C", str(work), "add", "."], check=True)
    subprocess.run([*GIT, "-C", str(work), "commit", "-q", "-m", "one"], check=True)
    subprocess.run([*GIT, "-C", str(work), "tag", "-a", "-m", "v1", "v1"], check=True)
    subprocess.run([*GIT, "clone", "-q", "--bare", str(work), str(site / "repo.git")], check=True)
    subprocess.run([*GIT, "-C", str(site / "repo.git"), "update-server-info"], check=True)
    done = subprocess.run([*GIT, "-C", str(work), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_file_of_the_web(builder: Builder, site: Path) -> None:
    steps = (f"ADD {HERE}/file.txt /in/", "RUN cat /in/file.txt; stat -c '%a %u' /in/file.txt")
    assert "from the web\n600 0\n" in builder.build(*steps).text
    assert builder.build(*steps).cached == 2
    (site / "file.txt").write_text("changed\n")
    assert "changed\n" in builder.build(*steps).text


def test_a_file_of_the_web_that_is_not_there_or_not_what_it_should_be(builder: Builder, site: Path) -> None:
    assert "404" in builder.build(f"ADD {HERE}/nope /x").error
    wrong = "sha256:" + "0" * 64
    built = builder.build(f"ADD --checksum={wrong} {HERE}/file.txt /x")
    assert "digest mismatch" in built.error
    assert "connection refused" in builder.build("ADD http://127.0.0.1:1/x /x").error


def test_a_repository_a_tag_and_a_part_of_it(builder: Builder, site: Path) -> None:
    commit = repository(
        site, {"a.txt": "a", "sub/b.txt": "b", "sub/Dockerfile": dockerfile("COPY b.txt /b", "RUN cat /b")}
    )
    steps = (
        f"ADD {HERE}/repo.git#v1 /all",
        f"ADD {HERE}/repo.git#main:sub /part",
        "RUN cd / && find all part -type f | sort",
    )
    built = builder.build(*steps)
    assert "all/a.txt\nall/sub/Dockerfile\nall/sub/b.txt\npart/Dockerfile\npart/b.txt\n" in built.text
    assert builder.build(*steps).cached == 3
    assert "does not contain ref nope" in builder.build(f"ADD {HERE}/repo.git#nope /x").error
    kept = builder.build(f"ADD --keep-git-dir=true {HERE}/repo.git#{commit} /kept", "RUN ls -d /kept/.git")
    assert "/kept/.git\n" in kept.text
    # As a context.
    answer = builder.send(b"", {"remote": f"{HERE}/repo.git#main:sub", "t": "fromgit"})
    assert answer.status == 200, answer.body
    assert builder.run("fromgit", "cat", "/b") == "b"


def test_contexts_from_elsewhere(builder: Builder, site: Path) -> None:
    (site / "context.tar").write_bytes(context({"Dockerfile": dockerfile("COPY f /f", "RUN cat /f"), "f": "remote\n"}))
    assert b"remote" in builder.send(b"", {"remote": f"{HERE}/context.tar"}).body
    (site / "plain").write_text(dockerfile("RUN echo plain"))
    assert b"plain" in builder.send(b"", {"remote": f"{HERE}/plain"}).body
    for address, status in ((f"{HERE}/nope", (400, 404, 500)), ("/etc", (500,))):
        assert builder.send(b"", {"remote": address}).status in status


def test_an_archive_of_the_web_is_not_unpacked_and_one_of_the_context_is(builder: Builder, site: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("inner"))
    (site / "pack.tgz").write_bytes(out.getvalue())
    built = builder.build(
        f"ADD {HERE}/pack.tgz /web/", "ADD pack.tgz /ctx/", "RUN ls /web /ctx", files={"pack.tgz": out.getvalue()}
    )
    assert "/ctx:\ninner\n\n/web:\npack.tgz\n" in built.text or "/web:\npack.tgz\n\n/ctx:\ninner\n" in built.text
