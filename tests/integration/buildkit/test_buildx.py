"""buildx, bake and compose before the engine: what they show and what comes of it."""

import io
import json
import os
import re
import signal
import subprocess
import tarfile
import time

import pytest

from tests.engine import BASE_IMAGE, PATIENCE
from tests.integration.buildkit.conftest import Docker
from tests.requirements import DOCKER

FROM = f"FROM {BASE_IMAGE}\n"


def test_who_is_there(docker: Docker) -> None:
    assert re.search(r"default\s+running\s+v\S+\s+linux/", docker.run("buildx", "ls"))
    shown = docker.run("buildx", "inspect")
    assert "org.mobyproject.buildkit.worker.snapshotter" in shown
    assert docker.engine.get("/_ping").headers["builder-version"] == "2"


def test_an_image(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + 'ARG WHO\nRUN echo hello $WHO >&2\nCOPY . /ctx\nCMD ["find", "/ctx"]\n')
    docker.write(".dockerignore", "*.md\n!keep.md\n")
    for name in ("a", "x.md", "keep.md", "d/e"):
        docker.write(name, name)
    shown = docker.build("-t", "made:1", "--iidfile", "id", "--metadata-file", "meta", "--build-arg", "WHO=you", ".")
    assert re.search(r"#\d+ [0-9.]+ hello you\n", shown)
    assert re.search(r"transferring context: \S+ .*done", shown)
    identifier = (docker.directory / "id").read_text()
    assert docker.engine.get(f"/images/{identifier}/json").json["RepoTags"] == ["made:1"]
    metadata = json.loads((docker.directory / "meta").read_text())
    assert metadata["containerimage.digest"] == identifier
    assert metadata["image.name"] == "docker.io/library/made:1"
    listed = docker.run("run", "--rm", "made:1")
    assert {"/ctx/a", "/ctx/keep.md", "/ctx/d/e"} <= set(listed.split())
    assert "/ctx/x.md" not in listed


def test_only_what_has_changed_is_sent_and_made_again(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + "COPY big /big\nCOPY small /small\n")
    docker.write("big", "x" * 1_000_000)
    docker.write("small", "1")
    assert re.search(r"transferring context: 1.00MB", docker.build("."))
    docker.write("small", "2")
    again = docker.build(".")
    assert re.search(r"transferring context: \d+B .*done", again)
    assert re.search(r"COPY big /big\n#\d+ CACHED", again)
    assert re.search(r"COPY small /small\n#\d+ DONE", again)


def test_a_step_that_fails_is_shown_in_its_file(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + "RUN echo before; exit 7\n")
    shown = docker.build(".", code=1)
    assert ">>> RUN echo before; exit 7" in shown
    assert "Dockerfile:2" in shown
    text = 'failed to solve: process "/bin/sh -c echo before; exit 7" did not complete successfully: exit code: 7'
    assert shown.rstrip().endswith(text)


def test_a_dockerfile_that_is_wrong_is_shown(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + "RUM x\n")
    shown = docker.build(".", code=1)
    assert ">>> RUM x" in shown
    text = "failed to solve: dockerfile parse error on line 2: unknown instruction: RUM (did you mean RUN?)"
    assert shown.rstrip().endswith(text)


