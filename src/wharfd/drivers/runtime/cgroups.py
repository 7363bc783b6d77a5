"""Control groups as this driver names and fills them.

A `Launch` names a cgroup by its path below the root ("/wharfd/ID") or, for the systemd driver, by "slice:prefix:name", which is the
unit `prefix-name.scope` in that slice.
"""

import errno
from collections.abc import Sequence

from wharfd.model.errors import EngineError, Internal, InvalidParameter
from wharfd.sys.cgroup import Cgroup
from wharfd.wire.resources import Write

_REFUSALS = frozenset(
    {errno.EINVAL, errno.ERANGE, errno.EBUSY, errno.ENODEV, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP}
)


def is_systemd_name(name: str) -> bool:
    return ":" in name


def cgroup_path(name: str) -> str:
    """The path below the root for what a `Launch` calls its cgroup.

    Linux: systemd nests slices by the dashes of their names: a-b.slice lies in a.slice.
    """
    if not is_systemd_name(name):
        return "/" + name.strip("/")
    slice_name, prefix, unit, *_ = [*name.split(":", 2), "", ""]
    stem = (slice_name or "system.slice").removesuffix(".slice")
    parents = ""
    if stem != "-":
        parts = stem.split("-")
        parents = "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))
    return f"{parents}/{unit if unit.endswith('.slice') else scope_name(prefix, unit)}"


def scope_name(prefix: str, unit: str) -> str:
    return f"{prefix}-{unit}.scope" if prefix else f"{unit}.scope"


def write_limits(cgroup: Cgroup, writes: Sequence[Write]) -> None:
    """Write limits in order; what the kernel refuses at first is tried again after the rest.

    Linux: memory must stay below memory+swap and a quota within its period at any moment, so the order that is right for raising
    limits is wrong for lowering them.  A controller that the host lacks is passed over: the client was warned of it at creation.

    Raises:
        InvalidParameter: the kernel refuses a value.
        Internal: any other failure.
    """
    failed = [write for write in writes if _try(cgroup, write) is not None]
    written = {write.either for write in writes if write.either and write not in failed}
    refused: dict[str, EngineError] = {}
    for write in failed:
        error = _try(cgroup, write)
        if error is None:
            written.add(write.either)
        else:
            refused.setdefault(write.either or write.file, _failure(write, error))
    for name, failure in refused.items():
        if name not in written:
            raise failure


def _try(cgroup: Cgroup, write: Write) -> OSError | None:
    if write.controller and write.controller not in cgroup.layout.hierarchies:
        return None
    try:
        cgroup.write(write.file, write.value)
    except OSError as e:
        return e
    return None


def _failure(write: Write, error: OSError) -> EngineError:
    text = f"failed to write {write.value!r} to {write.file}: {error}"
    return InvalidParameter(text) if error.errno in _REFUSALS else Internal(text)
