"""Volumes, parts of them, images and directories of the host inside real containers."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.engine import BASE_IMAGE, Engine
from tests.integration.engine.rig import until


@pytest.fixture(autouse=True)
def no_volume_is_left(engine: Engine, nothing_is_left: None) -> Any:
    yield
    engine.remove_all()
    for volume in engine.get("/volumes").json["Volumes"]:
        assert engine.delete(f"/volumes/{volume['Name']}").status == 204


def mounted(engine: Engine, script: str, *mounts: dict[str, Any], **host: Any) -> tuple[int, str]:
    return engine.run_to_end("sh", "-c", script, HostConfig={"Mounts": list(mounts), **host})


def refused(engine: Engine, mount: dict[str, Any]) -> tuple[int, str]:
    identifier = engine.create("true", HostConfig={"Mounts": [mount]})
    answer = engine.post(f"/containers/{identifier}/start")
    return answer.status, answer.message


@pytest.fixture
def data(engine: Engine) -> str:
    """A volume with a directory `a`, a file in it, and links."""
    script = "mkdir -p /v/a/b; echo word > /v/a/file; ln -s / /v/root; ln -s a /v/link; ln -s ../../etc /v/up"
    code, _ = engine.run_to_end("sh", "-c", script, HostConfig={"Binds": ["data:/v"]})
    assert code == 0
    place: str = engine.get("/volumes/data").json["Mountpoint"]
    return place


def part(subpath: str, **more: Any) -> dict[str, Any]:
    return {"Type": "volume", "Source": "data", "Target": "/d", "VolumeOptions": {"Subpath": subpath}, **more}


def test_a_part_of_a_volume(engine: Engine, data: str) -> None:
    assert mounted(engine, "ls /d; cat /d/file; touch /d/new", part("a")) == (0, "b\nfile\nword\n")
    assert mounted(engine, "cat /d; echo more > /d", part("a/file")) == (0, "word\n")
    assert mounted(engine, "cat /d/file; ls /d", part("link")) == (0, "more\nb\nfile\nnew\n")
    code, text = mounted(engine, "touch /d/x", part("a", ReadOnly=True))
    assert code == 1
    assert "Read-only file system" in text


def test_parts_that_are_none(engine: Engine, data: str) -> None:
    missing = f"cannot access path {data}/nope: lstat {data}/nope: no such file or directory"
    assert refused(engine, part("nope")) == (404, missing)
    for subpath in ("root/etc", "up"):
        escapes = f"path concatenation escapes the base directory, base: {data}, subpath: {subpath}"
        assert refused(engine, part(subpath)) == (400, escapes)


def test_a_part_survives_the_engine_and_goes_with_the_container(engine: Engine, data: str) -> None:
    running = engine.run("sleep", "1000", StopSignal="SIGKILL", HostConfig={"Mounts": [part("a")]})
    engine.restart(kill=True)
    archive = engine.get(f"/containers/{running}/archive", query={"path": "/d/file"})
    assert b"word" in archive.body
    assert engine.post(f"/containers/{running}/restart?t=0").status == 204
    assert engine.post(f"/containers/{running}/stop?t=0").status == 204
    until(lambda: not any("/mounts/" in place for place in engine.traces()["mounts"]), "it stays mounted")
    at_rest = engine.get(f"/containers/{running}/archive", query={"path": "/d/file"})
    assert b"word" in at_rest.body
    until(lambda: not any("/mounts/" in place for place in engine.traces()["mounts"]), "it stays mounted")


def image(subpath: str = "", source: str = BASE_IMAGE) -> dict[str, Any]:
    options = {"ImageOptions": {"Subpath": subpath}} if subpath else {}
    return {"Type": "image", "Source": source, "Target": "/i", **options}


def test_an_image_as_a_mount(engine: Engine) -> None:
    code, text = mounted(engine, "/i/bin/busybox echo seen; touch /i/new", image())
    assert code == 1
    assert text.startswith("seen\n")
    assert "Read-only file system" in text
    assert mounted(engine, "/i/busybox echo seen", image("bin")) == (0, "seen\n")
    running = engine.run("sleep", "1000", StopSignal="SIGKILL", HostConfig={"Mounts": [image()]})
    (point,) = engine.inspect(running)["Mounts"]
    assert (point["Type"], point["Name"], point["RW"], point["Propagation"]) == ("image", BASE_IMAGE, False, "rprivate")


def test_images_that_are_none(engine: Engine) -> None:
    body = {"Image": BASE_IMAGE, "Cmd": ["true"], "HostConfig": {"Mounts": [image(source="nosuch:1")]}}
    answer = engine.post("/containers/create", body)
    assert (answer.status, answer.message) == (404, "No such image: nosuch:1")
    status, message = refused(engine, image("nope"))
    assert status == 404
    assert message.startswith("cannot access path ")


def test_an_image_stays_while_it_is_mounted(engine: Engine) -> None:
    tagged = engine.post(f"/images/{BASE_IMAGE}/tag", query={"repo": "other", "tag": "1"})
    assert tagged.status == 201
    committed = engine.create("true")
    assert engine.post("/commit", query={"container": committed, "repo": "thin", "tag": "1"}).status == 201
    running = engine.run(
        "sh", "-c", "sleep 1000", StopSignal="SIGKILL", HostConfig={"Mounts": [image(source="thin:1")]}
    )
    assert engine.delete("/images/thin:1").status == 200
    assert engine.delete("/images/other:1").status == 200
    there = {"path": "/i/bin/busybox"}
    assert engine.request("HEAD", f"/containers/{running}/archive", query=there).status == 200
    assert engine.post(f"/containers/{running}/restart?t=0").status == 204


# Directories of the host


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").write_text("host")
    return tmp_path


def bind(source: Path, **options: Any) -> dict[str, Any]:
    return {"Type": "bind", "Source": str(source), "Target": "/b", "ReadOnly": True, "BindOptions": options}


def test_read_only_reaches_below(engine: Engine, tree: Path) -> None:
    """With a mount below it.  API 1.44: recursively where the kernel can."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tree / "sub")], check=True)
    try:
        script = "touch /b/sub/x && echo written"
        assert "Read-only" in mounted(engine, script, bind(tree))[1]
        assert mounted(engine, script, bind(tree, ReadOnlyNonRecursive=True))[1] == "written\n"
        assert (
            "Read-only" in mounted(engine, script, bind(tree, ReadOnlyForceRecursive=True, Propagation="rprivate"))[1]
        )
        _, text = mounted(engine, "test -e /b/sub/x || echo nothing below", bind(tree, NonRecursive=True))
        assert text == "nothing below\n"
    finally:
        subprocess.run(["umount", str(tree / "sub")], check=True)