def test_contexts_from_standard_input(docker: Docker) -> None:
    shown = docker.build("-", stdin=(FROM + "RUN echo from a pipe\n").encode())
    assert "from a pipe" in shown
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, text in (("Dockerfile", FROM + "COPY d /d\nRUN cat /d/f\n"), ("d/f", "from an archive\n")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    assert "from an archive" in docker.build("-", stdin=archive.getvalue())


@pytest.mark.parametrize("kind", ["local", "tar", "oci", "docker"])
def test_results_come_back_to_the_client(docker: Docker, kind: str) -> None:
    docker.write("Dockerfile", "FROM scratch\nCOPY --chmod=640 f d/f\nCOPY links links\n")
    docker.write("f", "content")
    docker.write("links/x", "")
    os.symlink("x", docker.directory / "links/l")
    docker.write(".dockerignore", "out*\n")
    docker.build("-o", f"type={kind},dest=out", ".")
    out = docker.directory / "out"
    if kind == "local":
        assert (out / "d/f").read_text() == "content"
        assert (out / "d/f").stat().st_mode & 0o777 == 0o640
        assert os.readlink(out / "links/l") == "x"
        return
    with tarfile.open(out) as archive:
        names = archive.getnames()
        if kind == "tar":
            assert {"d", "d/f"} <= set(names)
            member = archive.extractfile("d/f")
            assert member is not None
            assert member.read() == b"content"
        else:
            assert {"index.json", "oci-layout"} <= set(names)
            assert ("manifest.json" in names) == (kind == "docker")


def test_secrets_come_over_the_session(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + 'RUN --mount=type=secret,id=token,env=TOKEN test "$TOKEN" = s3cret\n')
    docker.write("token", "s3cret")
    docker.build("--secret", "id=token,src=token", ".")
    assert "secret other: not found" in docker.build(
        "-", code=1, stdin=(FROM + "RUN --mount=type=secret,id=other,required=true true\n").encode()
    )


def test_bake_builds_targets_on_each_other(docker: Docker) -> None:
    docker.write(
        "docker-bake.json",
        json.dumps(
            {
                "group": {"default": {"targets": ["app", "tool"]}},
                "target": {
                    "base": {"dockerfile-inline": FROM + "RUN echo base > /base\n"},
                    "app": {
                        "contexts": {"base": "target:base"},
                        "dockerfile-inline": "FROM base\nRUN cat /base > /app\n",
                        "tags": ["app:1"],
                    },
                    "tool": {
                        "contexts": {"other": "other"},
                        "dockerfile-inline": FROM + "COPY --from=other f /f\n",
                        "tags": ["tool:1"],
                    },
                },
            }
        ),
    )
    docker.write("other/f", "file of another context")
    docker.run("buildx", "bake", "--progress", "plain")
    assert docker.run("run", "--rm", "app:1", "cat", "/app") == "base\n"
    assert docker.run("run", "--rm", "tool:1", "cat", "/f") == "file of another context"


def test_compose_builds_and_runs(docker: Docker) -> None:
    docker.write("compose.yaml", "services: {web: {build: {context: .}}}\n")
    docker.write("Dockerfile", FROM + 'COPY f /f\nCMD ["cat", "/f"]\n')
    docker.write("f", "composed\n")
    try:
        shown = docker.run("compose", "-p", "cb", "up", "--build")
    finally:
        docker.run("compose", "-p", "cb", "down")
    assert re.search(r"web-1\s+\| composed", shown)


def test_a_build_that_is_broken_off_ends(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + "RUN echo going; sleep 1000\n")
    client = subprocess.Popen(
        [DOCKER, "buildx", "build", "--progress", "plain", "."],
        cwd=docker.directory,
        env=docker.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert client.stderr is not None
    shown = ""
    while " going" not in shown.partition("RUN")[2].partition("\n")[2]:
        line = client.stderr.readline()
        assert line, shown
        shown += line
    client.send_signal(signal.SIGINT)
    shown += client.stderr.read()
    client.wait(30 * PATIENCE)
    assert "CANCELED" in shown
    deadline = time.monotonic() + 15 * PATIENCE
    while any("sleep 1000" in words for words in docker.engine.pids().values()):
        assert time.monotonic() < deadline, docker.engine.pids()
        time.sleep(0.05)


def test_the_history(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + "RUN echo for the history\n")
    docker.build("--no-cache", ".")
    docker.write("Dockerfile.bad", FROM + "RUN exit 3\n")
    docker.build("-f", "Dockerfile.bad", ".", code=1)
    words = "{{.Ref}} {{.Status}}"
    listed = docker.run("buildx", "history", "ls", "--format", words).splitlines()
    assert [line.split()[1] for line in listed[:2]] == ["Error", "Completed"]
    failed = docker.run("buildx", "history", "ls", "--filter", "status=error", "--format", words).splitlines()
    assert failed[0] == listed[0]
    assert all(line.endswith("Error") for line in failed)
    assert "for the history" in docker.run("buildx", "history", "logs", "^1")
    assert "exit code: 3" in docker.run("buildx", "history", "inspect")
    ref = listed[0].split()[0].rpartition("/")[2]
    docker.run("buildx", "history", "rm", ref)
    assert ref not in docker.run("buildx", "history", "ls", "--no-trunc")


def test_the_cache_is_shown_and_pruned(docker: Docker) -> None:
    docker.write("Dockerfile", FROM + "RUN echo for the cache > /x\n")
    docker.build(".")
    shown = docker.run("buildx", "du", "--verbose", "--filter", "type=regular")
    assert "RUN echo for the cache" in shown
    docker.run("buildx", "prune", "-f", "--all")
    assert "RUN echo for the cache" not in docker.run("buildx", "du", "--verbose")
