"""Containers that are told of each other by links, or share memory."""

from pathlib import Path

from tests.engine import Engine
from tests.integration.engine.rig import until
from tests.integration.engine.test_networks import address as address_of
from tests.integration.engine.test_networks import serve, sleep


def hosts(engine: Engine, name: str) -> str:
    return Path(engine.inspect(name)["HostsPath"]).read_text()


def test_a_link_on_the_default_bridge(engine: Engine) -> None:
    serve(engine, "db1", ExposedPorts={"80/tcp": {}}, Env=["MODE=fast"], Hostname="dbhost")
    link = {"Links": ["db1:database"]}
    code, text = engine.run_to_end("sh", "-c", "env; nc database 80", HostConfig=link, Env=["DATABASE_ENV_MODE=own"])
    address = address_of(engine, "db1", "bridge")
    words = text.splitlines()
    assert code == 0
    assert f"DATABASE_PORT_80_TCP=tcp://{address}:80" in words
    assert "DATABASE_ENV_MODE=own" in words  # the container's own variables win
    assert "db1" in words  # the server's answer


def test_links_follow_restarts_and_renames(engine: Engine) -> None:
    serve(engine, "db1")
    sleep(engine, "web1", "bridge", HostConfig={"Links": ["db1:db"]})
    assert engine.inspect("web1")["HostConfig"]["Links"] == ["/db1:/web1/db"]
    names = {each["Id"]: each["Names"] for each in engine.get("/containers/json").json}
    assert names[engine.inspect("db1")["Id"]] == ["/db1", "/web1/db"]
    assert engine.post("/containers/db1/rename?name=db2").status == 204
    assert engine.inspect("web1")["HostConfig"]["Links"] == ["/db2:/web1/db"]
    assert engine.post("/containers/db2/stop?t=0").status == 204
    sleep(engine, "other", "bridge")
    assert engine.post("/containers/db2/start").status == 204
    address = address_of(engine, "db2", "bridge")
    until(lambda: f"{address}\tdb " in hosts(engine, "web1"), "the hosts file has the old address")


def test_a_link_to_a_container_at_rest(engine: Engine) -> None:
    engine.create("true", name="db1")
    web = engine.create("true", name="web1", HostConfig={"Links": ["db1:db"]})
    refused = engine.post(f"/containers/{web}/start")
    assert (refused.status, refused.message) == (500, "Cannot link to a non running container: /db1 AS /web1/db")


def test_shared_memory(engine: Engine) -> None:
    donor = engine.run(
        "sh",
        "-c",
        "echo shared > /dev/shm/word; sleep 1000",
        name="donor",
        StopSignal="SIGKILL",
        HostConfig={"IpcMode": "shareable", "ShmSize": 8 << 20},
    )
    read = ["sh", "-c", "until cat /dev/shm/word; do sleep 0.1; done; df /dev/shm | tail -1"]
    code, text = engine.run_to_end(*read, HostConfig={"IpcMode": "container:donor"})
    assert code == 0
    assert text.splitlines()[0] == "shared"
    assert text.split()[2] == "8192"
    engine.restart(kill=True)
    _, text = engine.run_to_end(*read, HostConfig={"IpcMode": f"container:{donor}"})
    assert text.startswith("shared")


def test_memory_that_is_not_shared(engine: Engine) -> None:
    donor = sleep(engine, "donor", "bridge", HostConfig={"IpcMode": "private"})
    refused = engine.post(f"/containers/{engine.create('true', HostConfig={'IpcMode': 'container:donor'})}/start")
    assert (refused.status, refused.message) == (
        400,
        f"failed to join IPC namespace: container {donor}: non-shareable IPC "
        "(hint: use IpcMode:shareable for the donor container)",
    )
