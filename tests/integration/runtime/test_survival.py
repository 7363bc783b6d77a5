"""The engine dies by SIGKILL; another one, on the same directory, finds what is there and can take it away.  So do monitors die."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.runtime.lab import CGROUP_DRIVER, Lab, make_rootfs, needs
from tests.waiting import until
from wharfd.drivers.runtime import process_table
from wharfd.model.ids import ContainerId
from wharfd.sys import pidfd

pytestmark = needs()


class DoomedEngine:
    """The engine of engine.py, in a process of its own."""

    def __init__(self, directory: Path, runtime: str, command: str) -> None:
        if not (directory / "rootfs").exists():
            make_rootfs(directory / "rootfs")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.runtime.engine", str(directory), runtime, command],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": "src:."},
        )

    def says(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture(params=["crun", "runc"])
async def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextlib.asynccontextmanager
async def next_engine(directory: Path, runtime: str) -> AsyncIterator[Lab]:
    async with Lab.open(directory, runtime, runtimes={"slow": str(directory / "slow")}) as lab:
        yield lab
        for identifier in await lab.driver.leftovers():
            await lab.driver.delete(identifier)
        assert await lab.driver.leftovers() == []
        assert process_table.monitors("/usr/bin/conmon", lab.driver.placements.exit_dir) == {}


def is_gone(pid: int) -> bool:
    return pidfd.process_state(pid) in (None, "Z", "X")


async def test_a_running_container_goes_on_and_its_exit_is_reported(tmp_path: Path, runtime: str) -> None:
    engine = DoomedEngine(tmp_path, runtime, "echo begun; trap 'echo ended; exit 9' TERM; while :; do sleep 0.02; done")
    identifier, launched = ContainerId(engine.says()["id"]), engine.says()
    engine.kill()
    async with next_engine(tmp_path, runtime) as lab:
        assert await lab.driver.leftovers() == [identifier]
        seen = await lab.driver.observe(identifier, launched["pid"], launched["start"])
        assert (seen.alive, seen.paused, seen.exit, seen.remains) == (True, False, None, True)
        assert (seen.pid, seen.pid_start, seen.monitor_pid) == (launched["pid"], launched["start"], launched["monitor"])
        log = tmp_path / f"{identifier}.log"
        await until(lambda: b"begun" in log.read_bytes())
        await lab.driver.signal(identifier, launched["pid"], signal.SIGTERM)
        exit_seen = await lab.wait(identifier)
        assert exit_seen.code == 9
        assert b"ended" in log.read_bytes()
        assert lab.seen == [exit_seen]


async def test_an_exit_that_nobody_saw_is_observed_with_its_code_and_time(tmp_path: Path, runtime: str) -> None:
    engine = DoomedEngine(tmp_path, runtime, "until test -e /tmp/go; do sleep 0.02; done; exit 6")
    identifier, launched = ContainerId(engine.says()["id"]), engine.says()
    engine.kill()
    (tmp_path / "rootfs/tmp/go").touch()
    exit_file = tmp_path / "exec/exits" / identifier
    await until(exit_file.exists)
    modified_ns = exit_file.stat().st_mtime_ns
    async with next_engine(tmp_path, runtime) as lab:
        seen = await lab.driver.observe(identifier, launched["pid"], launched["start"])
        assert not seen.alive
        assert seen.remains
        assert seen.exit is not None
        assert (seen.exit.code, seen.exit.at_ns) == (6, modified_ns)
        assert lab.seen == []


async def test_a_container_that_was_never_started_is_taken_away(tmp_path: Path, runtime: str) -> None:
    engine = DoomedEngine(tmp_path, runtime, "stay created")
    identifier, launched = ContainerId(engine.says()["id"]), engine.says()
    engine.kill()
    async with next_engine(tmp_path, runtime) as lab:
        seen = await lab.driver.observe(identifier, 0, 0)
        assert (seen.alive, seen.pid) == (True, launched["pid"])
        await lab.driver.delete(identifier)
        assert is_gone(launched["pid"])
        assert is_gone(launched["monitor"])


def write_slow_runtime(directory: Path, at: str) -> None:
    """A runtime that stops itself before or after what `create` does, so that the engine can be killed at that moment."""
    pause = f"if [ $create = yes ]; then touch {directory}/reached; sleep 600; fi"
    script = "#!/bin/sh\ncase \" $* \" in *' create '*) create=yes ;; *) create=no ;; esac\n"
    script += f'{pause}\nexec crun "$@"\n' if at == "before" else f'crun "$@"; code=$?\n{pause}\nexit $code\n'
    (directory / "slow").write_text(script)
    (directory / "slow").chmod(0o755)


@pytest.mark.parametrize("way", ["slow", "slow:apart"])
@pytest.mark.parametrize("at", ["before", "after"])
async def test_an_engine_that_died_during_create_leaves_nothing_that_cannot_be_removed(
    tmp_path: Path, at: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wharfd.drivers.runtime.takedown.MONITOR_TIMEOUT_S", 1.0)
    write_slow_runtime(tmp_path, at)
    engine = DoomedEngine(tmp_path, way, "sleep 600")
    identifier = ContainerId(engine.says()["id"])
    await until((tmp_path / "reached").exists)
    engine.kill()
    async with next_engine(tmp_path, "slow") as lab:
        monitor = process_table.monitors("/usr/bin/conmon", lab.driver.placements.exit_dir)[identifier]
        below = process_table.descendants([monitor])
        assert below
        assert identifier in await lab.driver.leftovers()
        seen = await lab.driver.observe(identifier, 0, 0)
        assert seen.exit is None
        assert seen.remains
        assert seen.alive == (at == "after")
        await lab.driver.delete(identifier)
        assert all(is_gone(pid) for pid in [monitor, *below])
        assert not lab.cgroup(identifier).exists()
        assert not (tmp_path / "bundles" / identifier).exists()


async def test_deleting_twice_and_at_once(tmp_path: Path) -> None:
    async with next_engine(tmp_path, "crun") as lab:
        running = [await lab.begin("exec sleep 600") for _ in range(4)]
        await asyncio.gather(*(lab.driver.delete(each.id) for each in running * 2))
        assert await lab.driver.leftovers() == []
        assert sorted(exit_seen.container_id for exit_seen in lab.seen) == sorted(each.id for each in running)


async def test_a_monitor_that_dies_takes_its_container_along(tmp_path: Path, runtime: str) -> None:
    async with next_engine(tmp_path, runtime) as lab:
        running = await lab.begin("exec sleep 600")
        os.kill(running.launched.monitor_pid, signal.SIGKILL)
        exit_seen = await lab.wait(running.id)
        assert exit_seen.code == 137
        await until(lambda: is_gone(running.launched.pid))


async def test_a_monitor_that_died_without_an_engine_is_noticed_by_the_next(tmp_path: Path, runtime: str) -> None:
    engine = DoomedEngine(tmp_path, runtime, "exec sleep 600")
    identifier, launched = ContainerId(engine.says()["id"]), engine.says()
    engine.kill()
    os.kill(launched["monitor"], signal.SIGKILL)
    await until(lambda: is_gone(launched["monitor"]))
    async with next_engine(tmp_path, runtime) as lab:
        seen = await lab.driver.observe(identifier, launched["pid"], launched["start"])
        assert not seen.alive
        assert seen.exit is not None
        assert seen.exit.code == 137
        assert is_gone(launched["pid"])


async def test_after_a_reboot_nothing_is_alive(tmp_path: Path) -> None:
    async with next_engine(tmp_path, "crun") as lab:
        seen = await lab.driver.observe(ContainerId("ab" * 32), os.getpid(), 1)
        assert (seen.alive, seen.exit, seen.remains) == (False, None, False)


async def test_a_recycled_pid_is_not_the_container(tmp_path: Path) -> None:
    async with next_engine(tmp_path, "crun") as lab:
        running = await lab.begin("exec sleep 600")
        seen = await lab.driver.observe(running.id, running.launched.pid, running.launched.pid_start - 1)
        assert not seen.alive


@pytest.mark.skipif(CGROUP_DRIVER == "systemd", reason="systemd removes its scopes by itself")
async def test_a_cgroup_that_nothing_else_tells_of_is_found_and_removed(tmp_path: Path) -> None:
    async with next_engine(tmp_path, "crun") as lab:
        identifier = ContainerId("cd" * 32)
        lab.cgroup(identifier).create()
        assert await lab.driver.leftovers() == [identifier]
        await lab.driver.delete(identifier)
        assert not lab.cgroup(identifier).exists()


async def test_a_left_over_id_does_not_hinder_another_create(tmp_path: Path, runtime: str) -> None:
    engine = DoomedEngine(tmp_path, runtime, "exec sleep 600")
    identifier, launched = ContainerId(engine.says()["id"]), engine.says()
    engine.kill()
    async with next_engine(tmp_path, runtime) as lab:
        record = lab.record("echo again; exit 2")
        await lab.driver.create(lab.launch(replace(record, id=identifier)))
        assert is_gone(launched["pid"])
        await lab.driver.start(identifier)
        await until(lambda: any(exit_seen.code == 2 for exit_seen in lab.seen))


@pytest.mark.skipif(CGROUP_DRIVER == "systemd", reason="systemd removes its slices by itself, in its own time")
async def test_an_engine_without_containers_leaves_no_cgroup(tmp_path: Path) -> None:
    async with next_engine(tmp_path, "crun") as lab:
        parent = lab.cgroup("x")
        parent.path = str(Path(parent.path).parent)
    assert not parent.exists()
