"""Defaults and names that a host config takes over from the engine when a container is created."""

from collections.abc import Callable

import msgspec

from wharfd.engine.containers.plan import DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS
from wharfd.model.config import HostConfig
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import ContainerNotFound, InvalidParameter
from wharfd.model.settings import Settings
from wharfd.ports.host import HostFacts
from wharfd.wire.security import parse_security_options

CONTAINER = "container:"
UNIFIED = 2
UNLIMITED = -1
MAX_INT64 = 2**63 - 1


def adapt(
    asked: HostConfig,
    settings: Settings,
    facts: HostFacts,
    find: Callable[[str], ContainerRecord | None],
    *,
    cgroupns_default_host: bool = False,
) -> HostConfig:
    """`find` looks a container up by id, name or prefix.

    Raises:
        InvalidParameter: namespaces of a container that does not exist.
    """
    shared = {
        "pid_mode": join_by_id(asked.pid_mode, find),
        "ipc_mode": join_by_id(asked.ipc_mode or settings.default_ipc_mode, find),
        "network_mode": join_by_id(asked.network_mode, find, must_exist=False),
    }
    unconfined = asked.privileged or parse_security_options(asked.security_opt).unconfined_paths
    masked, readonly = asked.masked_paths, asked.readonly_paths
    if not unconfined:
        masked = list(DEFAULT_MASKED_PATHS) if masked is None else masked
        readonly = list(DEFAULT_READONLY_PATHS) if readonly is None else readonly
    return msgspec.structs.replace(
        asked,
        **shared,
        memory_swap=asked.memory_swap or default_swap(asked.memory),
        shm_size=asked.shm_size or settings.default_shm_size,
        cgroupns_mode=asked.cgroupns_mode or default_cgroupns(asked, settings, facts, cgroupns_default_host),
        oom_kill_disable=bool(asked.oom_kill_disable),
        pids_limit=asked.pids_limit if (asked.pids_limit or 0) > 0 else None,
        security_opt=with_label(asked),
        masked_paths=masked,
        readonly_paths=readonly,
    )


def default_swap(memory: int) -> int:
    """Docker: no swap limit given means as much swap as memory."""
    if memory <= 0:
        return 0
    return 2 * memory if 2 * memory <= MAX_INT64 else UNLIMITED


def join_by_id(mode: str, find: Callable[[str], ContainerRecord | None], *, must_exist: bool = True) -> str:
    """Docker: the id is kept in the place of the name, so that a renamed container is still found.

    A network's container is looked for at the start only, and so is an empty name.
    """
    ref = mode.removeprefix(CONTAINER)
    if ref == mode or not ref:
        return mode
    other = find(ref)
    if other is not None:
        return CONTAINER + other.id
    if must_exist:
        raise InvalidParameter(str(ContainerNotFound(ref)))
    return mode


def default_cgroupns(asked: HostConfig, settings: Settings, facts: HostFacts, is_old_client: bool) -> str:
    is_unified = facts.cgroup_version == UNIFIED
    if not is_unified and (asked.privileged or is_old_client):
        return "host"
    return settings.default_cgroupns_mode or ("private" if is_unified else "host")


def with_label(asked: HostConfig) -> list[str] | None:
    """Docker: who shares the host's processes or IPC, or may do everything, is not confined by labels."""
    options = list(asked.security_opt or ())
    if any(option.startswith(("label=", "label:")) for option in options):
        return options
    if asked.privileged or asked.pid_mode == "host" or asked.ipc_mode == "host":
        return [*options, "label=disable"]
    return asked.security_opt
