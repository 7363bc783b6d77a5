"""/etc/passwd and /etc/group of an image, and what a container's `User` and `GroupAdd` mean there.

Both files may be absent or broken: lines of the wrong shape are read as far as they go, as container runtimes do.
Raises `InvalidParameter` with the text of the runtime's own lookup.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter
from wharfd.wire.limits import split_user

MAX_ID = (1 << 31) - 1
_OUT_OF_RANGE = f"uids and gids must be in range 0-{MAX_ID}"
_NO_USER_ENTRY = "no matching entries in passwd file"
_NO_GROUP_ENTRY = "no matching entries in group file"


@dataclass(frozen=True, slots=True)
class PasswdEntry:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class GroupEntry:
    name: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResolvedUser:
    """Who the process is.  `additional_gids` holds the primary group first, as dockerd passes it, and no group twice."""

    uid: int
    gid: int
    additional_gids: tuple[int, ...]
    home: str  # empty if the user has no entry


def parse_passwd(text: str) -> list[PasswdEntry]:
    entries = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        f = [*line.strip().split(":"), "", "", "", "", "", ""]
        entries.append(PasswdEntry(f[0], _lenient_id(f[2]), _lenient_id(f[3]), f[5]))
    return entries


def parse_group(text: str) -> list[GroupEntry]:
    entries = []
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        f = [*stripped.split(":"), "", "", ""]
        entries.append(GroupEntry(f[0], _lenient_id(f[2]), tuple(f[3].split(",")) if f[3] else ()))
    return entries


def format_passwd(entries: Iterable[PasswdEntry]) -> str:
    return "".join(f"{e.name}:x:{e.uid}:{e.gid}::{e.home}:\n" for e in entries)


def format_group(entries: Iterable[GroupEntry]) -> str:
    return "".join(f"{e.name}:x:{e.gid}:{','.join(e.members)}\n" for e in entries)


def resolve_user(spec: str, passwd: str = "", group: str = "", group_add: Iterable[str] = ()) -> ResolvedUser:
    """Look up `user`, `user:group`, `uid`, `uid:gid` or "" (root) in the texts of the two files.

    A numeric id needs no entry.  Groups of which the user is a member count only where no group is given.

    Raises:
        InvalidParameter: a name without an entry, or an id out of range.
    """
    user_text, group_text = split_user(spec)
    wanted_uid = _numeric(user_text)
    wanted_gid = _numeric(group_text or "")
    uid, gid, home, name = 0, 0, "", ""
    entry = _find_user(user_text, wanted_uid, parse_passwd(passwd))
    if entry is not None:
        uid, gid, home, name = entry.uid, entry.gid, entry.home, entry.name
    elif user_text:
        if wanted_uid is None:
            raise InvalidParameter(f"unable to find user {user_text}: {_NO_USER_ENTRY}")
        uid = wanted_uid
    groups = parse_group(group) if group_text or name or group_add else []
    memberships: list[int] = []
    if group_text:
        gid = _find_group(group_text, wanted_gid, groups)
    elif name:
        memberships = [g.gid for g in groups if name in g.members]
    extra = [_find_group(wanted, _numeric(wanted), groups) for wanted in group_add]
    for number in (uid, gid, *memberships, *extra):
        if not 0 <= number <= MAX_ID:
            raise InvalidParameter(_OUT_OF_RANGE)
    return ResolvedUser(uid, gid, tuple(dict.fromkeys([gid, *memberships, *extra])), home)


def _find_user(text: str, uid: int | None, entries: list[PasswdEntry]) -> PasswdEntry | None:
    if not text:
        uid = 0
    # Docker: a number is never looked up as a name.
    return next((e for e in entries if (e.uid == uid if uid is not None else e.name == text)), None)


def _find_group(text: str, gid: int | None, entries: list[GroupEntry]) -> int:
    for entry in entries:
        if entry.gid == gid if gid is not None else entry.name == text:
            return entry.gid
    if gid is None:
        raise InvalidParameter(f"unable to find group {text}: {_NO_GROUP_ENTRY}")
    return gid


def _numeric(text: str) -> int | None:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) > 20 or not 0 <= int(text) <= MAX_ID:
        raise InvalidParameter(_OUT_OF_RANGE)
    return int(text)


def _lenient_id(text: str) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 20 else 0
