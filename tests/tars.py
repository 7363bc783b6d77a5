"""Archives to test with, member by member."""

import io
import tarfile
from typing import Any

Member = tuple[tarfile.TarInfo, bytes]


def entry(name: str, data: bytes = b"", *, pax: dict[str, str] | None = None, **fields: Any) -> Member:
    """A regular file unless `type` says otherwise.  Further fields are those of `TarInfo`."""
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    info.pax_headers = pax or {}
    info.size = len(data)
    return info, data


def directory(name: str, mode: int = 0o755, **fields: Any) -> Member:
    return entry(name, type=tarfile.DIRTYPE, mode=mode, **fields)


def symlink(name: str, target: str, **fields: Any) -> Member:
    return entry(name, type=tarfile.SYMTYPE, linkname=target, **fields)


def hard_link(name: str, target: str, **fields: Any) -> Member:
    return entry(name, type=tarfile.LNKTYPE, linkname=target, **fields)


def tar_of(*members: Member, kind: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
