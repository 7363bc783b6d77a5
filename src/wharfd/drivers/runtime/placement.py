"""What this driver wrote down about each container it launched, so that another engine finds it after this one's death.

    exec_root/placements/ID.json    one Placement, replaced by a rename; written before the monitor is spawned, again when it answered
    exec_root/exits/ID              the monitor's exit file
    exec_root/oci/NAME/ID           the OCI runtime's own state (--root)

All of it lies on a file system that a reboot empties, or is recognised as stale by the processes' start times.
"""

import os

import msgspec

from wharfd.model.ids import ContainerId

_ID_LENGTH = 64


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """`pid` 0: the monitor has not answered yet.  `joined`: the processes join their (v1) cgroups by themselves, which the runtime then
    does not know of; else the runtime makes and removes them."""

    container_id: ContainerId
    bundle: str
    cgroup: str  # as in the Launch
    runtime: str
    program: str = ""
    joined: bool = False
    pid: int = 0
    pid_start: int = 0
    monitor_pid: int = 0
    monitor_start: int = 0
    slice_oom_kills: int = -1  # see `takedown.read_exit`; -1 where it does not matter


class Placements:
    """The files of one exec root."""

    def __init__(self, exec_root: str) -> None:
        self.directory = f"{exec_root}/placements"
        self.exit_dir = f"{exec_root}/exits"
        self.oci_root = f"{exec_root}/oci"
        self.known: dict[str, Placement] = {}

    def open(self) -> None:
        """Make the directories and read what lies there; a file that cannot be read counts as absent."""
        for directory in (self.directory, self.exit_dir, self.oci_root):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        self.known.clear()
        for name in os.listdir(self.directory):
            identifier, dot, suffix = name.partition(".")
            if (dot, suffix) != (".", "json"):
                _unlink(f"{self.directory}/{name}")
                continue
            try:
                with open(f"{self.directory}/{name}", "rb") as f:
                    self.known[identifier] = msgspec.json.decode(f.read(), type=Placement)
            except (OSError, msgspec.DecodeError):
                continue

    def get(self, container_id: str) -> Placement | None:
        return self.known.get(container_id)

    def put(self, placement: Placement) -> None:
        path = f"{self.directory}/{placement.container_id}.json"
        with open(f"{path}.new", "wb") as f:
            f.write(msgspec.json.encode(placement))
        os.rename(f"{path}.new", path)
        self.known[placement.container_id] = placement

    def drop(self, container_id: str) -> None:
        """Forget it, exit file and all."""
        self.known.pop(container_id, None)
        _unlink(self.exit_file(container_id))
        _unlink(f"{self.directory}/{container_id}.json")

    def exit_file(self, container_id: str) -> str:
        return f"{self.exit_dir}/{container_id}"

    def ids(self) -> set[str]:
        """Of which anything lies here: a placement, an exit file or runtime state."""
        found = set(self.known)
        found.update(name.partition(".")[0] for name in os.listdir(self.directory))
        found.update(os.listdir(self.exit_dir))
        for runtime in os.listdir(self.oci_root):
            found.update(os.listdir(f"{self.oci_root}/{runtime}"))
        return {name for name in found if is_container_id(name)}


def is_container_id(name: str) -> bool:
    return len(name) == _ID_LENGTH and all(character in "0123456789abcdef" for character in name)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
