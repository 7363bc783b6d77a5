"""docker-py: what its users do, with the version that it negotiates and with fixed ones.  (Attach and exec: tests/integration/streams.)"""

import io
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from docker.types import LogConfig, Mount, Ulimit

from tests.engine import BASE_IMAGE, Engine
from tests.images import archive, image

pytestmark = pytest.mark.root

Client = Any  # its hints forbid what its documentation shows

VERSIONS = ("auto", "1.24", "1.30", "1.35", "1.40", "1.41", "1.43", "1.44", "1.47", "1.51", "1.52", "1.55")


@pytest.fixture(params=VERSIONS)
def client(engine: Engine, request: pytest.FixtureRequest) -> Iterator[docker.DockerClient]:
    made = docker.DockerClient(base_url=f"unix://{engine.socket}", version=request.param, timeout=30)
    yield made
    for container in made.containers.list(all=True):
        container.remove(force=True, v=True)
    made.close()


def minor(client: Client) -> int:
    return int(client.api.api_version.split(".")[1])


def sleeper(client: Client, **options: Any) -> Any:
    return client.containers.run(BASE_IMAGE, ["sleep", "1000"], detach=True, stop_signal="SIGKILL", **options)


def test_auto_takes_what_the_engine_offers(engine: Engine) -> None:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}")
    assert client.api.api_version == client.version()["ApiVersion"]
    client.close()


def test_system(client: Client) -> None:
    assert client.ping() is True
    assert client.version()["MinAPIVersion"] == "1.24"
    assert client.info()["Swarm"]["LocalNodeState"] == "inactive"
    if minor(client) >= 25:
        assert client.df()["Images"][0]["RepoTags"] == [BASE_IMAGE]


def test_a_life(client: Client) -> None:
    container = client.containers.create(
        BASE_IMAGE, ["sh", "-c", "echo out; echo err >&2; exit 3"], name="web", labels={"tier": "front"}
    )
    assert client.containers.list() == []
    assert [each.name for each in client.containers.list(all=True, filters={"label": "tier=front"})] == ["web"]
    assert container.status == "created"
    container.start()
    assert container.wait()["StatusCode"] == 3
    assert container.logs(stdout=True, stderr=False) == b"out\n"
    assert container.logs(stdout=False, stderr=True) == b"err\n"
    assert sorted(container.logs(stream=True)) == [b"err\n", b"out\n"]
    container.reload()
    assert (container.status, container.attrs["State"]["ExitCode"]) == ("exited", 3)
    assert container.image.tags == [BASE_IMAGE]
    container.remove()
    with pytest.raises(NotFound):
        client.containers.get("web")


def test_run_gives_the_output(client: Client) -> None:
    assert client.containers.run(BASE_IMAGE, ["echo", "hello world"], remove=True) == b"hello world\n"
    assert client.containers.run(BASE_IMAGE, "sh -c 'echo err >&2'", stderr=True, remove=True) == b"err\n"
    with pytest.raises(ContainerError) as failed:
        client.containers.run(BASE_IMAGE, ["sh", "-c", "echo bad >&2; exit 4"], remove=True)
    assert failed.value.exit_status == 4
    assert str(failed.value).endswith("b'bad\\n'")
    assert client.containers.list(all=True) == []


def test_a_running_one(client: Client) -> None:
    container = sleeper(client)
    assert [each.id for each in client.containers.list()] == [container.id]
    assert container.top(ps_args="-o pid,comm")["Titles"] == ["PID", "COMMAND"]
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.rename("other")
    assert client.containers.get("other").id == container.id
    container.update(cpu_shares=300)
    container.restart(timeout=0)
    container.reload()
    assert (container.status, container.attrs["HostConfig"]["CpuShares"]) == ("running", 300)
    container.stop(timeout=5)
    container.start()
    container.kill()
    assert container.wait(timeout=10)["StatusCode"] == 137
    with pytest.raises(APIError) as refused:
        container.kill()
    assert refused.value.status_code == 409


def test_follow(client: Client) -> None:
    container = client.containers.run(BASE_IMAGE, ["sh", "-c", "echo 1; sleep 0.3; echo 2"], detach=True)
    assert b"".join(container.logs(stream=True, follow=True)) == b"1\n2\n"
    (line,) = container.logs(timestamps=True, tail=1).splitlines()
    assert line.endswith(b"Z 2")


