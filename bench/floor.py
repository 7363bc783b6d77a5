"""The floor below a container's life: conmon and the OCI runtime called by hand, without an engine, network and overlay mount.

    python -m bench.floor [RUNS]      a table: the plain calls, then each thing that the runtime driver spares, then the driver itself

Steps: create (spawn conmon until it names the pid), start, exit (until the exit file is there), delete.  The container runs `true` of
a static busybox under the default profile.  All variants are run in turn, round by round, so that they share the machine's moods.
"""

import asyncio
import ctypes
import json
import os
import platform
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from wharfd.drivers.runtime.bundle import joining_command, with_seccomp_program, without_cgroups
from wharfd.drivers.runtime.driver import ConmonRuntime
from wharfd.engine.containers.plan import Place, plan
from wharfd.model.container import ContainerRecord
from wharfd.ports.runtime import Exit, Launch
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import detect_layout
from wharfd.sys.host import architecture
from wharfd.sys.seccomp import compile_profile
from wharfd.testing.builders import a_config, a_container, a_host_config
from wharfd.testing.host import some_facts
from wharfd.wire.limits import ALL_CAPABILITIES, DEFAULT_CAPABILITIES
from wharfd.wire.seccomp_profile import parse_profile
from wharfd.wire.userdb import ResolvedUser

PROFILE = Path("/usr/share/containers/seccomp.json")
PARENT = "/wharfd-floor"
STEPS = ("create", "start", "exit", "delete")
Figures = dict[str, float]
Row = tuple[float, ...]


@dataclass(frozen=True)
class Variant:
    """What is done otherwise than by plain calls."""

    name: str
    compiled: bool = False  # the seccomp program comes with the spec
    released: bool = False  # start by the runtime's FIFO, without running it
    joined: bool = False  # cgroup v1: the runtime's process joins by itself, directories made by the caller
    unlinked: bool = False  # delete by removing files, without running the runtime


PLAIN = Variant("plain")
VARIANTS = (
    PLAIN,
    Variant("+ compiled seccomp", compiled=True),
    Variant("+ start by FIFO", compiled=True, released=True),
    Variant("+ delete by hand", compiled=True, released=True, unlinked=True),
    Variant("+ joining v1 cgroups", compiled=True, released=True, unlinked=True, joined=True),
)


def floor(repetitions: int, runtime: str = "crun") -> Figures:
    """Medians of the plain calls, in the names of `bench.measures`; creation of the process counts as start there."""
    with (
        tempfile.TemporaryDirectory(prefix="wharf-floor-", dir="/var/tmp") as directory,
        Floor(Path(directory), runtime) as bare,
    ):
        bare.life(PLAIN)
        rows = [bare.life(PLAIN) for _ in range(repetitions)]
    return {
        "none_start_ms": median(row[0] + row[1] for row in rows) * 1e3,
        "none_wait_ms": median(row[2] for row in rows) * 1e3,
        "none_remove_ms": median(row[3] for row in rows) * 1e3,
        "none_lifecycle_ms": median(sum(row) for row in rows) * 1e3,
    }


