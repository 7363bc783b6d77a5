"""A laboratory for the runtime driver: a root file system of busybox, plans made by the engine's own plan, and ways to look inside.

async with Lab.open(tmp_path) as lab:
    result = await lab.run("echo hello; exit 3")
    assert result.exit.code == 3
    assert result.stdout == "hello\n"
"""

import asyncio
import os
import platform
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import until
from wharfd.drivers.runtime.cgroups import cgroup_path
from wharfd.drivers.runtime.driver import ConmonRuntime, find_init
from wharfd.engine.containers.plan import Place, capabilities, plan
from wharfd.model.container import ContainerRecord
from wharfd.model.ids import ContainerId
from wharfd.ports.host import HostFacts
from wharfd.ports.runtime import Exit, Launch, Launched
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import detect_layout
from wharfd.sys.host import architecture, hard_limits
from wharfd.testing.builders import a_config, a_container, a_host_config
from wharfd.testing.host import some_facts
from wharfd.wire.limits import ALL_CAPABILITIES
from wharfd.wire.seccomp_profile import parse_profile
from wharfd.wire.userdb import ResolvedUser, resolve_user

PARENT = "/wharfd-test"
SLICE = "wharfdtest.slice"
RUNTIMES = {name: path for name in ("crun", "runc") if (path := shutil.which(name))}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/home/web:/bin/sh\n"
GROUP = "root:x:0:\nweb:x:1000:\nmedia:x:44:web\n"
EXIT_TIMEOUT_S = 30 * float(os.environ.get("WHARF_TEST_PATIENCE", "1"))
CGROUP_DRIVER = os.environ.get("WHARF_TEST_CGROUP_DRIVER", "cgroupfs")
APPLETS = (
    "sh cat echo id ls mount sleep true false touch mknod dd head tail wc env pwd hostname ps stat df kill printf readlink test "
    "tr grep cut rm mkdir yes date seq stty tty"
)


def cgroup_name(container_id: str) -> str:
    return f"{SLICE}:wharfd:{container_id}" if CGROUP_DRIVER == "systemd" else f"{PARENT}/{container_id}"


def needs() -> list[Any]:
    """Marks for a module: what must be there for its tests."""
    missing = [name for name in ("conmon", "busybox") if shutil.which(name) is None] + (
        [] if RUNTIMES else ["crun or runc"]
    )
    return [
        pytest.mark.root,
        pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
        pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
    ]


