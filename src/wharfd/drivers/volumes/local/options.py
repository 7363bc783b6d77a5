"""Options of a local volume (`type`, `device`, `o`), as mount(8) would take them.  Texts are dockerd's."""

from collections.abc import Mapping
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.sys.mount import (
    MS_BIND,
    MS_NOATIME,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
)

KNOWN = ("type", "o", "device", "size")
MANDATORY = {"o": ("device", "type"), "type": ("device",)}

FLAGS = {
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "noatime": MS_NOATIME,
    "relatime": MS_RELATIME,
    "bind": MS_BIND,
    "rbind": MS_BIND | MS_REC,
}
DEFAULTS = frozenset({"rw", "suid", "dev", "exec", "defaults", ""})


@dataclass(frozen=True, slots=True)
class MountPlan:
    """Arguments of mount(2)."""

    device: str
    kind: str
    flags: int
    data: str


def parse_options(options: Mapping[str, str] | None) -> MountPlan | None:
    """None for a plain directory.

    Raises:
        InvalidParameter: an unknown option, or one that is missing.
    """
    given = {key.lower(): value for key, value in (options or {}).items()}
    for key in given:
        if key not in KNOWN:
            raise InvalidParameter(f'invalid option: "{key}"')
    if "size" in given:
        raise InvalidParameter("quota size requested but no quota support")
    for key, wanted in MANDATORY.items():
        missing = [each for each in wanted if not given.get(each)]
        if given.get(key) and missing:
            raise InvalidParameter(f'missing required option: "{missing[0]}"')
    if not given.get("device"):
        return None
    flags, data = 0, []
    for word in given.get("o", "").split(","):
        if word in FLAGS:
            flags |= FLAGS[word]
        elif word not in DEFAULTS:
            data.append(word)
    return MountPlan(given["device"], given.get("type", ""), flags, ",".join(data))
