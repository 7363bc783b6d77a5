"""The builder as docker-py and the docker command line use it."""

import io
import os
import subprocess
from pathlib import Path

import docker
import pytest
from docker.errors import BuildError

from tests.engine import Engine
from tests.integration.build.contexts import FROM, Builder, dockerfile
from tests.requirements import DOCKER, needs_docker


@pytest.fixture
def client(engine: Engine) -> docker.DockerClient:
    return docker.DockerClient(base_url=f"unix://{engine.socket}", timeout=300)


def test_docker_py_builds_a_directory(builder: Builder, client: docker.DockerClient, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile("ARG V", "COPY . /src/", "RUN ls -A /src; echo v=$V"))
    (tmp_path / ".dockerignore").write_text("secret\n")
    for name in ("kept", "secret"):
        (tmp_path / name).write_text(name)
    image, log = client.images.build(path=str(tmp_path), tag="py:one", buildargs={"V": "7"}, rm=True)
    text = "".join(str(line.get("stream", "")) for line in log if isinstance(line, dict))
    assert "kept" in text
    assert "secret\n" not in text
    assert "v=7" in text
    assert image.tags == ["py:one"]
    assert client.containers.run("py:one", ["cat", "/src/kept"], remove=True) == b"kept"
    client.close()


def test_docker_py_builds_a_dockerfile_alone_and_learns_of_failures(client: docker.DockerClient) -> None:
    image, _ = client.images.build(fileobj=io.BytesIO(dockerfile("RUN echo alone").encode()), rm=True)
    assert str(image.id).startswith("sha256:")
    with pytest.raises(BuildError, match="returned a non-zero code: 4") as caught:
        client.images.build(fileobj=io.BytesIO((FROM + "RUN echo last words; exit 4\n").encode()), rm=True)
    assert any("last words" in line.get("stream", "") for line in caught.value.build_log)
    assert "SpaceReclaimed" in client.api.prune_builds()
    client.close()


@needs_docker
def test_the_command_line_without_buildkit(builder: Builder, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile("COPY a /a", "RUN cat /a"))
    (tmp_path / "a").write_text("classic\n")
    environment = {
        **os.environ,
        "DOCKER_BUILDKIT": "0",
        "DOCKER_HOST": f"unix://{builder.engine.socket}",
        "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(tmp_path),
    }
    done = subprocess.run(
        [DOCKER, "build", "-t", "cli:classic", "--iidfile", str(tmp_path / "iid"), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "classic\n" in done.stdout
    assert "Successfully tagged cli:classic\n" in done.stdout
    assert (tmp_path / "iid").read_text() == builder.engine.get("/images/cli:classic/json").json["Id"]
    (tmp_path / "Dockerfile").write_text(dockerfile("RUN exit 9"))
    failed = subprocess.run(
        [DOCKER, "build", "-q", str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 9
    assert "returned a non-zero code: 9" in failed.stderr