def make_rootfs(path: Path) -> str:
    """A small root file system; its only program is busybox."""
    for name in ("bin", "etc", "root", "tmp", "home/web", "sbin"):
        (path / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shared = path.parent.parent / "busybox"  # 2 MB, one copy for all tests of a run
    if not shared.exists():
        shutil.copy(busybox, shared)
    (path / "bin/busybox").hardlink_to(shared)
    for applet in APPLETS.split():
        (path / "bin" / applet).symlink_to("busybox")
    (path / "etc/passwd").write_text(PASSWD)
    (path / "etc/group").write_text(GROUP)
    (path / "tmp").chmod(0o1777)
    return str(path)


def host_facts() -> HostFacts:
    """What matters of this machine to a plan."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    effective = int(status["CapEff"], 16)
    own = [name for bit, name in enumerate(ALL_CAPABILITIES) if effective & 1 << bit]
    return some_facts(
        capabilities=own,
        can_raise_rlimits="CAP_SYS_RESOURCE" in own,
        hard_limits=hard_limits(),
        cgroup_version=detect_layout().version,
        kernel_version=platform.release(),
    )


def default_seccomp(granted: Sequence[str]) -> dict[str, Any] | None:
    """The distribution's profile for a process with these capabilities, as an OCI document; None if it is not installed."""
    path = Path("/usr/share/containers/seccomp.json")
    if not path.exists():
        return None
    return parse_profile(path.read_bytes()).resolve(architecture().go, granted, platform.release())


@dataclass
class Result:
    launched: Launched
    exit: Exit
    log: list[tuple[str, bytes]]  # stream, bytes

    @property
    def stdout(self) -> str:
        return b"".join(data for stream, data in self.log if stream == "stdout").decode()

    @property
    def stderr(self) -> str:
        return b"".join(data for stream, data in self.log if stream == "stderr").decode()


@dataclass
class Lab:
    directory: Path
    rootfs: str
    driver: ConmonRuntime
    runtime: str
    facts: HostFacts
    exits: dict[str, asyncio.Future[Exit]] = field(default_factory=dict)
    seen: list[Exit] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(cls, directory: Path, runtime: str = "crun", **options: Any) -> AsyncIterator["Lab"]:
        rootfs = directory / "rootfs"
        if not rootfs.exists():
            make_rootfs(rootfs)
        if runtime not in {**RUNTIMES, **options.get("runtimes", {})}:
            pytest.skip(f"not installed: {runtime}")
        lab = cls(directory, str(rootfs), cls.make_driver(directory, **options), runtime, host_facts())
        await lab.driver.open(lab.on_exit)
        try:
            yield lab
        finally:
            for identifier in await lab.driver.leftovers():
                await lab.driver.delete(identifier)
            await lab.driver.close()

    @staticmethod
    def make_driver(directory: Path, **options: Any) -> ConmonRuntime:
        return ConmonRuntime(
            exec_root=str(directory / "exec"),
            runtimes={**RUNTIMES, **options.pop("runtimes", {})},
            cgroup_parent=SLICE if CGROUP_DRIVER == "systemd" else PARENT,
            cgroup_driver=CGROUP_DRIVER,
            init_path=find_init(),
            **options,
        )

    def on_exit(self, exit_seen: Exit) -> None:
        self.seen.append(exit_seen)
        future = self.exit_future(exit_seen.container_id)
        if not future.done():
            future.set_result(exit_seen)

    def exit_future(self, container_id: str) -> asyncio.Future[Exit]:
        if container_id not in self.exits:
            self.exits[container_id] = asyncio.get_running_loop().create_future()
        return self.exits[container_id]

    async def wait(self, container_id: str) -> Exit:
        async with asyncio.timeout(EXIT_TIMEOUT_S):
            return await self.exit_future(container_id)

    def record(self, command: str | list[str], *, config: Any = None, **host_config: Any) -> ContainerRecord:
        words = ["sh", "-c", command] if isinstance(command, str) else command
        changes = {"cmd": words, "hostname": "box", "env": None, **(config or {})}
        return a_container(
            config=a_config(**changes), host_config=a_host_config(**{"runtime": self.runtime, **host_config})
        )

    def launch(self, record: ContainerRecord, **place: Any) -> Launch:
        user = record.config.user
        resolved: ResolvedUser = resolve_user(user, PASSWD, GROUP, record.host_config.group_add or ())
        given: dict[str, Any] = {
            "rootfs": self.rootfs,
            "user": resolved,
            "cgroup": cgroup_name(record.id),
            **place,
        }
        if "seccomp" not in given:
            given["seccomp"] = default_seccomp(capabilities(record.host_config, self.facts))
        made = plan(record, Place(**given), self.facts)
        return Launch(
            container_id=record.id,
            spec=made.spec,
            bundle=str(self.directory / "bundles" / record.id),
            runtime=record.host_config.runtime,
            cgroup=given["cgroup"],
            log_path=str(self.directory / f"{record.id}.log"),
            terminal=record.config.tty,
            stdin_open=record.config.open_stdin,
            stdin_once=record.config.stdin_once,
        )

    async def begin(
        self, command: str | list[str], *, place: Any = None, config: Any = None, **host_config: Any
    ) -> "Running":
        """Create and start; the container runs when this returns."""
        record = self.record(command, config=config, **host_config)
        launched = await self.driver.create(self.launch(record, **(place or {})))
        await self.driver.start(record.id)
        return Running(self, record.id, launched)

    async def run(self, command: str | list[str], **how: Any) -> Result:
        """Create, start, wait, delete."""
        running = await self.begin(command, **how)
        result = await running.result()
        await self.driver.delete(running.id)
        return result

    def cgroup(self, container_id: str) -> Cgroup:
        return Cgroup(detect_layout(), cgroup_path(cgroup_name(container_id)))


@dataclass
class Running:
    lab: Lab
    id: ContainerId
    launched: Launched

    async def result(self) -> Result:
        exit_seen = await self.lab.wait(self.id)
        return Result(self.launched, exit_seen, self.log())

    def log(self) -> list[tuple[str, bytes]]:
        path = self.lab.directory / f"{self.id}.log"
        return parse_log(path.read_bytes()) if path.exists() else []

    async def says(self, text: str) -> None:
        """Wait until the container has written this."""
        await until(lambda: text.encode() in b"".join(data for _, data in self.log()))


def parse_log(content: bytes) -> list[tuple[str, bytes]]:
    """conmon's k8s-file lines: time, stream, P or F, text."""
    parsed = []
    for line in content.split(b"\n")[:-1]:
        _, stream, mark, text = line.split(b" ", 3)
        parsed.append((stream.decode(), text + (b"\n" if mark == b"F" else b"")))
    return parsed
