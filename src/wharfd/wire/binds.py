"""Mount specifications: the strings of `Binds`, `Tmpfs` and `VolumesFrom`, and the rules for entries of `Mounts`.

    /host/dir:/dst          bind        name:/dst:ro          named volume        /dst        anonymous volume
    /host:/dst:ro,z,rslave  options, each kind once: ro|rw, z|Z, [r]private|[r]shared|[r]slave, nocopy, consistency words

Nothing here looks at the file system: whether a bind's source exists is asked by the caller (`missing_source`).
Functions raise `InvalidParameter` with dockerd's text.
"""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from wharfd.model.config import BindOptions, DriverConfig, MountSpec, TmpfsOptions, VolumeOptions
from wharfd.model.container import MountPoint
from wharfd.model.errors import InvalidParameter

PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
DEFAULT_PROPAGATION = "rprivate"

_WRITE_MODES = frozenset({"ro", "rw"})
_LABEL_MODES = frozenset({"z", "Z"})
_COPY_MODES = frozenset({"nocopy"})
_CONSISTENCIES = frozenset({"consistent", "cached", "delegated"})
_MODE_KINDS = (_WRITE_MODES, _LABEL_MODES, PROPAGATIONS, _COPY_MODES, _CONSISTENCIES)

_OPTION_FIELDS = (
    ("BindOptions", "bind_options"),
    ("VolumeOptions", "volume_options"),
    ("ImageOptions", "image_options"),
    ("TmpfsOptions", "tmpfs_options"),
)
_OWN_OPTIONS = {"bind": "BindOptions", "volume": "VolumeOptions", "image": "ImageOptions", "tmpfs": "TmpfsOptions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMount:
    """One mount as it will be shown (`point`) and carried out (`spec`).

    `copy_data`: fill a new volume with what the image has at that place.  `create_source`: make a missing bind source.
    A volume's `point.source` is empty until the volume is known; an anonymous volume has no name yet either.
    """

    point: MountPoint
    spec: MountSpec
    copy_data: bool = False
    create_source: bool = False


def parse_bind(text: str, volume_driver: str = "") -> ParsedMount:
    """Parse one entry of `Binds`, or a path of `Config.Volumes`."""
    invalid = f"invalid volume specification: '{text}'"
    parts = text.split(":", 3)
    if not parts[0] or len(parts) > 3:
        raise InvalidParameter(invalid)
    source, target, mode = "", parts[0], ""
    if len(parts) == 2:
        if is_valid_mode(parts[1]):  # a volume cannot have a mode without a source
            raise InvalidParameter(invalid)
        source, target = parts
    elif len(parts) == 3:
        source, target, mode = parts
    if not is_valid_mode(mode):
        raise InvalidParameter(f"invalid mode: {mode}")
    words = mode.split(",")
    kind = "bind" if source.startswith("/") else "volume"
    volume_options = None
    if "nocopy" in words or (volume_driver and kind == "volume"):
        driver = DriverConfig(name=volume_driver) if volume_driver and kind == "volume" else None
        volume_options = VolumeOptions(no_copy="nocopy" in words, driver_config=driver)
    propagation = next((word for word in words if word in PROPAGATIONS), "")
    spec = MountSpec(
        type=kind,
        source=source,
        target=target,
        read_only="ro" in words,
        bind_options=BindOptions(propagation=propagation) if propagation else None,
        volume_options=volume_options,
    )
    try:
        return _parsed(spec, mode, create_source=True)
    except InvalidParameter as e:
        raise InvalidParameter(f"{invalid}: {e}") from e


def parse_mount(spec: MountSpec) -> ParsedMount:
    """Check one entry of `Mounts`.  A bind source that is not there is an error (`missing_source`) unless `create_source`."""
    return _parsed(spec, "", spec.bind_options is not None and spec.bind_options.create_mountpoint)


def missing_source(source: str) -> InvalidParameter:
    """The error for a `Mounts` entry whose bind source does not exist."""
    return _mount_error("bind", f"bind source path does not exist: {source}")


def format_bind(parsed: ParsedMount) -> str:
    """The `Binds` form of what `parse_bind` gave."""
    spec = parsed.spec
    if not spec.source:
        return spec.target
    return f"{spec.source}:{spec.target}" + (f":{parsed.point.mode}" if parsed.point.mode else "")


def parse_volumes_from(text: str) -> tuple[str, str]:
    """Parse an entry of `VolumesFrom` to the container and its mode (`rw` where none is given)."""
    if not text:
        raise InvalidParameter("volumes-from specification cannot be an empty string")
    container, _, mode = text.partition(":")
    if not mode:
        return container, "rw"
    words = set(mode.split(","))
    if not is_valid_mode(mode) or words & (PROPAGATIONS | _COPY_MODES):
        raise InvalidParameter(f"invalid mode: {mode}")
    return container, mode


def is_valid_mode(mode: str) -> bool:
    """Are these known words, at most one of each kind?  Empty is valid."""
    if not mode:
        return True
    words = mode.split(",")
    counts = [sum(word in kind for word in words) for kind in _MODE_KINDS]
    return sum(counts) == len(words) and max(counts) <= 1


# --- tmpfs

_TMPFS_FLAGS = {
    word: group
    for group, words in {
        "write": "ro rw",
        "suid": "suid nosuid",
        "dev": "dev nodev",
        "exec": "exec noexec",
        "sync": "sync async",
        "dirsync": "dirsync",
        "mand": "mand nomand",
        "atime": "atime noatime",
        "diratime": "diratime nodiratime",
        "bind": "bind rbind",
        "private": "private",
        "rprivate": "rprivate",
        "shared": "shared",
        "rshared": "rshared",
        "slave": "slave",
        "rslave": "rslave",
        "unbindable": "unbindable",
        "runbindable": "runbindable",
        "relatime": "relatime norelatime",
        "strictatime": "strictatime nostrictatime",
        "remount": "remount",
        "defaults": "defaults",
    }.items()
    for word in words.split()
}
_TMPFS_VALUES = frozenset({"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"})
DEFAULT_TMPFS_OPTIONS = ("noexec", "nosuid", "nodev", DEFAULT_PROPAGATION)


def merge_tmpfs_options(options: str, defaults: Iterable[str] = DEFAULT_TMPFS_OPTIONS) -> list[str]:
    """The mount options of a `Tmpfs` entry: the defaults, replaced where the client says otherwise; the last word wins."""
    chosen: dict[str, str] = {}
    for word in reversed([*defaults, *(options.split(",") if options else ())]):
        group = _TMPFS_FLAGS.get(word)
        if group is None:
            key, equals, _ = word.partition("=")
            if not equals or key not in _TMPFS_VALUES:
                shown = " ".join(f'"{part}"' for part in word.split("=", 1))
                raise InvalidParameter(f"invalid tmpfs option [{shown}]")
            group = f"{key}="
        chosen.setdefault(group, word)
    return list(reversed(chosen.values()))


def tmpfs_options(options: TmpfsOptions | None, read_only: bool) -> str:
    """The option string of a tmpfs entry of `Mounts`."""
    words = ["ro"] if read_only else []
    if options is None:
        return ",".join(words)
    if options.mode:
        words.append(f"mode={options.mode:o}")
    if options.size_bytes:
        shift, suffix = next(
            ((s, u) for s, u in ((30, "g"), (20, "m"), (10, "k")) if options.size_bytes % (1 << s) == 0), (0, "")
        )
        words.append(f"size={options.size_bytes >> shift}{suffix}")
    for option in options.options or ():
        if not 1 <= len(option) <= 2:
            raise InvalidParameter("invalid option array length")
        if option[0] not in {"exec", "noexec"}:
            raise InvalidParameter(f"invalid option: {option[0]}")
        words.append("=".join(option))
    return ",".join(words)


def validate_tmpfs_target(target: str) -> str:
    """Check a key of `Tmpfs`; gives the cleaned path."""
    _check_not_root(target)
    _check_absolute(target)
    return clean(target)


# --- paths and order


def clean(path: str) -> str:
    """As Go's path.Clean, for absolute paths."""
    cleaned = posixpath.normpath(path)
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


# --- rules for Mounts


def _parsed(spec: MountSpec, mode: str, create_source: bool) -> ParsedMount:
    _validate(spec)
    propagation = ""
    if spec.type in {"bind", "image"}:
        propagation = (spec.bind_options.propagation if spec.bind_options else "") or DEFAULT_PROPAGATION
    volume = spec.volume_options
    is_volume = spec.type == "volume"
    point = MountPoint(
        type=spec.type,
        name=spec.source if is_volume else "",
        source="" if is_volume else clean(spec.source) if spec.type == "bind" else spec.source,
        destination=clean(spec.target),
        driver=volume.driver_config.name if is_volume and volume and volume.driver_config else "",
        mode=mode,
        rw=not spec.read_only,
        propagation=propagation,
    )
    copy_data = is_volume and not (volume is not None and volume.no_copy)
    return ParsedMount(point=point, spec=spec, copy_data=copy_data, create_source=create_source and spec.type == "bind")


def _validate(spec: MountSpec) -> None:
    try:
        _validate_target(spec.target)
        _validate_by_type(spec)
    except InvalidParameter as e:
        raise _mount_error(spec.type, str(e)) from e


def _validate_target(target: str) -> None:
    if not target:
        raise InvalidParameter("field Target must not be empty")
    _check_not_root(target)
    _check_absolute(target)


def _validate_by_type(spec: MountSpec) -> None:
    own = _OWN_OPTIONS.get(spec.type)
    if own is None:
        raise InvalidParameter("mount type unknown")
    if spec.type in {"bind", "image"} and not spec.source:
        raise InvalidParameter("field Source must not be empty")
    if spec.type == "bind" and spec.bind_options is not None:
        propagation = spec.bind_options.propagation
        if propagation and propagation not in PROPAGATIONS:
            raise InvalidParameter(f"invalid propagation mode: {propagation}")
    for name, field in _OPTION_FIELDS:
        if name != own and getattr(spec, field) is not None:
            raise InvalidParameter(f"field {name} must not be specified")
    match spec.type:
        case "bind":
            _check_absolute(spec.source)
        case "volume":
            subpath = spec.volume_options.subpath if spec.volume_options else ""
            if subpath and not spec.source:
                raise InvalidParameter("must not set Subpath when using anonymous volumes")
            _check_subpath(subpath)
        case "image":
            _check_subpath(spec.image_options.subpath if spec.image_options else "")
        case "tmpfs":
            if spec.source:
                raise InvalidParameter("field Source must not be specified")
            tmpfs_options(spec.tmpfs_options, spec.read_only)


def _check_subpath(subpath: str) -> None:
    if not subpath:
        return
    cleaned = posixpath.normpath(subpath)
    if subpath.startswith("/") or cleaned == ".." or cleaned.startswith("../"):
        raise InvalidParameter("subpath must be a relative path within the volume")


def _check_not_root(path: str) -> None:
    if clean(path.replace("\\", "/")) == "/":
        raise InvalidParameter("invalid specification: destination can't be '/'")


def _check_absolute(path: str) -> None:
    if not path.replace("\\", "/").startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")


def _mount_error(kind: str, reason: str) -> InvalidParameter:
    return InvalidParameter(f'invalid mount config for type "{kind}": {reason}')
