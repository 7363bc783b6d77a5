"""Change a container's limits and restart policy, at once if it runs."""

from typing import Any

import msgspec

from wharfd.engine.containers.limits import settle_limits
from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.config import HostConfig
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict, EngineError, InvalidParameter
from wharfd.ports.clock import Clock
from wharfd.ports.host import Host
from wharfd.ports.runtime import RuntimeDriver
from wharfd.wire.limits import validate_restart_policy

# What an update may change; a zero, empty or null leaves the field as it is.
LIMITS = (
    "blkio_weight",
    "blkio_weight_device",
    "blkio_device_read_bps",
    "blkio_device_write_bps",
    "blkio_device_read_iops",
    "blkio_device_write_iops",
    "cpu_shares",
    "nano_cpus",
    "cpu_period",
    "cpu_quota",
    "cpu_realtime_period",
    "cpu_realtime_runtime",
    "cpuset_cpus",
    "cpuset_mems",
    "memory",
    "memory_swap",
    "memory_reservation",
    "pids_limit",
)


class UpdateContainer:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock, host: Host, runtime: RuntimeDriver) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock
        self.host = host
        self.runtime = runtime

    async def __call__(self, ref: str, asked: HostConfig) -> list[str]:
        """Only limits and restart policy of `asked` are looked at.  Gives back warnings.

        Raises:
            ContainerNotFound, InvalidParameter: a value out of range.
            Conflict: the container's state, or what is set already, forbids it.
        """
        if asked.cpu_shares < 0:
            raise InvalidParameter(f"invalid CPU shares ({asked.cpu_shares}): value must be a positive integer")
        wanted, warnings = settle_limits(asked, self.host.facts(), is_update=True)
        if wanted.restart_policy.name:
            validate_restart_policy(wanted.restart_policy)
        container_id = self.ledger.container(ref).id
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            try:
                await self.change(record, wanted)
            except (Conflict, InvalidParameter) as e:
                raise Conflict(f"Cannot update container {record.id}: {e}") from e
        return warnings

    async def change(self, record: ContainerRecord, wanted: HostConfig) -> None:
        if record.state in {State.REMOVING, State.DEAD}:
            raise Conflict('container is marked for removal and cannot be "update"')
        updated = msgspec.structs.replace(record, host_config=merge_limits(record.host_config, wanted))
        if record.is_running:
            await self.runtime.update(record.id, for_runtime(updated.host_config))
        event = container_event(updated, "update", self.clock.now_ns())
        try:
            await self.ledger.commit(updated, events=[event])
        except EngineError:
            if record.is_running:
                await self.runtime.update(record.id, for_runtime(record.host_config))
            raise


def for_runtime(limits: HostConfig) -> HostConfig:
    """A limit that was taken away is written as unlimited; one that never was is not written."""
    return msgspec.structs.replace(limits, pids_limit=-1) if limits.pids_limit == 0 else limits


def merge_limits(old: HostConfig, wanted: HostConfig) -> HostConfig:
    """The old with what is asked for.

    Raises:
        Conflict: what is asked for does not go with what is set.
    """
    check_memory(old, wanted)
    check_cpus(old, wanted)
    changes: dict[str, Any] = {name: value for name in LIMITS if (value := getattr(wanted, name))}
    if wanted.pids_limit is not None:
        changes["pids_limit"] = max(wanted.pids_limit, 0)  # Docker: 0 and less take the limit away
    if wanted.restart_policy.name:
        if old.auto_remove and wanted.restart_policy.name != "no":
            raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
        changes["restart_policy"] = wanted.restart_policy
    return msgspec.structs.replace(old, **changes)


def check_memory(old: HostConfig, wanted: HostConfig) -> None:
    if wanted.memory and wanted.memory > old.memory_swap >= 0 == wanted.memory_swap:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )


def check_cpus(old: HostConfig, wanted: HostConfig) -> None:
    """Docker: one way of limiting CPU time excludes the other, also over time."""
    if wanted.nano_cpus > 0 and old.cpu_period > 0:
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set")
    if wanted.nano_cpus > 0 and old.cpu_quota > 0:
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
    if wanted.cpu_period and old.nano_cpus > 0:
        raise Conflict("Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set")
    if wanted.cpu_quota and old.nano_cpus > 0:
        raise Conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
