"""Volumes of plugins, with a plugin as people write them: on a socket, in a process that comes and goes."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine import BASE_IMAGE, Engine
from tests.integration.engine.rig import until
from tests.volume_plugin import Plugin


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """Each engine here is gone at the end of its test module."""


@pytest.fixture(scope="module")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plugins")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, sockets: Path) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine"), [f"--plugin-dir={sockets}"]) as engine:
        engine.load_base_image()
        yield engine


def serving(plugin: Plugin) -> Iterator[Plugin]:
    thread = threading.Thread(target=plugin.serve_forever)
    thread.start()
    try:
        yield plugin
    finally:
        plugin.shutdown()
        plugin.server_close()
        thread.join()


@pytest.fixture
def plugin(engine: Engine, sockets: Path, tmp_path: Path) -> Iterator[Plugin]:
    (sockets / "demo.sock").unlink(missing_ok=True)
    for plugin in serving(Plugin(str(sockets / "demo.sock"), tmp_path)):
        yield plugin
        plugin.failures.clear()
        engine.remove_all()
        for volume in engine.get("/volumes").json["Volumes"]:
            assert engine.delete(f"/volumes/{volume['Name']}").status == 204
    (sockets / "demo.sock").unlink()


def make(engine: Engine, name: str, **more: Any) -> Any:
    answer = engine.post("/volumes/create", {"Name": name, "Driver": "demo", **more})
    assert answer.status == 201, answer.body
    return answer.json


def test_a_volume_from_beginning_to_end(engine: Engine, plugin: Plugin, tmp_path: Path) -> None:
    made = make(engine, "data", DriverOpts={"a": "b"}, Labels={"l": "1"})
    assert (made["Driver"], made["Scope"], made["Options"], made["Labels"]) == (
        "demo",
        "global",
        {"a": "b"},
        {"l": "1"},
    )
    shown = engine.get("/volumes/data").json
    assert (shown["Mountpoint"], shown["Status"]) == (str(tmp_path / "data"), {"opts": {"a": "b"}})
    assert "demo" in engine.get("/info").json["Plugins"]["Volume"]
    web = engine.run(
        "sh", "-c", "echo word > /d/file; sleep 1000", StopSignal="SIGKILL", HostConfig={"Binds": ["data:/d"]}
    )
    until((tmp_path / "data" / "file").exists, "nothing was written")
    assert plugin.mounts["data"] == {web}
    in_use = engine.delete("/volumes/data")
    assert (in_use.status, in_use.message) == (409, f"remove data: volume is in use - [{web}]")
    engine.restart(kill=True)
    assert engine.post(f"/containers/{web}/stop?t=0").status == 204
    until(lambda: not plugin.mounts["data"], "it is still mounted")
    assert engine.delete(f"/containers/{web}?force=1").status == 204
    assert engine.delete("/volumes/data").status == 204
    assert not (tmp_path / "data").exists()


def test_it_is_filled_from_the_image(engine: Engine, plugin: Plugin, tmp_path: Path) -> None:
    code, text = engine.run_to_end("ls", "/bin/sh", HostConfig={"Binds": ["fresh:/bin"], "VolumeDriver": "demo"})
    assert (code, text) == (0, "/bin/sh\n")
    assert (tmp_path / "fresh" / "busybox").exists()
    assert not any(plugin.mounts.values())


def test_volumes_that_others_have_made(engine: Engine, plugin: Plugin, tmp_path: Path) -> None:
    for name in ("foreign", "another"):
        plugin.answer("VolumeDriver.Create", {"Name": name})
    (tmp_path / "foreign" / "file").write_text("there")
    # One is met by its name alone, the other in the list.
    assert engine.run_to_end("cat", "/d/file", HostConfig={"Binds": ["foreign:/d"]}) == (0, "there")
    names = {volume["Name"]: volume["Driver"] for volume in engine.get("/volumes").json["Volumes"]}
    assert names == {"foreign": "demo", "another": "demo"}
    taken = engine.post("/volumes/create", {"Name": "another", "Driver": "local"})
    assert (taken.status, taken.message) == (
        409,
        "create another: driver 'demo' already has volume 'another': volume name must be unique",
    )


def test_what_the_plugin_refuses(engine: Engine, plugin: Plugin, tmp_path: Path) -> None:
    make(engine, "data")
    plugin.failures = {
        "VolumeDriver.Create": "no room",
        "VolumeDriver.Mount": "cannot mount",
        "VolumeDriver.Remove": "busy there",
        "VolumeDriver.List": "broken",
    }
    refused = engine.post("/volumes/create", {"Name": "more", "Driver": "demo"})
    assert (refused.status, refused.message) == (500, "create more: no room")
    identifier = engine.create(
        "true",
        HostConfig={
            "Mounts": [{"Type": "volume", "Source": "data", "Target": "/d", "VolumeOptions": {"NoCopy": True}}]
        },
    )
    refused = engine.post(f"/containers/{identifier}/start")
    assert (refused.status, refused.message) == (
        500,
        f"error while mounting volume '{tmp_path / 'data'}': cannot mount",
    )
    assert engine.delete(f"/containers/{identifier}").status == 204
    refused = engine.delete("/volumes/data")
    assert (refused.status, refused.message) == (500, "remove data: busy there")
    assert engine.get("/volumes").json["Warnings"] == ["list demo: broken"]


def test_drivers_that_are_none(engine: Engine, sockets: Path, tmp_path: Path) -> None:
    unknown = engine.post("/volumes/create", {"Name": "xx", "Driver": "nosuch"})
    assert (unknown.status, unknown.message) == (
        404,
        'create xx: error looking up volume plugin nosuch: plugin "nosuch" not found',
    )
    body = {"Image": BASE_IMAGE, "Cmd": ["true"], "HostConfig": {"VolumeDriver": "nosuch", "Binds": ["xx:/d"]}}
    assert engine.post("/containers/create", body).status == 404
    (sockets / "dead.spec").write_text(f"unix://{tmp_path}/nobody.sock")
    dead = engine.post("/volumes/create", {"Name": "xx", "Driver": "dead"})
    (sockets / "dead.spec").unlink()
    assert dead.status == 500
    assert dead.message.startswith('create xx: Post "http://plugin.moby.localhost/Plugin.Activate": no such file')
    for other in serving(Plugin(str(sockets / "logs.sock"), tmp_path, implements=("LogDriver",))):
        refused = engine.post("/volumes/create", {"Name": "xx", "Driver": "logs"})
        assert (refused.status, other.calls[0][0]) == (404, "Plugin.Activate")
    (sockets / "logs.sock").unlink()


def test_a_plugin_that_has_gone(engine: Engine, sockets: Path, tmp_path: Path) -> None:
    for _ in serving(Plugin(str(sockets / "gone.sock"), tmp_path)):
        assert engine.post("/volumes/create", {"Name": "orphan", "Driver": "gone"}).status == 201
    (sockets / "gone.sock").unlink()
    assert [volume["Name"] for volume in engine.get("/volumes").json["Volumes"]] == ["orphan"]
    assert engine.get("/volumes/orphan").json["Driver"] == "gone"
    refused = engine.delete("/volumes/orphan")
    assert refused.status == 404
    assert engine.delete("/volumes/orphan?force=1").status == 204
