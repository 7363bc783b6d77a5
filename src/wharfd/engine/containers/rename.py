"""Rename a container; events and lookups follow at once."""

import msgspec

from wharfd.engine.happenings import container_event
from wharfd.engine.ledger import Ledger
from wharfd.engine.locks import KeyedLocks
from wharfd.model.errors import EngineError, InvalidParameter, NameInUse
from wharfd.ports.clock import Clock
from wharfd.wire.names import NAME_CHARS, parse_container_name


class RenameContainer:
    def __init__(self, *, ledger: Ledger, locks: KeyedLocks, clock: Clock) -> None:
        self.ledger = ledger
        self.locks = locks
        self.clock = clock

    async def __call__(self, ref: str, wanted: str) -> None:
        """Raises ContainerNotFound, InvalidParameter (no name, a bad one, or its own), NameInUse."""
        if not ref or not wanted:
            raise InvalidParameter("Neither old nor new names may be empty")
        container_id = self.ledger.container(ref).id
        async with self.locks.hold("container", container_id):
            record = self.ledger.container(container_id)
            if wanted.removeprefix("/") == record.name:
                raise InvalidParameter("Renaming a container with the same name as its current name")
            name = self.reserve(wanted, container_id)
            renamed = msgspec.structs.replace(record, name=name)
            event = container_event(renamed, "rename", self.clock.now_ns(), oldName=f"/{record.name}")
            try:
                await self.ledger.commit(renamed, events=[event], durable=True)
            except EngineError:
                self.ledger.containers.release(name, container_id)
                raise

    def reserve(self, wanted: str, container_id: str) -> str:
        try:
            name = parse_container_name(wanted)
        except InvalidParameter as e:
            # Docker: here the message shows the name with its slash.
            shown = "/" + wanted.removeprefix("/")
            text = f"Error when allocating new name: Invalid container name ({shown}), only {NAME_CHARS} are allowed"
            raise InvalidParameter(text) from e
        holder = self.ledger.containers.reserve(name, container_id)
        if holder is not None:
            raise NameInUse(name, holder).prefixed("Error when allocating new name: ")
        return name
