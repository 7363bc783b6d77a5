"""One engine per data root, exec root, pid file and bridge."""

import os

from wharfd.app.failure import StartFailure
from wharfd.model.settings import Settings
from wharfd.sys.lockfile import AlreadyLocked, LockFile, NetworkLock


def lock(settings: Settings) -> list[LockFile | NetworkLock]:
    """One engine per data root, exec root, pid file and bridge."""
    os.makedirs(settings.data_root, mode=0o711, exist_ok=True)
    os.makedirs(settings.exec_root, mode=0o711, exist_ok=True)
    held: list[LockFile | NetworkLock] = []
    try:
        for path in (f"{settings.data_root}/lock", f"{settings.exec_root}/lock", settings.pidfile):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            held.append(LockFile.acquire(path))
        held.append(bridge_lock(settings.bridge))
    except (AlreadyLocked, StartFailure) as e:
        for taken in held:
            taken.release()
        if isinstance(e, AlreadyLocked):
            raise StartFailure(f"another engine runs here: {e}") from e
        raise
    return held


def bridge_lock(bridge: str) -> NetworkLock:
    """Raises StartFailure."""
    try:
        return NetworkLock(f"wharfd/bridge/{bridge}")
    except AlreadyLocked as e:
        raise StartFailure(f"another engine uses the bridge {bridge}: give this one its own by --bridge") from e
