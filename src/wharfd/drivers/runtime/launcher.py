"""A container's creation, from `Launch` to a first process that waits for its start.

On v1 the runtime's process joins the container's cgroup by itself (see `bundle`): the cgroup with its device rules is then made here
before, and the limits are written after, so that the runtime itself is neither throttled nor counted.
"""

import asyncio
import os
from collections.abc import Callable, Sequence

import msgspec

from wharfd.drivers.runtime.bundle import (
    joining_command,
    with_annotations,
    with_cgroup,
    with_seccomp_program,
    without_cgroups,
    write_spec,
)
from wharfd.drivers.runtime.cgroups import cgroup_path, is_systemd_name, write_limits
from wharfd.drivers.runtime.conmon import Monitor, MonitorFailed, read_answer
from wharfd.drivers.runtime.failures import start_failed
from wharfd.drivers.runtime.oci import OciRuntime
from wharfd.drivers.runtime.placement import Placement, Placements
from wharfd.drivers.runtime.seccomp_programs import SeccompPrograms
from wharfd.drivers.runtime.takedown import slice_oom_kills
from wharfd.model.errors import Internal, InvalidParameter, Unavailable
from wharfd.model.json import JsonObject
from wharfd.ports.runtime import Launch
from wharfd.sys import pidfd
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import CgroupLayout
from wharfd.sys.spawn import Process
from wharfd.wire.resources import Write, cgroup1_device_writes, cgroup1_writes
from wharfd.wire.systemd_units import property_annotations, scope_properties

CREATE_TIMEOUT_S = 120.0
RUNTIME_LOG = "runtime.log"


class Launcher:
    """`joins_cgroups`: on v1, let crun's process join by itself.  `seccomp_programs` None: profiles are left to the runtime."""

    def __init__(
        self,
        *,
        placements: Placements,
        monitor: Monitor,
        layout: CgroupLayout,
        seccomp_programs: SeccompPrograms | None,
        joins_cgroups: bool,
    ) -> None:
        self.placements = placements
        self.monitor = monitor
        self.layout = layout
        self.seccomp_programs = seccomp_programs
        self.joins_cgroups = joins_cgroups

    async def create(self, launch: Launch, runtime: OciRuntime, spawned: Callable[[Process], None]) -> Placement:
        """`spawned` is called with the monitor as soon as it lives.  What a failed call leaves is the caller's to take down.

        Raises:
            StartFailed, Internal, Unavailable.
        """
        try:
            return await self._create(launch, runtime, spawned)
        except OSError as e:
            raise Internal(f"cannot create container {launch.container_id}: {e}") from e

    async def _create(self, launch: Launch, runtime: OciRuntime, spawned: Callable[[Process], None]) -> Placement:
        program = (launch.spec.get("process", {}).get("args") or [""])[0]
        placement = Placement(
            container_id=launch.container_id,
            bundle=launch.bundle,
            cgroup=launch.cgroup,
            runtime=launch.runtime,
            program=program,
            joined=self._is_joined(launch, runtime),
        )
        self.placements.put(placement)
        cgroup = Cgroup(self.layout, cgroup_path(launch.cgroup))
        spec = with_annotations(with_cgroup(launch.spec, launch.cgroup), {**self._scope(launch), **launch.annotations})
        command, limits = runtime.command(), list[Write]()
        if not runtime.is_crun:
            # runc writes its warnings to stderr if it has no log, and that is the container's.
            command += ["--log", f"{launch.bundle}/{RUNTIME_LOG}"]
        if placement.joined:
            limits = self._make_joinable(cgroup, spec)
            trees = list(dict.fromkeys(self.layout.hierarchies.values()))
            command = joining_command(trees, cgroup.path, [*command, "--cgroup-manager=disabled"])
            spec = without_cgroups(spec)
        write_spec(launch, await self._with_program(spec, runtime))
        process, answer = self._spawn(launch, command)
        try:
            spawned(process)
            async with asyncio.timeout(CREATE_TIMEOUT_S):
                pid = await read_answer(answer, launch.bundle)
            write_limits(cgroup, limits)
        except (MonitorFailed, InvalidParameter) as e:
            raise start_failed(str(e), runtime.name, program) from e
        except TimeoutError as e:
            raise Internal(f"{runtime.name} create did not end within {CREATE_TIMEOUT_S:.0f} s") from e
        finally:
            os.close(answer)
        pid_start = pidfd.process_start_time(pid)
        if pid_start is None:
            raise start_failed("the container's first process is gone before its start", runtime.name, program)
        placement = msgspec.structs.replace(
            placement,
            pid=pid,
            pid_start=pid_start,
            monitor_pid=process.pid,
            monitor_start=pidfd.process_start_time(process.pid) or 0,
            slice_oom_kills=slice_oom_kills(cgroup) if _is_scope_with_memory_limit(launch) else -1,
        )
        self.placements.put(placement)
        return placement

    def _scope(self, launch: Launch) -> dict[str, str]:
        """What systemd is told of the limits, since crun before 1.15 or so only writes them into the cgroup."""
        if self.layout.version != 2 or not is_systemd_name(launch.cgroup):
            return {}
        return property_annotations(scope_properties(launch.spec.get("linux", {}).get("resources", {})))

    def _is_joined(self, launch: Launch, runtime: OciRuntime) -> bool:
        return (
            self.joins_cgroups and self.layout.version == 1 and runtime.is_crun and not is_systemd_name(launch.cgroup)
        )

    def _make_joinable(self, cgroup: Cgroup, spec: JsonObject) -> list[Write]:
        """Make the v1 cgroup with its device rules; gives the limits that are still to be written."""
        resources = spec.get("linux", {}).get("resources", {})
        cgroup.create()
        write_limits(cgroup, cgroup1_device_writes(resources.get("devices") or ()))
        return cgroup1_writes(resources)

    async def _with_program(self, spec: JsonObject, runtime: OciRuntime) -> JsonObject:
        profile = spec.get("linux", {}).get("seccomp")
        if not profile or not runtime.is_crun or self.seccomp_programs is None:
            return spec
        program = await self.seccomp_programs.get(profile)
        return spec if program is None else with_seccomp_program(spec, program)

    def _spawn(self, launch: Launch, command: Sequence[str]) -> tuple[Process, int]:
        try:
            return self.monitor.spawn(launch, command)
        except FileNotFoundError as e:
            raise Unavailable(f"{self.monitor.path} is not installed (Debian package conmon)") from e


def _is_scope_with_memory_limit(launch: Launch) -> bool:
    resources = launch.spec.get("linux", {}).get("resources", {})
    return is_systemd_name(launch.cgroup) and bool((resources.get("memory") or {}).get("limit"))
