"""Images go to a registry and come back, through the API and the clients that people use; digests are the same before and after."""

import json
import os
import subprocess
from pathlib import Path

import docker as docker_py
import pytest

from tests.integration.exchange.conftest import CLOSED, OPEN, Rig
from tests.integration.exchange.images import check_runs, load
from tests.registries.daemon import PASSWORD, USER
from tests.requirements import DOCKER, needs_docker

pytestmark = pytest.mark.root


def docker(rig: Rig, home: Path, *words: str, text: str = "") -> str:
    done = subprocess.run(
        ["nsenter", f"--net={rig.engine.netns}", DOCKER, *words],
        env={**os.environ, "DOCKER_HOST": f"unix://{rig.engine.socket}", "DOCKER_CONFIG": str(home), "HOME": str(home)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


def test_through_the_api(rig: Rig) -> None:
    engine, name = rig.engine, f"127.0.0.1:{OPEN}/me/app:1"
    before = load(engine, name, 500_000, 3_000_000)
    pushed = engine.post(f"/images/{name}/push").lines()
    assert pushed[-1]["aux"]["Digest"] == before["Id"]
    kept = {each for each in rig.stored() if "blobs" in each}
    engine.delete(f"/images/{name}")
    assert rig.stored() == []
    pulled = engine.post("/images/create", query={"fromImage": name}).lines()
    assert pulled[-1] == {"status": f"Status: Downloaded newer image for {name}"}
    after = engine.get(f"/images/{name}/json").json
    assert (after["Id"], after["RootFS"], after["RepoDigests"]) == (
        before["Id"],
        before["RootFS"],
        before["RepoDigests"],
    )
    assert {each for each in rig.stored() if "blobs" in each} == kept
    check_runs(engine, name, 500_000, 3_000_000)


def test_events_of_both_ways(rig: Rig) -> None:
    engine, name = rig.engine, f"127.0.0.1:{OPEN}/me/told:1"
    load(engine, name)
    engine.post(f"/images/{name}/push")
    engine.post("/images/create", query={"fromImage": name})
    now = engine.get("/info").json["SystemTime"]
    events = engine.get("/events", query={"since": "0", "until": now, "filters": {"event": ["push", "pull"]}}).lines()
    told = [(each["Action"], each["Actor"]) for each in events if each["Actor"]["ID"] == name]
    attributes = {"name": f"127.0.0.1:{OPEN}/me/told"}
    assert told == [
        ("push", {"ID": name, "Attributes": attributes}),
        ("pull", {"ID": name, "Attributes": attributes}),
    ]


@needs_docker
def test_with_the_docker_command_line(rig: Rig, tmp_path: Path) -> None:
    name = f"127.0.0.1:{CLOSED}/me/app:1"
    before = load(rig.engine, name, 2_000_000)
    refused = rig.engine.post(f"/images/{name}/push").lines()[-1]
    assert "no basic auth credentials" in refused["error"]
    login = ("login", "--username", USER, "--password-stdin", f"127.0.0.1:{CLOSED}")
    assert "Login Succeeded" in docker(rig, tmp_path, *login, text=PASSWORD)
    pushed = docker(rig, tmp_path, "push", name)
    assert f"1: digest: {before['Id']} size: " in pushed
    manifest = json.loads(docker(rig, tmp_path, "manifest", "inspect", "--insecure", "-v", name))
    assert manifest["Descriptor"]["digest"] == before["Id"]
    docker(rig, tmp_path, "rmi", name)
    assert rig.stored() == []
    assert docker(rig, tmp_path, "run", "--rm", "--network=none", name, "/bin/sh", "-c", "echo here").endswith("here\n")
    assert rig.engine.get(f"/images/{name}/json").json["Id"] == before["Id"]
    assert "Image is up to date" in docker(rig, tmp_path, "pull", name)
    assert docker(rig, tmp_path, "pull", "--quiet", name) == f"{name}\n"
    docker(rig, tmp_path, "rmi", "--force", name)
    docker(rig, tmp_path, "pull", "--all-tags", name.rpartition(":")[0])
    assert rig.engine.get(f"/images/{name}/json").json["Id"] == before["Id"]


def test_with_docker_py(rig: Rig) -> None:
    client = docker_py.DockerClient(base_url=f"unix://{rig.engine.socket}", version="auto")
    try:
        repository = f"127.0.0.1:{CLOSED}/me/py"
        before = load(rig.engine, f"{repository}:1", 1_000_000)
        login = {"username": USER, "password": PASSWORD}
        assert client.login(USER, PASSWORD, registry=f"127.0.0.1:{CLOSED}")["Status"] == "Login Succeeded"
        lines = list(client.images.push(repository, tag="1", stream=True, decode=True, auth_config=login))
        assert lines[-1]["aux"]["Digest"] == before["Id"]
        assert client.images.get_registry_data(f"{repository}:1", auth_config=login).id == before["Id"]
        client.images.remove(f"{repository}:1")
        with pytest.raises(docker_py.errors.ImageNotFound):
            client.containers.create(f"{repository}:1")
        assert client.images.pull(repository, tag="1", auth_config=login).id == before["Id"]
        assert [each.id for each in client.images.pull(repository, all_tags=True, auth_config=login)] == [before["Id"]]
        with pytest.raises(docker_py.errors.NotFound):
            client.images.pull(repository, tag="none", auth_config=login)
    finally:
        client.close()


def test_an_image_that_was_committed_goes_and_comes(rig: Rig) -> None:
    engine, name = rig.engine, f"127.0.0.1:{OPEN}/me/made:1"
    load(engine, "base:1")
    container = engine.run("sh", "-c", "echo made > /made", Image="base:1", Env=["PATH=/bin"])
    engine.wait(container)
    made = engine.post("/commit", query={"container": container, "repo": name.rpartition(":")[0], "tag": "1"}).json[
        "Id"
    ]
    engine.delete(f"/containers/{container}")
    assert engine.post(f"/images/{name}/push").lines()[-1]["aux"]["Digest"] == made
    engine.delete(f"/images/{name}")
    engine.post("/images/create", query={"fromImage": name})
    assert engine.run_to_end("sh", "-c", "read a < /made; echo $a", Image=name) == (0, "made\n")
