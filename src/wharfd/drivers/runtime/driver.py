"""Satisfies `ports.runtime.RuntimeDriver` with a conmon per container and an OCI runtime.

Every launch is written down (`placement`) before its monitor is spawned, so whatever instant the engine dies at, the next one finds
what is there.  Nothing is polled: exits come by inotify from the monitors' exit files, the end of a monitor by its pidfd.
"""

import asyncio
import contextlib
import errno
import logging
import os
import re
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from weakref import WeakValueDictionary

from wharfd.drivers.runtime import top as ps
from wharfd.drivers.runtime.cgroups import cgroup_path, is_systemd_name, write_limits
from wharfd.drivers.runtime.conmon import Monitor
from wharfd.drivers.runtime.exits import ExitWatch
from wharfd.drivers.runtime.failures import OTHER
from wharfd.drivers.runtime.launcher import Launcher
from wharfd.drivers.runtime.monitor_log import reopen_log
from wharfd.drivers.runtime.oci import OciRuntime
from wharfd.drivers.runtime.placement import Placement, Placements, is_container_id
from wharfd.drivers.runtime.seccomp_programs import SeccompPrograms
from wharfd.drivers.runtime.stats import sample
from wharfd.drivers.runtime.takedown import KILLED, Takedown, read_exit, write_exit
from wharfd.model.config import HostConfig
from wharfd.model.errors import Conflict, Internal, InvalidParameter, StartFailed, Unavailable
from wharfd.model.ids import ContainerId
from wharfd.ports.runtime import Exit, Launch, Launched, Observation, RuntimeInfo, Stats
from wharfd.sys import pidfd, systemd
from wharfd.sys.blocking import Pool
from wharfd.sys.cgroup import Cgroup
from wharfd.sys.cgroup_layout import detect_layout
from wharfd.sys.spawn import Watch, run, watch_exit
from wharfd.wire.resources import cgroup1_writes, cgroup2_writes, oci_resources
from wharfd.wire.systemd_units import property_words, scope_properties

log = logging.getLogger(__name__)

ALIASES = {"io.containerd.runc.v2": "runc"}  # Docker: the name of containerd's way to run runc
INIT_PROGRAMS = ("docker-init", "tini-static", "catatonit")
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
# conmon writes its log in local time; in UTC the log's reader need not convert every line.
_MONITOR_ENVIRONMENT = {**_ENVIRONMENT, "TZ": "UTC"}
_VERSION = re.compile(r"version (\S+)")


