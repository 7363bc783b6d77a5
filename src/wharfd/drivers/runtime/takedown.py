"""Ends containers and takes away what they leave: processes, runtime state, cgroup, bundle, exit file.

Every step bears being done twice and being begun half-way: this is also what cleans up after an engine that died in the middle.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence

import msgspec

from wharfd.drivers.runtime import process_table
from wharfd.drivers.runtime.bundle import remove_tree
from wharfd.drivers.runtime.cgroups import is_systemd_name
from wharfd.drivers.runtime.conmon import OOM_FILE, PID_FILE, Monitor
from wharfd.drivers.runtime.oci import OciRuntime
from wharfd.drivers.runtime.placement import Placement, Placements
from wharfd.model.errors import Internal
from wharfd.model.ids import ContainerId
from wharfd.ports.runtime import Exit
from wharfd.sys import pidfd
from wharfd.sys.blocking import Pool
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import CgroupLayout
from wharfd.sys.spawn import Watch, watch_exit

log = logging.getLogger(__name__)

MONITOR_TIMEOUT_S = 10.0
KILLED = 128 + signal.SIGKILL


class Takedown:
    def __init__(self, placements: Placements, monitor: Monitor, layout: CgroupLayout, pool: Pool) -> None:
        self.placements = placements
        self.monitor = monitor
        self.layout = layout
        self.pool = pool

    # processes

    async def stop(self, container_id: str, placement: Placement | None, cgroup: Cgroup, watch: Watch | None) -> None:
        """No process of it is left when this returns: container, monitor, a runtime that is just creating it."""
        if placement is None or not placement.pid:
            await self._stop_half_made(container_id, placement, cgroup, watch)
        elif cgroup.pids() or _is_alive(placement):
            # Also with an exit file: without a process namespace of its own a container's children outlive it.
            await self.kill(placement, cgroup)
        if watch is not None:
            await self.wait_for_monitor(watch)
        elif placement is not None and placement.monitor_pid:
            await self._stop_unwatched(placement.monitor_pid, placement.monitor_start)

    async def kill(self, placement: Placement, cgroup: Cgroup) -> None:
        """SIGKILL to all of a container's processes, and wait for their end.  Raises Internal if one cannot die."""
        fd = pidfd.open_verified(placement.pid, placement.pid_start) if placement.pid else None
        if fd is not None:
            try:
                pidfd.send_signal(fd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            finally:
                os.close(fd)
        try:
            await self.pool.run(cgroup.kill)
        except (OSError, TimeoutError) as e:
            raise Internal(f"container {placement.container_id} cannot be killed: {e}") from e

    async def wait_for_monitor(self, watch: Watch) -> None:
        """Its container has ended: it drains the output, writes the exit file and ends.

        One that does not, as when the OCI runtime still runs below it, is killed with all that it started.
        """
        try:
            async with asyncio.timeout(MONITOR_TIMEOUT_S):
                await watch.wait_status()
        except TimeoutError:
            log.warning("monitor=%d does not end and is killed", watch.pid)
            await self._end_tree(watch.pid)

    async def _stop_half_made(
        self, container_id: str, placement: Placement | None, cgroup: Cgroup, watch: Watch | None
    ) -> None:
        monitor = self._monitor_pid(container_id) if watch is None else 0 if watch.has_exited else watch.pid
        if monitor:
            await self._end_tree(monitor)
        if placement is not None:
            found = self.find_pids(placement, cgroup)
            if found.pid:
                await self.kill(found, cgroup)
                return
        if cgroup.pids():
            try:
                await self.pool.run(cgroup.kill)
            except (OSError, TimeoutError) as e:
                raise Internal(f"container {container_id} cannot be killed: {e}") from e

    async def _end_tree(self, top: int) -> None:
        """Kill a process and all that descends from it, and wait for their end."""
        below = process_table.descendants([top])
        # From the top: its children then have nobody who starts others in their stead.
        watches = [watch for pid in (top, *below) if (watch := _kill(pid)) is not None]
        try:
            async with asyncio.timeout(MONITOR_TIMEOUT_S):
                for watch in watches:
                    await watch.wait_status()
        except TimeoutError as e:
            raise Internal(f"process {top} cannot be killed") from e
        finally:
            for watch in watches:
                watch.close()

    async def _stop_unwatched(self, pid: int, start: int) -> None:
        fd = pidfd.open_verified(pid, start)
        if fd is None:
            return
        watch = Watch(pid, fd)
        try:
            await self.wait_for_monitor(watch)
        finally:
            watch.close()

    def _monitor_pid(self, container_id: str) -> int:
        return process_table.monitors(self.monitor.path, self.monitor.exit_dir).get(container_id, 0)

    def find_pids(self, placement: Placement, cgroup: Cgroup) -> Placement:
        """The placement completed by the pid file that the runtime wrote and by the monitor that is there.

        A process that does not live in the container's cgroup only has the pid of one that did.
        """
        try:
            with open(f"{placement.bundle}/{PID_FILE}") as f:
                pid = int(f.read())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            pid = 0
        pid_start = pidfd.process_start_time(pid) if pid in cgroup.pids() else None
        monitor = self._monitor_pid(placement.container_id)
        return msgspec.structs.replace(
            placement,
            pid=pid if pid_start else 0,
            pid_start=pid_start or 0,
            monitor_pid=monitor,
            monitor_start=(pidfd.process_start_time(monitor) or 0) if monitor else 0,
        )

    def monitored_ids(self) -> set[str]:
        return set(process_table.monitors(self.monitor.path, self.monitor.exit_dir))

    # files

    async def remove(
        self, container_id: str, placement: Placement | None, cgroup: Cgroup, runtimes: Sequence[OciRuntime]
    ) -> None:
        """What is left when no process is: runtime state, cgroup, bundle, and last the placement itself.  Raises Internal."""
        by_hand = []
        for runtime in runtimes:
            state = runtime.state_directory(container_id)
            if not os.path.exists(state):
                continue
            if runtime.is_crun and not (placement is not None and is_systemd_name(placement.cgroup)):
                # With its process dead and its cgroup ours, crun's state is these files and nothing else.
                by_hand.append(state)
            else:
                await runtime.delete(container_id)
        if placement is not None:
            by_hand.append(placement.bundle)
        try:
            await self.pool.run(_remove_files, cgroup, by_hand)
            self.placements.drop(container_id)
        except OSError as e:
            raise Internal(f"cannot remove container {container_id}: {e}") from e


def _remove_files(cgroup: Cgroup, directories: Sequence[str]) -> None:
    cgroup.delete()
    for directory in directories:
        remove_tree(directory)


def read_exit(placements: Placements, container_id: str, cgroup: Cgroup | None) -> Exit | None:
    """What its exit file says; None if there is none yet."""
    try:
        with open(placements.exit_file(container_id)) as f:
            text, modified_ns = f.read(), os.fstat(f.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
    try:
        code = int(text)
    except ValueError:
        code = -1
    placement = placements.get(container_id)
    oom = placement is not None and cgroup is not None and _is_oom_killed(placement, cgroup, code)
    return Exit(
        container_id=ContainerId(container_id),
        # The monitor writes -1 where it does not know; Docker's word for that is 255.
        code=code if code >= 0 else 255,
        at_ns=modified_ns,
        oom_killed=oom,
    )


def _is_oom_killed(placement: Placement, cgroup: Cgroup, code: int) -> bool:
    if os.path.exists(f"{placement.bundle}/{OOM_FILE}") or cgroup.oom_kills() > 0:
        return True
    # Linux: systemd removes a scope as soon as it is empty, now and then before anybody could read its counters.  Those of the slice
    # above remain and count all below it: a container with a memory limit that was killed while they rose is taken for the one.
    if code != KILLED or placement.slice_oom_kills < 0 or cgroup.exists():
        return False
    return slice_oom_kills(cgroup) > placement.slice_oom_kills


def slice_oom_kills(cgroup: Cgroup) -> int:
    """The kills for lack of memory in the cgroup above and everything below that."""
    return Cgroup(cgroup.layout, os.path.dirname(cgroup.path)).oom_kills()


def write_exit(placements: Placements, container_id: str, code: int) -> None:
    """As a monitor writes it, for one that died."""
    path = placements.exit_file(container_id)
    with open(f"{path}.new", "w") as f:
        f.write(str(code))
    os.rename(f"{path}.new", path)


def _is_alive(placement: Placement) -> bool:
    return pidfd.process_start_time(placement.pid) == placement.pid_start


def _kill(pid: int) -> Watch | None:
    """SIGKILL; gives the process to wait for, None if it is gone."""
    try:
        watch = watch_exit(pid)
    except ProcessLookupError:
        return None
    watch.kill()
    return watch
