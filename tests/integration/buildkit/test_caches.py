"""Caches that travel: one builder writes them, another one (the same, having forgotten everything) reads them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import BASE_IMAGE, Engine
from tests.integration.buildkit.conftest import Docker
from tests.registries.inside import registry_inside

FROM = f"FROM {BASE_IMAGE}"
NAME = "127.0.0.1:5000/made:1"
DOCKERFILE = f"""{FROM} AS stage
COPY f /f
RUN head -c 8 /dev/urandom | od -An -tx1 > /stage
{FROM}
RUN head -c 8 /dev/urandom | od -An -tx1 > /random
COPY --from=stage /stage /stage
COPY --link f /linked
RUN cat /random /stage /linked > /all
"""


@pytest.fixture(scope="module")
def registry(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if shutil.which("docker-registry") is None:
        pytest.skip("not installed: docker-registry")
    with registry_inside(engine.netns, tmp_path_factory.mktemp("registry"), 5000) as blobs:
        yield blobs


@pytest.fixture
def files(docker: Docker) -> None:
    docker.write("Dockerfile", DOCKERFILE)
    docker.write("f", "f\n")


def image_id(docker: Docker) -> str:
    return docker.run("image", "inspect", "-f", "{{.Id}}", NAME)


def forget(docker: Docker) -> None:
    docker.run("rmi", "-f", NAME)
    docker.run("image", "prune", "-f")
    docker.run("buildx", "prune", "-af")


def build(docker: Docker, *words: str) -> str:
    docker.build("-t", NAME, "--provenance=false", *words, ".")
    return image_id(docker)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_directory(docker: Docker, mode: str) -> None:
    made = build(docker, "--cache-to", f"type=local,dest=cache,mode={mode}")
    forget(docker)
    assert build(docker, "--cache-from", "type=local,src=cache") == made
    forget(docker)
    assert build(docker) != made


@pytest.mark.usefixtures("files", "registry")
@pytest.mark.parametrize(
    "more", ["mode=max", "mode=min", "image-manifest=false", "compression=zstd,force-compression=true"]
)
def test_a_registry(docker: Docker, more: str) -> None:
    made = build(docker, "--cache-to", f"type=registry,ref=127.0.0.1:5000/cache,{more}")
    everything = docker.run("run", "--rm", NAME, "cat", "/all")
    forget(docker)
    again = build(docker, "--cache-from", "type=registry,ref=127.0.0.1:5000/cache")
    assert docker.run("run", "--rm", NAME, "cat", "/all") == everything
    if "zstd" not in more:
        assert again == made
    # It is known here now.
    docker.run("rmi", NAME)
    assert build(docker) == again


@pytest.mark.usefixtures("files", "registry")
def test_only_what_has_changed_is_done(docker: Docker) -> None:
    build(docker, "--cache-to", "type=registry,ref=127.0.0.1:5000/cache2,mode=max")
    before = docker.run("run", "--rm", NAME, "cat", "/stage")
    forget(docker)
    docker.write("Dockerfile", DOCKERFILE + "RUN cat /all\n")
    docker.write("other", "another file of the context")
    shown = docker.build("-t", NAME, "--cache-from", "127.0.0.1:5000/cache2", ".")
    assert before.strip() in shown
    assert shown.count("CACHED") >= 4
    assert "sha256:" in shown


@pytest.mark.usefixtures("files", "registry")
def test_the_image_itself(docker: Docker) -> None:
    made = build(docker, "--cache-to", "type=inline", "--push")
    forget(docker)
    assert build(docker, "--cache-from", NAME, "--cache-to", "type=inline") == made
    # Docker: an image of the store is asked first.  Its layers are here, and nothing has to come.
    docker.run("buildx", "prune", "-af")
    assert build(docker, "--cache-from", NAME, "--cache-to", "type=inline") == made


@pytest.mark.usefixtures("files")
def test_caches_that_are_not_to_be_had(docker: Docker) -> None:
    shown = docker.build("--cache-from", "127.0.0.1:9/nobody", ".")
    assert "importing cache manifest from 127.0.0.1:9/nobody" in shown
    refused = docker.build("--cache-to", "type=registry,ref=127.0.0.1:9/nobody", ".", code=1)
    assert "exporting cache to registry" in refused
    docker.build("--cache-to", "type=registry,ref=127.0.0.1:9/nobody,ignore-error=true", ".")
