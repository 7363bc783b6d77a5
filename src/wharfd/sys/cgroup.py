"""One cgroup, on v1 in all hierarchies at once, on v2 in the one tree.

File names are the kernel's, of whichever version the host has; which file stands for which limit is the affair of drivers/runtime.
Reads and writes take microseconds.  `freeze`, `kill` and `delete` wait for the kernel (usually under a millisecond, at most their
`timeout_s`): call them through a pool.
"""

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator

from wharfd.sys.cgroup_layout import CgroupLayout
from wharfd.sys.libc import os_error

# The hierarchies whose list of processes is trusted first: crun and runc put processes into all that are mounted.
_V1_LISTING = ("freezer", "devices", "memory", "pids", "name=systemd")
_FIRST_PAUSE_S = 0.0005
_LONGEST_PAUSE_S = 0.01


class Cgroup:
    """The cgroup `path` ("/docker/4f1c…", as /proc/PID/cgroup shows it).  Holds no descriptors: nothing to close."""

    def __init__(self, layout: CgroupLayout, path: str) -> None:
        if not path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"not a cgroup path: {path!r}")
        self.layout = layout
        self.path = os.path.normpath(path)

    def directory(self, controller: str | None = None) -> str:
        """Its directory in the hierarchy of a controller; on v2 always the same.  FileNotFoundError when that is not mounted."""
        if self.layout.version == 2:
            return f"{self.layout.unified}{self.path}"
        if controller is None:
            controller = next((c for c in _V1_LISTING if c in self.layout.hierarchies), "")
        try:
            return self.layout.hierarchies[controller] + self.path
        except KeyError:
            raise os_error(errno.ENOENT, f"cgroup controller {controller!r} is not mounted", self.path) from None

    def directories(self) -> list[str]:
        """All its directories.  In a hybrid layout the one in the v2 tree comes last."""
        if self.layout.version == 2:
            return [self.directory()]
        points = dict.fromkeys(self.layout.hierarchies.values())
        if self.layout.unified is not None:
            points[self.layout.unified] = None
        return [point + self.path for point in points]

    def exists(self) -> bool:
        """Whether any of its directories is there."""
        return any(os.path.isdir(directory) for directory in self.directories())

    def create(self) -> frozenset[str]:
        """Make it and its ancestors; returns the controllers that can be used in it.  No error if it is there.

        On v2 every available controller is passed down; where an ancestor refuses one (it holds processes of its own) it is left out
        of the result, and an ancestor that has passed some down takes no processes any more.  On v1 cpusets take over the CPUs and
        memory nodes of their parents, since empty ones accept no process.
        """
        if self.layout.version == 2:
            return self._create_v2()
        for directory in self.directories():
            os.makedirs(directory, exist_ok=True)
        cpuset = self.layout.hierarchies.get("cpuset")
        if cpuset is not None:
            for level in _levels(self.path):
                _inherit_cpuset(cpuset + level)
        return frozenset(c for c in self.layout.hierarchies if not c.startswith("name="))

    def write(self, file: str, value: str | int) -> None:
        """Write a file such as "memory.max" or "cpu.shares".  OSError as the kernel has it, FileNotFoundError if it does not exist."""
        _write(self._file(file), str(value))

    def read(self, file: str) -> str:
        """A file's text without the final newline."""
        return _read(self._file(file)).rstrip("\n")

    def read_int(self, file: str) -> int | None:
        """A file with one number; None for "max"."""
        text = self.read(file)
        return None if text == "max" else int(text)

    def read_flat(self, file: str) -> dict[str, int]:
        """A file of "key number" lines (memory.stat, cpu.stat, cgroup.events)."""
        return parse_flat(self.read(file))

    def has_file(self, file: str) -> bool:
        try:
            return os.path.exists(self._file(file))
        except FileNotFoundError:
            return False

    def join_files(self) -> list[str]:
        """Files into which a process writes "0" to join.  On v1 they move only the writing thread, at a tenth of the price."""
        name = "cgroup.procs" if self.layout.version == 2 else "tasks"
        return [
            f"{directory}/{'cgroup.procs' if self._is_v2_directory(directory) else name}"
            for directory in self.directories()
        ]

    def add(self, pid: int) -> None:
        """Move a process into it.  Linux: moving another's process costs up to 7 ms on v1."""
        for directory in self.directories():
            _write(f"{directory}/cgroup.procs", str(pid))

    def pids(self) -> list[int]:
        """The processes in it and below it; none when it does not exist."""
        found: set[int] = set()
        for directory in _tree(self.directory()):
            # Linux: EOPNOTSUPP for threaded cgroups, whose processes are listed by their domain; ENODEV while it goes away.
            with contextlib.suppress(OSError):
                found.update(map(int, _read(f"{directory}/cgroup.procs").split()))
        found.discard(0)  # processes of another pid namespace
        return sorted(found)

    def is_frozen(self) -> bool:
        """Whether everything in it stands still."""
        if self.layout.version == 2:
            return self.read_flat("cgroup.events").get("frozen") == 1
        return self.read("freezer.state") == "FROZEN"

    def freeze(self, timeout_s: float = 2.0) -> None:
        """Stop everything in it.  TimeoutError when that does not succeed (a task sits in the kernel); it is thawed again then."""
        try:
            if self.layout.version == 2:
                self.write("cgroup.freeze", 1)
                self._wait_for_event("frozen", 1, timeout_s)
            else:
                # Linux: tasks forked meanwhile may be missed; writing again catches them.
                _retry(self._freeze_v1, timeout_s, f"freeze cgroup {self.path}")
        except BaseException:
            with contextlib.suppress(OSError):
                self.thaw()
            raise

    def thaw(self) -> None:
        """Let everything in it go on.  No error if it was not frozen."""
        if self.layout.version == 2:
            self.write("cgroup.freeze", 0)
        else:
            self.write("freezer.state", "THAWED")

    def signal(self, number: int) -> int:
        """Send a signal to every process in it once; returns how many there were."""
        sent = 0
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                sent += 1
        return sent

    def kill(self, timeout_s: float = 5.0) -> None:
        """SIGKILL everything in it, frozen or not, and wait until nothing is left.  A no-op when it does not exist.

        TimeoutError when something stays (a task waits in the kernel for good).
        """
        if self.layout.version == 2:
            try:
                self.write("cgroup.kill", 1)
                self._wait_for_event("populated", 0, timeout_s)
                return
            except FileNotFoundError:
                pass  # Linux: before 5.14, or the cgroup is gone
            except OSError as e:
                if e.errno != errno.ENODEV:  # Linux: somebody (systemd) removed it between open and read
                    raise
                return
        _retry(self._kill_all_once, timeout_s, f"kill cgroup {self.path}")

    def delete(self, timeout_s: float = 2.0) -> None:
        """Remove it and everything below it, in all hierarchies; no error for what is gone.

        Linux: for moments after its last process the kernel still says EBUSY.  OSError(EBUSY) after `timeout_s`.
        """
        left = self.directories()

        def remove() -> bool:
            left[:] = [directory for directory in left if not _remove_tree(directory)]
            return not left

        try:
            _retry(remove, timeout_s, "")
        except TimeoutError:
            raise os_error(errno.EBUSY, "delete cgroup", left[0]) from None

    def oom_kills(self) -> int:
        """How many processes of it and below it the kernel killed for want of memory; 0 where that cannot be known."""
        file = "memory.events" if self.layout.version == 2 else "memory.oom_control"
        try:
            return self.read_flat(file).get("oom_kill", 0)
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.ENODEV):
                raise
            return 0

    def _file(self, file: str) -> str:
        controller = file.partition(".")[0]
        # "tasks" and "cgroup.procs" are in every hierarchy.
        return f"{self.directory(None if controller in ('cgroup', 'tasks') else controller)}/{file}"

    def _is_v2_directory(self, directory: str) -> bool:
        return self.layout.unified is not None and directory == self.layout.unified + self.path

    def _create_v2(self) -> frozenset[str]:
        root = self.layout.unified or ""
        parent = root
        for level in _levels(self.path):
            _pass_controllers_down(parent)
            parent = root + level
            with contextlib.suppress(FileExistsError):
                os.mkdir(parent, 0o755)
        return frozenset(_read(f"{parent}/cgroup.controllers").split())

    def _freeze_v1(self) -> bool:
        self.write("freezer.state", "FROZEN")
        return self.read("freezer.state") == "FROZEN"

    def _kill_all_once(self) -> bool:
        if not self.signal(signal.SIGKILL):
            return True
        with contextlib.suppress(OSError):
            self.thaw()  # Linux: frozen tasks of v1 take no signal
        return False

    def _wait_for_event(self, key: str, value: int, timeout_s: float) -> None:
        """Wait until cgroup.events says so; the kernel notifies by POLLPRI."""
        deadline = time.monotonic() + timeout_s
        with open(f"{self.directory()}/cgroup.events", "rb", buffering=0) as f:
            poll = select.poll()
            poll.register(f, select.POLLPRI)
            while True:
                f.seek(0)
                if parse_flat((f.read(4096) or b"").decode()).get(key) == value:
                    return
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise TimeoutError(f"cgroup {self.path}: {key} is not {value} after {timeout_s} s")
                poll.poll(remaining * 1000)


