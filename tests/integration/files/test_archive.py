"""Files into and out of containers: created, running, paused, exited; over volumes, binds and tmpfs."""

import bz2
import gzip
import lzma
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.engine import Engine, UnixConnection
from tests.integration.files.rig import actions, files, get, path_stat, put, put_members
from tests.tars import directory, entry, symlink, tar_of

VERSIONS = ("1.24", "1.30", "1.41", "1.44", "1.51", "1.55")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_three_calls_at_every_version(engine: Engine, version: str) -> None:
    ref = engine.create("true")
    where = f"/containers/{ref}/archive"
    body = tar_of(entry("f", b"hello", mode=0o640, mtime=86400))
    assert engine.request("PUT", where, body, query={"path": "/tmp"}, version=version).status == 200
    answer = engine.get(where, query={"path": "/tmp/f"}, version=version)
    assert files(answer) == {"f": b"hello"}
    assert answer.headers["content-type"] == "application/x-tar"
    head = engine.request("HEAD", where, query={"path": "/tmp/f"}, version=version)
    assert (head.status, head.body) == (200, b"")
    expected = {"name": "f", "size": 5, "mode": 0o640, "mtime": "1970-01-02T00:00:00Z", "linkTarget": ""}
    assert path_stat(head) == path_stat(answer) == expected


@pytest.mark.parametrize("state", ["created", "running", "paused", "exited"])
def test_in_every_state_the_same_is_seen(engine: Engine, state: str, tmp_path: Path) -> None:
    (tmp_path / "bound").write_text("b")
    ref = engine.create(
        *(["true"] if state == "exited" else ["sleep", "1000"]),
        HostConfig={"Binds": [f"{tmp_path}:/bind", "named:/vol"], "Tmpfs": {"/scratch": ""}},
    )
    if state != "created":
        assert engine.post(f"/containers/{ref}/start").status == 204
    if state == "paused":
        assert engine.post(f"/containers/{ref}/pause").status == 204
    if state == "exited":
        engine.wait(ref)
    put_members(engine, ref, "/vol", entry("v", b"volume"))
    put_members(engine, ref, "/bind", entry("new", b"bind"))
    put_members(engine, ref, "/root", directory("d"), entry("d/f", b"root"))
    assert files(get(engine, ref, "/vol")) == {"vol": b"5", "vol/v": b"volume"}
    assert files(get(engine, ref, "/root/d/.")) == {".": b"5", "./f": b"root"}
    assert (tmp_path / "new").read_text() == "bind"
    assert files(get(engine, ref, "/bind/bound")) == {"bound": b"b"}
    assert engine.get("/containers/json", query={"filters": {"id": [ref]}, "all": "1"}).json[0]["State"] == state


def test_a_running_container_sees_what_was_put_and_its_tmpfs_is_seen(engine: Engine) -> None:
    script = "echo t > /scratch/t; while ! [ -f /scratch/go ]; do sleep 0.05; done; cat /scratch/go /tmp/f"
    ref = engine.run("sh", "-c", script, HostConfig={"Tmpfs": {"/scratch": "size=1m"}})
    deadline = time.monotonic() + 30
    while get(engine, ref, "/scratch/t").status != 200:
        assert time.monotonic() < deadline
    put_members(engine, ref, "/tmp", entry("f", b"from outside\n"))
    put_members(engine, ref, "/scratch", entry("go", b"go\n"))
    assert engine.wait(ref) == 0
    assert engine.output(ref) == "go\nfrom outside\n"
    assert get(engine, ref, "/scratch/t").status == 404  # gone with the process
    assert get(engine, ref, "/tmp/f").status == 200


def test_the_names_files_are_the_containers_own(engine: Engine) -> None:
    ref = engine.run("sleep", "1000", Hostname="named")
    assert files(get(engine, ref, "/etc/hostname")) == {"hostname": b"named\n"}
    assert b"localhost" in files(get(engine, ref, "/etc/hosts"))["hosts"]


def test_what_the_runtime_mounts_is_not_seen(engine: Engine) -> None:
    ref = engine.run("sleep", "1000")
    assert files(get(engine, ref, "/proc")) == {"proc": b"5"}
    assert get(engine, ref, "/proc/self/root/etc").status == 404
    assert get(engine, ref, "/dev/null").status == 404


def test_a_container_started_during_a_copy_keeps_its_root(engine: Engine) -> None:
    """One overlay mount for both: what the one writes the other sees, and the end of the copy takes nothing away."""
    ref = engine.create("sh", "-c", "while ! [ -f /tmp/go ]; do sleep 0.05; done; cat /tmp/go")
    put_members(engine, ref, "/tmp", entry("big", bytes(8 << 20)))
    connection = UnixConnection(engine.socket, 60)
    connection.request("GET", f"/containers/{ref}/archive?path=/tmp/big")
    answer = connection.getresponse()
    assert answer.read(10)
    assert engine.post(f"/containers/{ref}/start").status == 204
    answer.read()
    connection.close()
    put_members(engine, ref, "/tmp", entry("go", b"gone\n"))
    assert engine.wait(ref) == 0
    assert engine.output(ref) == "gone\n"


