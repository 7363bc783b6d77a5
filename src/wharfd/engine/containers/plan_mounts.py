"""The mounts of a plan, in the order in which the runtime makes them: what every container has, then the container's own, outer first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wharfd.model.container import ContainerRecord
from wharfd.model.json import JsonObject
from wharfd.wire.binds import DEFAULT_PROPAGATION, clean, merge_tmpfs_options, tmpfs_options

DEFAULT_SHM_BYTES = 64 << 20

# Below /dev, a read-only root leaves these as they are: they hold nothing of the image.
_ALWAYS_WRITABLE = frozenset({"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedMount:
    """A host directory or file and where the container sees it.  `recursive`: with the mounts below it.

    `recursive_read_only`: a read-only mount makes those below it read-only, too (kernel 5.12).
    """

    source: str
    destination: str
    read_only: bool = False
    propagation: str = DEFAULT_PROPAGATION
    recursive: bool = True
    recursive_read_only: bool = False


def mount_list(
    record: ContainerRecord,
    placed: Sequence[PlacedMount],
    *,
    files: Mapping[str, str],
    shm_path: str,
    init: tuple[str, str] | None,
    writable_cgroups: bool,
) -> list[JsonObject]:
    """The spec's `mounts`.  `files`: place in the container -> file of the host, not bound where empty; `init`: (host, container).

    A destination that the container's own mounts take is left to them, also one below /dev if they take /dev itself.
    """
    asked = record.host_config
    own = _own_mounts(record, placed)
    taken = {clean(str(mount["destination"])) for mount in own}
    for destination, source in files.items():
        if source and destination not in taken:
            own.append(_bind(PlacedMount(source=source, destination=destination, read_only=asked.readonly_rootfs)))
    if init is not None:
        source, destination = init
        own.append({"destination": destination, "type": "bind", "source": source, "options": ["bind", "ro"]})
    base = []
    for mount in _base_mounts(record, shm_path, writable_cgroups):
        destination = str(mount["destination"])
        if destination in taken or ("/dev" in taken and destination.startswith("/dev/")):
            continue
        if asked.readonly_rootfs and destination not in _ALWAYS_WRITABLE and "ro" not in mount["options"]:
            mount["options"] = [*mount["options"], "ro"]
        base.append(mount)
    own.sort(key=lambda mount: clean(str(mount["destination"])).count("/"))
    return base + own


def rootfs_propagation(placed: Sequence[PlacedMount]) -> str:
    """What the root's propagation must be for mount events to come through: "shared", "rslave", or empty for the runtime's default."""
    wanted = {mount.propagation.removeprefix("r") for mount in placed}
    if "shared" in wanted:
        return "shared"
    return "rslave" if "slave" in wanted else ""


def _base_mounts(record: ContainerRecord, shm_path: str, writable_cgroups: bool) -> list[JsonObject]:
    asked = record.host_config
    sysfs_mode = [] if asked.privileged else ["ro"]
    cgroup_mode = [] if asked.privileged or writable_cgroups else ["ro"]
    mounts: list[JsonObject] = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
        },
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        {
            "destination": "/sys",
            "type": "sysfs",
            "source": "sysfs",
            "options": ["nosuid", "noexec", "nodev", *sysfs_mode],
        },
        {
            "destination": "/sys/fs/cgroup",
            "type": "cgroup",
            "source": "cgroup",
            "options": [*cgroup_mode, "nosuid", "noexec", "nodev"],
        },
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    ]
    if shm_path:
        mounts.append(
            {
                "destination": "/dev/shm",
                "type": "bind",
                "source": shm_path,
                "options": ["rbind", "rprivate", "nosuid", "noexec", "nodev"],
            }
        )
    elif asked.ipc_mode != "none":  # Docker: then /dev/shm is but a name in /dev
        size = asked.shm_size or DEFAULT_SHM_BYTES
        mounts.append(
            {
                "destination": "/dev/shm",
                "type": "tmpfs",
                "source": "shm",
                "options": ["nosuid", "noexec", "nodev", "mode=1777", f"size={size}"],
            }
        )
    return mounts


def _own_mounts(record: ContainerRecord, placed: Sequence[PlacedMount]) -> list[JsonObject]:
    asked = record.host_config
    mounts = [_bind(mount) for mount in placed]
    for destination, options in (asked.tmpfs or {}).items():
        mounts.append(_tmpfs(destination, options))
    for spec in asked.mounts or ():
        if spec.type == "tmpfs":
            mounts.append(_tmpfs(spec.target, tmpfs_options(spec.tmpfs_options, spec.read_only)))
    return mounts


def _bind(mount: PlacedMount) -> JsonObject:
    propagation = mount.propagation or DEFAULT_PROPAGATION
    if mount.recursive:
        options = ["rbind", propagation]
    else:
        # One mount is all there is then; crun 1.8 takes the r of rprivate for a recursive bind.
        options = ["bind", propagation.removeprefix("r")]
    if mount.read_only:
        options.append("ro")
        if mount.recursive and mount.recursive_read_only:
            options.append("rro")
    return {"destination": mount.destination, "type": "bind", "source": mount.source, "options": options}


def _tmpfs(destination: str, options: str) -> JsonObject:
    return {
        "destination": clean(destination),
        "type": "tmpfs",
        "source": "tmpfs",
        "options": merge_tmpfs_options(options),
    }
