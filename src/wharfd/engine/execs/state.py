"""Whether a container is in a state in which something can be run in it."""

from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import Conflict


def refuse_unless_running(record: ContainerRecord, ref: str) -> None:
    """Raises Conflict with dockerd's text."""
    match record.state:
        case State.RUNNING:
            return
        case State.PAUSED:
            raise Conflict(f"Container {ref} is paused, unpause the container before exec")
        case State.RESTARTING:
            raise Conflict(f"Container {record.id} is restarting, wait until the container is running")
        case _:
            raise Conflict(f"container {record.id} is not running")