def test_errors_are_dockerds(engine: Engine) -> None:
    ref = engine.create("true", name="errors", HostConfig={"Binds": ["v1:/ro:ro", "v2:/rw"], "ReadonlyRootfs": True})
    body = tar_of(entry("f"))
    rows = [
        (get(engine, "errors", "/nope"), 404, "Could not find the file /nope in container errors"),
        (get(engine, "errors", ""), 400, "bad parameter: pathcannot be empty"),
        (get(engine, "none", "/"), 404, "No such container: none"),
        (get(engine, ref, "/etc/passwd/"), 400, "lstat /etc/passwd/: not a directory"),
        (put(engine, "errors", "nope", body), 404, "Could not find the file nope in container errors"),
        (put(engine, ref, "/etc/passwd", body), 400, "extraction point is not a directory"),
        (put(engine, ref, "/tmp", body), 400, "container rootfs is marked read-only"),
        (put(engine, ref, "/ro", body), 400, "mounted volume is marked read-only"),
    ]
    for answer, status, message in rows:
        assert (answer.status, answer.json) == (status, {"message": message})
    assert put(engine, ref, "/rw", body).status == 200
    assert engine.request("HEAD", f"/containers/{ref}/archive?path=/nope").status == 404


def test_every_compression_is_taken(engine: Engine) -> None:
    ref = engine.create("true")
    squeezers: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, bz2.compress, lzma.compress]
    squeezers.append(zstandard.ZstdCompressor().compress)
    for number, squeeze in enumerate(squeezers):
        assert put(engine, ref, "/tmp", squeeze(tar_of(entry(f"f{number}", b"x" * 5000)))).status == 200
    assert len(files(get(engine, ref, "/tmp"))) == 6


@pytest.mark.parametrize(("asked", "given"), [("gzip", "gzip"), ("deflate, br", "deflate"), ("br", None)])
def test_the_answer_is_encoded_as_asked(engine: Engine, asked: str, given: str | None) -> None:
    ref = engine.create("true")
    answer = get(engine, ref, "/etc", headers={"Accept-Encoding": asked})
    assert answer.headers.get("content-encoding") == given


def test_everything_may_belong_to_the_containers_user(engine: Engine) -> None:
    ref = engine.create("ls", "-ln", "/tmp/d", User="1234:2345")
    put_members(engine, ref, "/tmp", directory("d", uid=7), entry("d/f", uid=7), copyUIDGID="1")
    assert engine.post(f"/containers/{ref}/start").status == 204
    engine.wait(ref)
    assert " 1234     2345 " in engine.output(ref)


def test_kinds_may_be_kept(engine: Engine) -> None:
    ref = engine.create("true")
    put_members(engine, ref, "/tmp", directory("d"))
    answer = put(engine, ref, "/tmp", tar_of(entry("d")), noOverwriteDirNonDir="true")
    assert (answer.status, answer.message) == (400, 'cannot overwrite directory "d" with non-directory "/tmp"')
    put_members(engine, ref, "/tmp", entry("d", b"now a file"), noOverwriteDirNonDir="0")


def test_events_tell_of_copies(engine: Engine) -> None:
    ref = engine.create("true")
    since = time.time()
    put_members(engine, ref, "/tmp", entry("f"))
    get(engine, ref, "/tmp")
    get(engine, ref, "/nope")
    engine.request("HEAD", f"/containers/{ref}/archive?path=/tmp")
    engine.get(f"/containers/{ref}/export")
    assert actions(engine, since) == ["container extract-to-dir", "container archive-path", "container export"]


def test_two_thousand_files_come_back_as_they_went(engine: Engine) -> None:
    members = [directory(f"t/d{number}", mtime=1000) for number in range(20)]
    members += [entry(f"t/d{n % 20}/f{n}", f"content {n}".encode(), mode=0o600 + n % 64, mtime=n) for n in range(2000)]
    members += [symlink(f"t/l{number}", f"d{number}") for number in range(20)]
    ref, other = engine.create("true"), engine.create("true")
    put_members(engine, ref, "/tmp", *members)
    first = get(engine, ref, "/tmp/t")
    assert len(files(first)) == 1 + 20 + 2000 + 20
    assert put(engine, other, "/tmp", first.body).status == 200
    assert get(engine, other, "/tmp/t").body == first.body


def test_a_hostile_archive_changes_nothing_on_the_host(engine: Engine, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    ref = engine.run("sleep", "1000")
    hostile = tar_of(
        symlink("a", str(tmp_path)),
        entry("a/victim", b"evil"),
        symlink("b", "../../../.."),
        entry(f"b{victim}", b"evil"),
    )
    assert put(engine, ref, "/tmp", hostile).status == 200
    assert put(engine, ref, "/tmp", tar_of(entry("../../victim", b"evil"))).status == 400
    assert victim.read_text() == "untouched"
    assert files(get(engine, ref, str(victim))) == {"victim": b"evil"}


def test_a_container_that_changes_its_files_meanwhile_leads_nothing_astray(engine: Engine, tmp_path: Path) -> None:
    """Directories become links to the host's paths and back while archives are put into them and read from them."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    victim.chmod(0o640)
    tmp_path.chmod(0o750)
    swap = f"mkdir /tmp/d; rm -r /tmp/d; ln -s {tmp_path} /tmp/d; rm /tmp/d; ln -s ../../../../../..{tmp_path} /tmp/d; rm /tmp/d"
    ref = engine.run("sh", "-c", f"while true; do {swap}; done 2>/dev/null")
    hostile = tar_of(
        *(entry("d/victim", b"evil", mode=0o777, uid=7), directory("d", 0o777, uid=7)) * 50,
    )
    for _ in range(10):
        assert put(engine, ref, "/tmp", hostile).status in {200, 400}
        assert put(engine, ref, "/tmp/d", tar_of(entry("victim", b"evil"))).status in {200, 400, 404}
        answer = get(engine, ref, "/tmp/d/victim")
        assert answer.status in {200, 400, 404}
        assert answer.status != 200 or files(answer) != {"victim": b"untouched"}
    status = victim.stat()
    assert (victim.read_text(), status.st_mode & 0o777, status.st_uid) == ("untouched", 0o640, os.getuid())
    assert tmp_path.stat().st_mode & 0o777 == 0o750