class Floor:
    """The hand-made life of containers in one directory."""

    def __init__(self, directory: Path, runtime: str) -> None:
        self.directory = directory
        self.runtime = shutil.which(runtime) or runtime
        self.conmon = shutil.which("conmon") or "conmon"
        self.layout = detect_layout()
        self.root = directory / "oci"
        self.exits = directory / "exits"
        self.number = 0
        rootfs = directory / "rootfs/bin"
        rootfs.mkdir(parents=True)
        shutil.copy(shutil.which("busybox") or "/bin/busybox", rootfs / "true")
        self.exits.mkdir()
        self.record, self.spec = make_spec(str(directory / "rootfs"))
        self.program = compile_profile(self.spec["linux"]["seccomp"]) if "seccomp" in self.spec["linux"] else None

    def __enter__(self) -> "Floor":
        return self

    def __exit__(self, *_: object) -> None:
        Cgroup(self.layout, PARENT).delete()

    def life(self, variant: Variant) -> Row:
        """Seconds of each of STEPS."""
        self.number += 1
        name = f"floor{self.number}"
        cgroup = Cgroup(self.layout, f"{PARENT}/{name}")
        bundle = self.directory / name
        bundle.mkdir()
        spec = {**self.spec, "linux": {**self.spec["linux"], "cgroupsPath": cgroup.path}}
        with watched(self.exits) as exit_appears:
            t0 = time.perf_counter()
            command = [self.runtime, "--root", str(self.root)]
            if variant.joined and self.layout.version == 1:
                cgroup.create()
                command = joining_command(
                    list(self.layout.hierarchies.values()), cgroup.path, [*command, "--cgroup-manager=disabled"]
                )
                spec = without_cgroups(spec)
            if variant.compiled and self.program is not None:
                spec = with_seccomp_program(spec, self.program)
            (bundle / "config.json").write_text(json.dumps(spec))
            monitor = self.create(name, bundle, command)
            t1 = time.perf_counter()
            self.start(name, variant)
            t2 = time.perf_counter()
            exit_appears(name)
            t3 = time.perf_counter()
        monitor.wait()
        t4 = time.perf_counter()
        if variant.unlinked:
            shutil.rmtree(self.root / name)
        else:
            self.call("delete", "--force", name)
        cgroup.delete()
        shutil.rmtree(bundle)
        (self.exits / name).unlink()
        t5 = time.perf_counter()
        return t1 - t0, t2 - t1, t3 - t2, t5 - t4

    def create(self, name: str, bundle: Path, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        reading, writing = os.pipe()
        argv = [self.conmon, "--api-version", "1", "--sync", "--full-attach", "--no-sync-log", "-c", name, "-u", name]
        argv += ["-b", str(bundle), "-p", str(bundle / "pidfile"), "--exit-dir", str(self.exits)]
        argv += ["-l", f"k8s-file:{bundle}/log", "-r", command[0], *(f"--runtime-arg={word}" for word in command[1:])]
        with (bundle / "stderr").open("wb") as stderr:
            monitor = subprocess.Popen(
                argv,
                env={"PATH": os.environ["PATH"], "_OCI_SYNCPIPE": str(writing)},
                pass_fds=[writing],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=bundle,
            )
        os.close(writing)
        with os.fdopen(reading, "rb") as answers:
            answer = json.loads(answers.readline() or b'{"data": -1}')
        if answer["data"] < 0:
            raise RuntimeError(f"create failed: {answer.get('message')} {(bundle / 'stderr').read_text()}")
        return monitor

    def start(self, name: str, variant: Variant) -> None:
        fifo = self.root / name / "exec.fifo"
        if not variant.released or not self.runtime.endswith("crun"):
            self.call("start", name)
            return
        fd = os.open(fifo, os.O_WRONLY)
        fifo.unlink()
        os.write(fd, b"\0")
        os.close(fd)

    def call(self, *arguments: str) -> None:
        subprocess.run(
            [self.runtime, "--root", str(self.root), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def watched(directory: Path) -> Iterator[Any]:
    """Gives a function that returns when a file of a name appears there."""
    libc = ctypes.CDLL(None)
    fd = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(fd, os.fsencode(directory), 0x80)

    def appears(name: str) -> None:
        while not (directory / name).exists():
            select.select([fd], [], [], 1.0)
            try:
                os.read(fd, 65536)
            except BlockingIOError:
                continue

    try:
        yield appears
    finally:
        os.close(fd)


def make_spec(rootfs: str) -> tuple[ContainerRecord, dict[str, Any]]:
    record = a_container(config=a_config(cmd=["true"]), host_config=a_host_config())
    profile = parse_profile(PROFILE.read_bytes()) if PROFILE.exists() else None
    seccomp = profile.resolve(architecture().go, DEFAULT_CAPABILITIES, platform.release()) if profile else None
    facts = some_facts(capabilities=list(ALL_CAPABILITIES), can_raise_rlimits=False)
    place = Place(rootfs=rootfs, user=ResolvedUser(0, 0, (0,), "/root"), cgroup=f"{PARENT}/x", seccomp=seccomp)
    return record, plan(record, place, facts).spec


async def through_the_driver(directory: Path, spec: dict[str, Any], runtime: str, runs: int) -> list[Row]:
    """The same life through the runtime driver."""
    driver = ConmonRuntime(
        exec_root=str(directory / "exec"), runtimes={runtime: shutil.which(runtime) or runtime}, cgroup_parent=PARENT
    )
    exits: asyncio.Queue[Exit] = asyncio.Queue()
    await driver.open(exits.put_nowait)
    rows: list[Row] = []
    for _ in range(runs):
        identifier = a_container().id
        launch = Launch(
            container_id=identifier,
            spec=spec,
            bundle=str(directory / "bundles" / identifier),
            runtime=runtime,
            cgroup=f"{PARENT}/{identifier}",
            log_path=str(directory / "log"),
        )
        t0 = time.perf_counter()
        await driver.create(launch)
        t1 = time.perf_counter()
        await driver.start(identifier)
        t2 = time.perf_counter()
        await exits.get()
        t3 = time.perf_counter()
        await driver.delete(identifier)
        rows.append((t1 - t0, t2 - t1, t3 - t2, time.perf_counter() - t3))
    await driver.close()
    return rows


def main(runs: int) -> None:
    for runtime in ("crun", "runc"):
        if shutil.which(runtime) is None:
            continue
        rows: dict[str, list[Row]] = {}
        with (
            tempfile.TemporaryDirectory(prefix="wharf-floor-", dir="/var/tmp") as directory,
            Floor(Path(directory), runtime) as bare,
        ):
            variants = VARIANTS if runtime == "crun" else VARIANTS[:1]
            for number in range(runs + 1):
                for variant in variants:
                    row = bare.life(variant)
                    if number:  # the first round is warm-up
                        rows.setdefault(variant.name, []).append(row)
                driven = asyncio.run(through_the_driver(bare.directory, bare.spec, runtime, 2))
                if number:
                    rows.setdefault("the driver", []).append(driven[1])
        version = subprocess.run([runtime, "--version"], check=True, capture_output=True, text=True).stdout.split("\n")[
            0
        ]
        print(f"{version}, medians (minima) of {runs} in ms")
        print(f"{'':22}" + "".join(f"{step:>16}" for step in (*STEPS, "all")))
        for name, measured in rows.items():
            columns = [*zip(*measured, strict=True), [sum(row) for row in measured]]
            cells = (f"{median(column) * 1e3:.2f} ({min(column) * 1e3:.2f})" for column in columns)
            print(f"{name:22}" + "".join(f"{cell:>16}" for cell in cells))
        print()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