def parse_flat(text: str) -> dict[str, int]:
    """Lines of "key number"; "max" and other words are left out."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if value.isdecimal():
            found[key] = int(value)
    return found


def parse_nested(text: str) -> dict[str, dict[str, int]]:
    """Lines of "name key=number key=number" (io.stat, io.max, memory.numa_stat); values that are no numbers are left out."""
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        name, *pairs = line.split()
        split = (pair.partition("=") for pair in pairs)
        found[name] = {key: int(value) for key, _, value in split if value.isdecimal()}
    return found


def _levels(path: str) -> list[str]:
    """ "/a/b" -> ["/a", "/a/b"]."""
    parts = [part for part in path.split("/") if part]
    return ["/" + "/".join(parts[: end + 1]) for end in range(len(parts))]


def _inherit_cpuset(directory: str) -> None:
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not _read(f"{directory}/{file}").strip():
            _write(f"{directory}/{file}", _read(f"{os.path.dirname(directory)}/{file}").strip())


def _pass_controllers_down(directory: str) -> None:
    available = set(_read(f"{directory}/cgroup.controllers").split())
    file = f"{directory}/cgroup.subtree_control"
    missing = sorted(available - set(_read(file).split()))
    if not missing:
        return
    try:
        _write(file, " ".join(f"+{controller}" for controller in missing))
    except OSError:
        for controller in missing:
            # One that is refused (EBUSY: processes are in the way) is not to keep the others away.
            with contextlib.suppress(OSError):
                _write(file, f"+{controller}")


def _tree(directory: str) -> Iterator[str]:
    """`directory` and everything below it, parents first; nothing when it is gone."""
    if os.path.isdir(directory):
        yield directory
        for child in _children(directory):
            yield from _tree(child)


def _children(directory: str) -> Iterable[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _remove_tree(directory: str) -> bool:
    """False while something in it is busy."""
    removed = True
    for each in reversed(list(_tree(directory))):
        try:
            os.rmdir(each)
        except FileNotFoundError:
            continue
        except OSError as e:
            if e.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
            removed = False
    return removed


def _retry(attempt: Callable[[], bool], timeout_s: float, operation: str) -> None:
    """Until `attempt` says True, with growing pauses; TimeoutError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while not attempt():
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{operation}: not done after {timeout_s} s")
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


def _read(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks: list[bytes] = []
        while chunk := os.read(fd, 65536):
            chunks.append(chunk)
    finally:
        os.close(fd)
    return b"".join(chunks).decode()


def _write(path: str, value: str) -> None:
    """In one write, as the kernel wants it; its errors name the file."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    except OSError as e:
        raise os_error(e.errno or 0, f"write {value!r}", path) from e
    finally:
        os.close(fd)