def test_events(client: Client) -> None:
    since = int(time.time())
    name = f"seen-{time.time_ns()}"
    stream = client.events(decode=True, since=since, filters={"type": "container", "container": name})
    container = client.containers.create(BASE_IMAGE, ["true"], name=name)
    container.start()
    container.wait()
    found = []
    for event in stream:
        found.append(event["Action"])
        if event["Action"] == "die":
            break
    stream.close()
    assert found == ["create", "start", "die"]
    past = client.events(
        decode=True, since=since, until=int(time.time()) + 1, filters={"container": name, "event": "create"}
    )
    events = list(past)
    assert [event["Actor"]["ID"] for event in events] == [container.id]
    assert (events[0].get("status") == "create") is (minor(client) < 52)


def test_options(client: Client) -> None:
    newer: dict[str, Any] = {"init": True, "mounts": [Mount("/scratch", None, type="tmpfs", tmpfs_size=1 << 20)]}
    if minor(client) < 30:
        newer.clear()
    container = client.containers.create(
        BASE_IMAGE,
        ["sh", "-c", "id -u; hostname; echo $A; ulimit -n; cat /data/../proc/1/comm; mount | grep -c ' /data '"],
        environment={"A": "1"},
        hostname="box",
        user="65534",
        mem_limit="64m",
        cpu_quota=50_000,
        cap_add=["NET_ADMIN"],
        ulimits=[Ulimit(name="nofile", soft=100, hard=200)],
        volumes={"named": {"bind": "/data", "mode": "rw"}},
        tmpfs={"/run": "size=1m"},
        log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 1},
        extra_hosts={"db": "10.0.0.2"},
        **newer,
    )
    container.start()
    container.wait()
    lines = container.logs().decode().splitlines()
    assert lines[:4] == ["65534", "box", "1", "100"]
    assert lines[-1] == "1"
    config = container.attrs["HostConfig"]
    assert (config["Memory"], config["CpuQuota"]) == (64 << 20, 50_000)
    container.remove()
    client.volumes.get("named").remove()


def test_images(client: Client) -> None:
    (loaded,) = client.images.load(archive(image("one:1")))
    assert loaded.tags == ["one:1"]
    assert loaded.tag("two", tag="x")
    assert {tag for each in client.images.list() for tag in each.tags} == {BASE_IMAGE, "one:1", "two:x"}
    assert client.images.list(name="one")[0].id == loaded.id
    assert [row["CreatedBy"] for row in loaded.history()] == ['CMD ["sh"]', "ADD rootfs.tar /"]
    saved = b"".join(client.images.get("one:1").save())
    client.images.remove("one:1")
    client.images.remove("two:x")
    with pytest.raises(ImageNotFound):
        client.images.get("one:1")
    (again,) = client.images.load(io.BytesIO(saved))
    assert again.id == loaded.id
    again.remove(force=True)


def test_errors(client: Client) -> None:
    with pytest.raises(ImageNotFound) as absent:
        client.images.get("nope")
    assert absent.value.explanation == "No such image: nope:latest"
    with pytest.raises(NotFound) as gone:
        client.containers.get("nope")
    assert gone.value.explanation == "No such container: nope"
    sleeper(client, name="web")
    with pytest.raises(APIError) as taken:
        client.containers.create(BASE_IMAGE, ["true"], name="web")
    assert taken.value.status_code == 409
    with pytest.raises(APIError) as running:
        client.containers.get("web").remove()
    assert running.value.status_code == 409
    with pytest.raises(APIError) as missing:
        client.containers.run(BASE_IMAGE, ["/no/such/program"], remove=True)
    assert missing.value.status_code == 400
    with pytest.raises(NotFound):
        client.volumes.get("nope")
    with pytest.raises(NotFound):
        client.networks.get("nope")


def test_volumes_and_networks(client: Client) -> None:
    volume = client.volumes.create("data", labels={"a": "1"})
    assert [each.name for each in client.volumes.list(filters={"label": "a"})] == ["data"]
    assert volume.attrs["Driver"] == "local"
    volume.remove()
    assert sorted(str(each.name) for each in client.networks.list()) == ["bridge", "host", "none"]
    bridge = client.networks.list(names=["bridge"])[0]
    container = sleeper(client)
    bridge.reload()
    assert [each.id for each in bridge.containers] == [container.id]


def test_prune(client: Client) -> None:
    if minor(client) < 25:
        pytest.skip("there is no prune below 1.25")
    container = client.containers.create(BASE_IMAGE, ["true"])
    assert client.containers.prune()["ContainersDeleted"] == [container.id]
    assert client.images.prune()["SpaceReclaimed"] == 0
    assert client.volumes.prune()["SpaceReclaimed"] == 0
    assert client.networks.prune()["NetworksDeleted"] is None


def test_swarm_and_plugins_are_absent(client: Client) -> None:
    for ask in (client.swarm.reload, client.nodes.list, client.services.list):
        with pytest.raises(APIError) as refused:
            ask()
        assert refused.value.status_code == 503
    if minor(client) >= 25:
        assert client.plugins.list() == []
