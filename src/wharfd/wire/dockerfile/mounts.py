"""`RUN --mount=type=cache,target=/root/.cache,sharing=locked`: the flag's value, a line of CSV.

`from` has to be known before variables are; the other fields may hold some.  So a mount is looked at twice: `check_mount` when the
file is parsed, `parse_mount` when its RUN is reached.
"""

import re
from collections.abc import Callable

import msgspec

from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.dockerfile.suggest import hint

TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
SHARINGS = ("shared", "private", "locked")

_KEYS = (
    *("type", "from", "source", "target", "readonly", "id", "sharing", "required", "mode", "uid", "gid", "src", "dst"),
    *("destination", "ro", "rw", "readwrite", "env", "size"),
)
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([bkmgtp]?)(?:i?b)?", re.IGNORECASE)

Expand = Callable[[str], str]


class RunMount(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is a cache's, a secret's or an agent's; `env`: the variable that a secret is put into.  `size_bytes` 0: not said."""

    type: str = "bind"
    source_stage: str = ""
    source: str = ""
    target: str = ""
    read_only: bool = True
    id: str = ""
    sharing: str = ""
    required: bool = False
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    env: str | None = None
    size_bytes: int = 0


def check_mount(text: str) -> None:
    """What can be said before variables are known.  Raises DockerfileError."""
    for field in csv_fields(text):
        key, _, value = field.partition("=")
        if key.lower() == "from" and re.search(r"\$.", value):
            raise DockerfileError("'from' doesn't support variable expansion, define alias stage instead")


def source_stage(text: str) -> str:
    """The stage, image or context that the mount comes from: empty for the build's context, and for types that have none."""
    fields = {key.lower(): value for key, _, value in (field.partition("=") for field in csv_fields(text))}
    kind = fields.get("type", "bind").lower()
    return fields.get("from", "") if kind in {"bind", "cache"} else ""


def parse_mount(text: str, expand: Expand) -> RunMount:
    """Raises DockerfileError, also what `expand` raises."""
    found: dict[str, object] = {}
    for field in csv_fields(text):
        key, value = split_field(field)
        kind = str(found.get("type", "bind"))
        if value is None:
            found.update(switched(key, kind))
        else:
            found.update(read_field(key, expand(value), field, kind))
    mount = msgspec.convert(found, RunMount)
    if "read_only" not in found:
        mount = msgspec.structs.replace(mount, read_only=mount.type not in {"cache", "tmpfs"})
    check_combination(mount)
    return mount


def switched(key: str, kind: str) -> dict[str, object]:
    """A word without a value."""
    if key in {"readonly", "ro"}:
        return {"read_only": True}
    if key in {"readwrite", "rw"}:
        return {"read_only": False}
    check_required(key, kind)
    return {"required": True}


def check_required(key: str, kind: str) -> None:
    if kind not in {"secret", "ssh"}:
        raise DockerfileError(f"unexpected key '{key}' for mount type '{kind}'")


def read_field(key: str, value: str, field: str, kind: str) -> dict[str, object]:
    match key:
        case "type":
            if value.lower() not in TYPES:
                raise DockerfileError(f"unsupported mount type {quote(value)}{hint(value, TYPES)}")
            return {"type": value.lower()}
        case "from":
            return {"source_stage": value}
        case "source" | "src":
            return {"source": value}
        case "target" | "dst" | "destination":
            return {"target": value}
        case "readonly" | "ro":
            return {"read_only": boolean(key, value)}
        case "readwrite" | "rw":
            return {"read_only": not boolean(key, value)}
        case "required":
            check_required(key, kind)
            return {"required": boolean(key, value)}
        case "id" | "env":
            return {key: value}
        case "size":
            return {"size_bytes": size(value)}
        case "sharing":
            if value.lower() not in SHARINGS:
                raise DockerfileError(f"unsupported sharing value {quote(value)}{hint(value, SHARINGS)}")
            return {"sharing": value.lower()}
        case "mode":
            return {"mode": number(key, value, 8)}
        case "uid" | "gid":
            return {key: number(key, value, 10)}
    raise DockerfileError(f"unexpected key '{key}' in '{field}'{hint(key, _KEYS)}")


def check_combination(mount: RunMount) -> None:
    kind = mount.type
    if kind not in {"cache", "secret", "ssh"}:
        for name in ("mode", "uid", "gid"):
            if getattr(mount, name) is not None:
                raise DockerfileError(f"{name} not allowed for {quote(kind)} type mounts")
    if mount.sharing and kind != "cache":
        raise DockerfileError(f"invalid cache sharing set for {kind} mount")
    if mount.env is not None and kind != "secret":
        raise DockerfileError(f"invalid env set for {kind} mount")
    if kind != "secret":
        return
    if mount.source_stage:
        raise DockerfileError("secret mount should not have a from")
    if not (mount.source or mount.target or mount.id or mount.env):
        raise DockerfileError("invalid secret mount. one of source, target required")
    if mount.source and mount.id:
        raise DockerfileError("both source and id can't be set")


def split_field(field: str) -> tuple[str, str | None]:
    """Key in small letters and value; None for the few words that may stand alone."""
    key, equals, value = field.partition("=")
    key = key.lower()
    if not equals:
        if key not in {"readonly", "ro", "readwrite", "rw", "required"}:
            raise DockerfileError(f"invalid field '{field}' must be a key=value pair")
        return key, None
    return key, value


def csv_fields(text: str) -> list[str]:
    """One line of CSV; quotes around a field keep its commas, doubled ones inside stand for themselves."""
    if not text:
        raise DockerfileError("failed to parse csv mounts: EOF")
    fields = []
    at = 0
    while at <= len(text):
        if text.startswith('"', at):
            field, at = quoted_field(text, at + 1)
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            field, at = text[at:end], end + 1
            if '"' in field:
                raise DockerfileError(
                    f'failed to parse csv mounts: parse error on line 1, column {end}: bare " in non-quoted-field'
                )
        fields.append(field)
    return fields


def quoted_field(text: str, at: int) -> tuple[str, int]:
    out = []
    while (end := text.find('"', at)) >= 0:
        out.append(text[at:end])
        if not text.startswith('""', end):
            if text[end + 1 : end + 2] not in ("", ","):
                break
            return "".join(out), end + 2
        out.append('"')
        at = end + 2
    raise DockerfileError(
        f'failed to parse csv mounts: parse error on line 1, column {len(text)}: extraneous or missing " in quoted-field'
    )


def boolean(key: str, text: str) -> bool:
    value = _BOOLEANS.get(text)
    if value is None:
        raise DockerfileError(f"invalid value for {key}: {text}")
    return value


def number(key: str, text: str, base: int) -> int:
    digits = "01234567" if base == 8 else "0123456789"
    if not text or text.strip(digits) or len(text) > 11 or int(text, base) >= 2**32:
        raise DockerfileError(f"invalid value {text} for {key}")
    return int(text, base)


def size(text: str) -> int:
    """Bytes of `512`, `64m`, `1.5gb`."""
    match = _SIZE.fullmatch(text)
    if match is None or len(match[1]) > 15:
        raise DockerfileError(f"invalid value for size: invalid size: '{text}'")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def parse_device(text: str) -> tuple[str, bool]:
    """`RUN --device=vendor.com/class=name[,required]`: a CDI device's name, and whether it has to be there."""
    name, required = "", False
    for position, field in enumerate(csv_fields(text)):
        key, equals, value = field.partition("=")
        if key == "required":
            required = boolean(key, value) if equals else True
        elif key == "name":
            name = value
        elif not position:
            name = field
        else:
            raise DockerfileError(f"unexpected key '{key}' in '{field}'{hint(key, ('name', 'required'))}")
    if not name:
        raise DockerfileError("device name is required")
    return name, required
