"""The mounts that a container gets when it is created: of other containers, of its own, and the image's volumes.

Order of precedence and texts are dockerd's: a mount of the container's own replaces one taken over from another container, two of its own
at one place are refused, and a volume of the image (or of `Config.Volumes`) is made only where nothing else is mounted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from wharfd.engine.containers.plan_mounts import PlacedMount
from wharfd.model.config import BindOptions, ContainerConfig, HostConfig, MountSpec, VolumeOptions
from wharfd.model.container import ContainerRecord, MountPart, MountPoint
from wharfd.model.errors import ContainerNotFound, InvalidParameter
from wharfd.ports.paths import HostPaths
from wharfd.wire.binds import DEFAULT_PROPAGATION, ParsedMount, clean, parse_bind, parse_mount, parse_volumes_from

SHARED_LABEL_MODE = "z"  # Docker: the mode of a volume that was asked for without one
SLAVE = "rslave"

FindContainer = Callable[[str], ContainerRecord | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMount:
    """A mount as it will be recorded.  For volumes that are to be made or found: `options` and whether to fill a new one from the image.

    A point of type volume without name is to become an anonymous volume; `is_shared` means that another container has it already.
    `image`: the reference of the one to mount.
    """

    point: MountPoint
    options: VolumeOptions = field(default_factory=VolumeOptions)
    copy_data: bool = False
    is_shared: bool = False
    image: str = ""
    part: MountPart | None = None


def plan_mounts(config: ContainerConfig, asked: HostConfig, find: FindContainer, data_root: str) -> list[PlannedMount]:
    """All mounts but those of `Tmpfs`, by destination.  `find` looks a container up by id, name or prefix.

    Raises:
        InvalidParameter: a bad specification, two at one place, or a container of `VolumesFrom` that does not exist.
    """
    planned = {mount.point.destination: mount for mount in of_others(asked, find)}
    taken = {clean(target) for target in asked.tmpfs or ()}
    own: set[str] = set()
    for mount in of_its_own(asked, data_root):
        target = mount.point.destination
        if target in taken or target in own:
            raise InvalidParameter(f"Duplicate mount point: {target}")
        own.add(target)
        planned[target] = mount
    for target in of_volumes(config):
        if target not in taken:
            planned.setdefault(
                target,
                PlannedMount(
                    point=MountPoint(type="volume", destination=target, driver=asked.volume_driver), copy_data=True
                ),
            )
    made_by: dict[str, VolumeOptions] = {}
    for mount in planned.values():
        made_by.setdefault(mount.point.name, mount.options)
    # Docker: of several mounts of one volume the first that was given makes it.
    return [
        replace(planned[target], options=made_by[name]) if (name := planned[target].point.name) else planned[target]
        for target in sorted(planned)
    ]


def of_others(asked: HostConfig, find: FindContainer) -> Iterable[PlannedMount]:
    for text in asked.volumes_from or ():
        ref, mode = parse_volumes_from(text)
        other = find(ref)
        if other is None:
            raise InvalidParameter(str(ContainerNotFound(ref)))
        is_writable = "ro" not in mode.split(",")
        for point in other.mounts:
            # Docker: a tmpfs is the other container's own.
            if point.type != "tmpfs":
                yield PlannedMount(
                    point=msgspec.structs.replace(point, rw=point.rw and is_writable),
                    is_shared=True,
                    part=other.parts.get(point.destination),
                )


def of_its_own(asked: HostConfig, data_root: str) -> Iterable[PlannedMount]:
    for text in asked.binds or ():
        yield planned_mount(parse_bind(text, asked.volume_driver), data_root)
    for spec in asked.mounts or ():
        yield planned_mount(parse_mount(spec), data_root)


def planned_mount(parsed: ParsedMount, data_root: str) -> PlannedMount:
    point, spec = parsed.point, parsed.spec
    changes: dict[str, str] = {}
    if point.type == "volume" and not point.mode:
        changes["mode"] = SHARED_LABEL_MODE
    has_own_propagation = spec.bind_options is not None and spec.bind_options.propagation
    holds_data_root = point.type == "bind" and f"{data_root}/".startswith(point.source.rstrip("/") + "/")
    if holds_data_root and not has_own_propagation:
        # Docker: a mount that holds the engine's own directory would keep containers' mounts alive; as a slave it follows them.
        changes["propagation"] = SLAVE
    if point.type == "image":
        subpath = spec.image_options.subpath if spec.image_options else ""
        shown = msgspec.structs.replace(point, name=spec.source, source="", rw=False)
        return PlannedMount(point=shown, image=spec.source, part=MountPart(subpath=subpath))
    subpath = spec.volume_options.subpath if spec.volume_options else ""
    return PlannedMount(
        point=msgspec.structs.replace(point, **changes),
        options=spec.volume_options or VolumeOptions(),
        # What the image has at that place is of the whole volume, of which only a part is shown.
        copy_data=parsed.copy_data and not subpath,
        part=MountPart(subpath=subpath) if subpath else None,
    )


def of_volumes(config: ContainerConfig) -> list[str]:
    """Destinations of `Config.Volumes`.

    Raises:
        InvalidParameter: a volume over the whole root.
    """
    targets = []
    for path in config.volumes or ():
        target = clean("/" + path)  # Docker: a relative path counts from the root
        if target == "/":
            raise InvalidParameter("invalid specification: destination can't be '/'")
        if "\0" in target:
            raise InvalidParameter(f"invalid volume specification: {path!r} contains a NUL byte")
        targets.append(target)
    return targets


def placed_mounts(record: ContainerRecord, parts: Mapping[str, str]) -> list[PlacedMount]:
    """The record's binds, volumes and images as the plan of a start wants them; their sources must exist by then.

    `parts`: destination -> what is bound there instead of the mount's source.
    """
    specs = {clean(spec.target): spec for spec in record.host_config.mounts or ()}
    return [
        placed_mount(
            point,
            parts.get(point.destination, point.source),
            specs.get(point.destination),
            record.read_only_non_recursive,
        )
        for point in record.mounts
        if point.type in {"bind", "volume", "image"}
    ]


def placed_mount(point: MountPoint, source: str, spec: MountSpec | None, non_recursive_by_default: bool) -> PlacedMount:
    options = (spec.bind_options if spec else None) or BindOptions()
    return PlacedMount(
        source=source,
        destination=point.destination,
        read_only=not point.rw,
        propagation=point.propagation or DEFAULT_PROPAGATION,
        recursive=not options.non_recursive,
        recursive_read_only=options.read_only_force_recursive
        or not (options.read_only_non_recursive or non_recursive_by_default),
    )


def make_missing_sources(record: ContainerRecord, paths: HostPaths) -> None:
    """Docker: a directory of the host that `Binds` (or CreateMountpoint) names is made when it is not there, at each start.

    Raises:
        InvalidParameter: no kernel takes that path, or it leads through a file.
        Unavailable: the file system refuses.
    """
    wanted = {point.source for point in record.mounts if point.type == "bind"}
    must_exist = {
        clean(spec.source)
        for spec in record.host_config.mounts or ()
        if spec.type == "bind" and not (spec.bind_options and spec.bind_options.create_mountpoint)
    }
    for source in sorted(wanted - must_exist):
        paths.make_directory(source)