def test_a_source_that_is_made(engine: Engine, tree: Path) -> None:
    missing = tree / "deep" / "er"
    body = {"Image": BASE_IMAGE, "Cmd": ["true"], "HostConfig": {"Mounts": [bind(missing)]}}
    answer = engine.post("/containers/create", body)
    assert answer.message == (f'invalid mount config for type "bind": bind source path does not exist: {missing}')
    assert mounted(engine, "ls -A /b", bind(missing, CreateMountpoint=True)) == (0, "")
    assert missing.is_dir()
    shutil.rmtree(tree / "deep")


def test_outer_mounts_come_first(engine: Engine, tree: Path) -> None:
    """However they are ordered in the request."""
    mounts = [
        {"Type": "tmpfs", "Target": "/b/sub/inner/deep"},
        {"Type": "volume", "Source": "inner", "Target": "/b/sub/inner"},
        {"Type": "bind", "Source": str(tree), "Target": "/b"},
    ]
    (tree / "sub" / "inner").mkdir()
    script = "echo a > /b/sub/inner/one; echo b > /b/sub/inner/deep/two; cat /b/file; ls /b/sub/inner"
    assert mounted(engine, script, *mounts)[1] == "host" + "deep\none\n"
    assert os.listdir(tree / "sub" / "inner") == []


def test_what_a_tmpfs_is_told(engine: Engine) -> None:
    options = {"SizeBytes": 1 << 20, "Mode": 0o1700, "Options": [["exec"]]}
    script = "df -k /t | tail -1 | awk '{print $2}'; stat -c %a /t; grep ' /t ' /proc/mounts"
    _, text = mounted(engine, script, {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": options})
    size, mode, entry = text.splitlines()
    assert (size, mode) == ("1024", "1700")
    assert "nosuid" in entry
    assert "noexec" not in entry


def test_mounts_of_another_container(engine: Engine, data: str, tree: Path) -> None:
    engine.create("true", name="first", HostConfig={"Binds": [f"{tree}:/b", "data:/v"], "Mounts": [part("a")]})
    script = "cat /b/file /v/a/file /d/file; touch /v/x /b/x"
    _, text = engine.run_to_end("sh", "-c", script, HostConfig={"VolumesFrom": ["first:ro"]})
    assert text.startswith("hostword\nword\n")
    assert text.count("Read-only file system") == 2


def test_a_file_may_be_mounted_read_only(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("content\n")
    binds = {"HostConfig": {"Binds": [f"{tmp_path / 'f'}:/f:ro"]}}
    assert engine.run_to_end("cat", "/f", **binds) == (0, "content\n")
    code, _ = engine.run_to_end("sh", "-c", "echo x >> /f", **binds)
    assert code != 0