class ConmonRuntime:
    """The driver.  Used from one event loop.

    Args:
        exec_root: a directory of this driver's own, on a file system that a reboot empties.
        runtimes: name -> program.
        cgroup_parent: below which containers' cgroups lie, for those of which nothing else is known ("/wharfd").
        joins_cgroups: on v1, let the runtime's process join by itself (faster; see `bundle`).
        compiles_seccomp: hand compiled seccomp programs to runtimes that take them (crun).
    """

    def __init__(
        self,
        *,
        exec_root: str,
        runtimes: Mapping[str, str],
        monitor_path: str = "/usr/bin/conmon",
        init_path: str = "",
        cgroup_driver: str = "cgroupfs",
        cgroup_parent: str = "/wharfd",
        joins_cgroups: bool = True,
        compiles_seccomp: bool = True,
    ) -> None:
        self.placements = Placements(exec_root)
        self.monitor = Monitor(path=monitor_path, exit_dir=self.placements.exit_dir, environment=_MONITOR_ENVIRONMENT)
        self.init_path = init_path
        self.cgroup_driver = cgroup_driver
        self.cgroup_parent = cgroup_parent.rstrip("/")
        self.layout = detect_layout()
        self.runtimes = {
            name: OciRuntime(
                name=name,
                path=path,
                root=f"{self.placements.oci_root}/{name}",
                systemd=cgroup_driver == "systemd",
                environment=_ENVIRONMENT,
            )
            for name, path in runtimes.items()
        }
        self.exits = ExitWatch(self.placements.exit_dir, self._report)
        self.pool = Pool("runtime", 4)
        self.launcher = Launcher(
            placements=self.placements,
            monitor=self.monitor,
            layout=self.layout,
            seccomp_programs=SeccompPrograms(self.pool) if compiles_seccomp else None,
            joins_cgroups=joins_cgroups,
        )
        self.takedown = Takedown(self.placements, self.monitor, self.layout, self.pool)
        self.on_exit: Callable[[Exit], None] | None = None
        self.reported: set[str] = set()
        self.monitors: dict[str, Watch] = {}
        self.followers: set[asyncio.Task[None]] = set()
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # life of the driver

    async def open(self, on_exit: Callable[[Exit], None]) -> None:
        self.on_exit = on_exit
        self.placements.open()
        for runtime in self.runtimes.values():
            os.makedirs(runtime.root, mode=0o700, exist_ok=True)
        self._make_parent()
        self.exits.open()
        # Listed after the watch began: an exit in between is here, and its notice is then no news.
        self.reported = set(os.listdir(self.placements.exit_dir))

    async def close(self) -> None:
        await self.exits.close()
        self.on_exit = None
        for task in self.followers:
            task.cancel()
        await asyncio.gather(*self.followers, return_exceptions=True)
        for watch in self.monitors.values():
            watch.close()
        self.monitors.clear()
        self._remove_parent()
        self.pool.close()

    def _make_parent(self) -> None:
        """The cgroup above the containers', for as long as an engine is here; systemd makes its slices by itself."""
        if self.cgroup_driver == "systemd" or not self.cgroup_parent:
            return
        try:
            self._cgroup(self.cgroup_parent).create()
        except OSError as e:
            raise Unavailable(f"cannot make cgroup {self.cgroup_parent}: {e}") from e

    def _remove_parent(self) -> None:
        if self.cgroup_driver != "systemd" and self.cgroup_parent:
            for directory in self._cgroup(self.cgroup_parent).directories():
                with contextlib.suppress(OSError):  # containers are in it
                    os.rmdir(directory)

    async def infos(self) -> Sequence[RuntimeInfo]:
        found = []
        for runtime in self.runtimes.values():
            try:
                found.append(await runtime.probe())
            except Unavailable as e:
                log.debug("runtime=%s absent reason=%s", runtime.name, e)
        return found

    async def monitor_version(self) -> str:
        return await self._version(self.monitor.path)

    async def init_version(self) -> str:
        return await self._version(self.init_path) if self.init_path else ""

    async def _version(self, program: str) -> str:
        try:
            done = await run([program, "--version"], timeout_s=10, env=_ENVIRONMENT, merge_stderr=True)
        except (OSError, TimeoutError):
            return ""
        match = _VERSION.search(done.stdout.decode(errors="replace"))
        return match[1] if match else ""

    # create and start

    async def create(self, launch: Launch) -> Launched:
        async with self._lock(launch.container_id):
            runtime = self._runtime(launch.runtime)
            await runtime.probe()
            known = self._created(launch.container_id, runtime)
            if known is not None:
                return known
            if self.placements.get(launch.container_id) or os.path.exists(runtime.state_directory(launch.container_id)):
                # The runtime refuses an id that it has state of.
                await self._take_down(launch.container_id)
            self.reported.discard(launch.container_id)
            try:
                placement = await self.launcher.create(launch, runtime, partial(self._follow, launch.container_id))
            except BaseException:
                await asyncio.shield(self._take_down(launch.container_id))
                raise
            return _launched(placement)

    def _created(self, container_id: str, runtime: OciRuntime) -> Launched | None:
        placement = self.placements.get(container_id)
        if placement is None or not self._is_alive(placement) or container_id not in self.monitors:
            return None
        if not os.path.exists(f"{runtime.state_directory(container_id)}/exec.fifo"):
            raise StartFailed(f"container with id exists already: {container_id}", OTHER)
        return _launched(placement)

    async def start(self, container_id: ContainerId) -> None:
        async with self._lock(container_id):
            placement = self.placements.get(container_id)
            if placement is None or not placement.pid:
                raise StartFailed(f"container {container_id} does not exist", OTHER)
            runtime = self._runtime(placement.runtime)
            await runtime.probe()
            try:
                if runtime.release(container_id):
                    return
            except Conflict as e:
                raise StartFailed(str(e), OTHER) from e
            if not os.path.exists(f"{runtime.state_directory(container_id)}/exec.fifo") and self._is_alive(placement):
                return
            await runtime.start(container_id, placement.program)

    # while it runs

    async def signal(self, container_id: ContainerId, pid: int, signal: int) -> None:
        placement = self.placements.get(container_id)
        start = placement.pid_start if placement is not None and placement.pid == pid else pidfd.process_start_time(pid)
        fd = pidfd.open_verified(pid, start) if pid > 0 and start else None
        if fd is None or pidfd.process_state(pid) in {"Z", "X", None}:
            if fd is not None:
                os.close(fd)
            raise Conflict(f"container {container_id} is not running")
        try:
            pidfd.send_signal(fd, signal)
        except ProcessLookupError as e:
            raise Conflict(f"container {container_id} is not running") from e
        except OSError as e:
            raise InvalidParameter(f"signal {signal} cannot be sent: {e}") from e
        finally:
            os.close(fd)

    async def pause(self, container_id: ContainerId) -> None:
        placement = self._demand(container_id)
        if os.path.exists(f"{self._runtime(placement.runtime).state_directory(container_id)}/exec.fifo"):
            raise Conflict(f"container {container_id} is not running")
        try:
            await self.pool.run(self._cgroup(placement.cgroup).freeze)
        except (OSError, TimeoutError) as e:
            self._demand(container_id)  # it may have ended meanwhile, and its scope with it
            raise Internal(f"unable to freeze: {e}") from e

    async def resume(self, container_id: ContainerId) -> None:
        placement = self._demand(container_id)
        try:
            self._cgroup(placement.cgroup).thaw()
        except OSError as e:
            self._demand(container_id)
            raise Internal(f"unable to thaw: {e}") from e

    async def processes(self, container_id: ContainerId) -> Sequence[int]:
        placement = self.placements.get(container_id)
        return self._cgroup(placement.cgroup).pids() if placement is not None else []

    async def top(self, pids: Sequence[int], ps_args: str) -> tuple[list[str], list[list[str]]]:
        return await ps.top(pids, ps_args)

    async def update(self, container_id: ContainerId, resources: HostConfig) -> None:
        placement = self._demand(container_id)
        document = oci_resources(resources, block_device_number)
        if is_systemd_name(placement.cgroup):
            try:
                await self._runtime(placement.runtime).update(container_id, document)
                if self.layout.version == 2:
                    await self._tell_systemd(placement.cgroup, scope_properties(document))
            except Internal:
                # systemd removes the scope as soon as the last process is gone, before that is known here.
                if self._is_alive(placement):
                    raise
            return
        writes = cgroup2_writes(document) if self.layout.version == 2 else cgroup1_writes(document)
        await self.pool.run(write_limits, self._cgroup(placement.cgroup), writes)

    async def _tell_systemd(self, cgroup: str, properties: Mapping[str, int]) -> None:
        """It writes its own idea of the limits whenever it reloads; older runtimes do not tell it."""
        try:
            await systemd.set_properties(cgroup_path(cgroup).rpartition("/")[2], property_words(properties))
        except (OSError, TimeoutError) as e:
            raise Internal(f"systemd does not take the limits: {e}") from e

    async def stats(self, container_id: ContainerId, pid: int) -> Stats:
        placement = self._demand(container_id)
        return await self.pool.run(sample, self._cgroup(placement.cgroup))

    async def reopen_log(self, container_id: ContainerId, path: str, renamed_to: str, *, is_told: bool | None) -> bool:
        return await reopen_log(self._demand(container_id), path, renamed_to, is_told=is_told)

    # the end

    async def delete(self, container_id: ContainerId) -> None:
        async with self._lock(container_id):
            await self._take_down(container_id)

    async def _take_down(self, container_id: str) -> None:
        placement = self.placements.get(container_id)
        runtimes = [self._runtime(placement.runtime)] if placement is not None else list(self.runtimes.values())
        cgroup = self._cgroup(placement.cgroup if placement is not None else self._default_cgroup(container_id))
        await self.takedown.stop(container_id, placement, cgroup, self.monitors.get(container_id))
        self._report(container_id)
        watch = self.monitors.pop(container_id, None)
        if watch is not None:
            watch.close()
        await self.takedown.remove(container_id, placement, cgroup, runtimes)
        self.reported.discard(container_id)

    # after another engine's death

    async def observe(self, container_id: ContainerId, pid: int, pid_start: int) -> Observation:
        async with self._lock(container_id):
            placement = self.placements.get(container_id)
            if placement is None:
                return Observation(
                    alive=False,
                    paused=False,
                    exit=read_exit(self.placements, container_id, None),
                    remains=container_id in await self._leftovers(),
                )
            cgroup = self._cgroup(placement.cgroup)
            placement = await self._completed(placement)
            is_recorded = pid in (0, placement.pid) and pid_start in (0, placement.pid_start)
            exit_seen = await self._settled_exit(placement, cgroup)
            alive = exit_seen is None and self._is_alive(placement)
            return Observation(
                alive=alive and is_recorded,
                paused=alive and self._is_frozen(cgroup),
                exit=exit_seen,
                remains=True,
                pid=placement.pid if alive else 0,
                pid_start=placement.pid_start if alive else 0,
                monitor_pid=placement.monitor_pid if alive else 0,
            )

    async def _completed(self, placement: Placement) -> Placement:
        """With the pids that the engine did not live to write down, where the monitor got so far."""
        if placement.pid:
            return placement
        found = self.takedown.find_pids(placement, self._cgroup(placement.cgroup))
        if found.pid and found.monitor_pid:
            self.placements.put(found)
        return found

    async def _settled_exit(self, placement: Placement, cgroup: Cgroup) -> Exit | None:
        """The exit, also one that is just being written, or that no monitor is left to write."""
        container_id = placement.container_id
        exit_seen = read_exit(self.placements, container_id, cgroup)
        if exit_seen is not None or not placement.pid:
            return exit_seen
        if container_id not in self.monitors and placement.monitor_pid:
            await self._adopt(placement)
        monitor = self.monitors.get(container_id)
        if monitor is not None and not self._is_alive(placement):
            await self.takedown.wait_for_monitor(monitor)
        exit_seen = read_exit(self.placements, container_id, cgroup)
        if exit_seen is not None:
            self.reported.add(container_id)
        return exit_seen

    async def _adopt(self, placement: Placement) -> None:
        """Follow the monitor that an engine before this one spawned."""
        try:
            # Linux: a dead monitor that nobody has reaped yet still has a pid and a start time.
            if not is_process_alive(placement.monitor_pid, placement.monitor_start):
                raise ProcessLookupError
            self._follow(placement.container_id, watch_exit(placement.monitor_pid, start_time=placement.monitor_start))
        except ProcessLookupError:
            if self._is_alive(placement):
                await self._end_unmonitored(placement)

    async def leftovers(self) -> Sequence[ContainerId]:
        return [ContainerId(each) for each in sorted(await self._leftovers())]

    async def _leftovers(self) -> set[str]:
        found = self.placements.ids() | self.takedown.monitored_ids()
        if not is_systemd_name(self.cgroup_parent) and self.cgroup_driver == "cgroupfs":
            for tree in self._cgroup(self.cgroup_parent or "/").directories():
                if os.path.isdir(tree):
                    found.update(name for name in os.listdir(tree) if is_container_id(name))
        return found

    # exits

    def _report(self, container_id: str) -> None:
        """Tell of its exit, if there is one and it has not been told of."""
        if container_id in self.reported or not is_container_id(container_id) or self.on_exit is None:
            return
        placement = self.placements.get(container_id)
        cgroup = self._cgroup(placement.cgroup) if placement is not None else None
        exit_seen = read_exit(self.placements, container_id, cgroup)
        if exit_seen is None:
            return
        self.reported.add(container_id)
        self.on_exit(exit_seen)

    def _follow(self, container_id: str, watch: Watch) -> None:
        self.monitors[container_id] = watch
        task = asyncio.get_running_loop().create_task(
            self._until_monitor_ends(container_id, watch), name=f"monitor:{container_id[:12]}"
        )
        self.followers.add(task)
        task.add_done_callback(self.followers.discard)

    async def _until_monitor_ends(self, container_id: str, watch: Watch) -> None:
        await watch.wait_status()
        self._report(container_id)
        if self.monitors.get(container_id) is not watch:
            return
        del self.monitors[container_id]
        async with self._lock(container_id):
            placement = self.placements.get(container_id)
            if placement is not None and placement.pid and read_exit(self.placements, container_id, None) is None:
                await self._end_unmonitored(placement)

    async def _end_unmonitored(self, placement: Placement) -> None:
        """The monitor is gone without a word: nobody reads what the container writes or would tell of its end.  So it ends now."""
        log.warning(
            "container=%s monitor=%d died; the container is killed", placement.container_id, placement.monitor_pid
        )
        await self.takedown.kill(placement, self._cgroup(placement.cgroup))
        write_exit(self.placements, placement.container_id, KILLED)
        self._report(placement.container_id)

    # small things

    def _lock(self, container_id: str) -> asyncio.Lock:
        return self.locks.setdefault(container_id, asyncio.Lock())

    def _runtime(self, name: str) -> OciRuntime:
        try:
            return self.runtimes[ALIASES.get(name, name)]
        except KeyError:
            raise InvalidParameter(f"unknown or invalid runtime name: {name}") from None

    def _cgroup(self, name: str) -> Cgroup:
        return Cgroup(self.layout, cgroup_path(name))

    def _default_cgroup(self, container_id: str) -> str:
        if self.cgroup_driver == "systemd":
            return f"{self.cgroup_parent.strip('/') or 'system.slice'}:wharfd:{container_id}"
        return f"{self.cgroup_parent}/{container_id}"

    def _demand(self, container_id: str) -> Placement:
        placement = self.placements.get(container_id)
        if placement is None or not self._is_alive(placement):
            raise Conflict(f"container {container_id} is not running")
        return placement

    def _is_alive(self, placement: Placement) -> bool:
        return placement.pid > 0 and is_process_alive(placement.pid, placement.pid_start)

    def _is_frozen(self, cgroup: Cgroup) -> bool:
        try:
            return cgroup.is_frozen()
        except OSError:
            return False


def find_init() -> str:
    """The host's init program for `--init`; empty if none is installed.

    It is bound into containers whose libraries are not the host's, so it must be a static one: Debian's `tini` is not.
    """
    for name in INIT_PROGRAMS:
        found = shutil.which(name, path=_ENVIRONMENT["PATH"])
        if found is not None:
            return found
    return ""


def _launched(placement: Placement) -> Launched:
    return Launched(pid=placement.pid, pid_start=placement.pid_start, monitor_pid=placement.monitor_pid)


def is_process_alive(pid: int, start: int) -> bool:
    return pidfd.process_start_time(pid) == start and pidfd.process_state(pid) not in {"Z", "X", None}


def block_device_number(path: str) -> tuple[int, int] | None:
    """Major and minor of the block device at `path`; None if there is none."""
    try:
        status = os.stat(path)
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG):
            return None
        raise Internal(f"cannot look at {path}: {e}") from e
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if stat.S_ISBLK(status.st_mode) else None
