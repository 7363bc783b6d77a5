"""How a container's state reads to people (`docker ps`), and which of its ports are shown."""

from typing import assert_never

from wharfd.model.config import PortBinding
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import InvalidParameter
from wharfd.wire.ports import parse_exposed
from wharfd.wire.timestamps import human_duration

NO_HEALTH = "none"

Ports = dict[str, list[PortBinding] | None]


def status_text(record: ContainerRecord, now_ns: int) -> str:
    """`Up 5 minutes (healthy)`, `Exited (0) 2 hours ago`, …"""
    if record.is_restarting:
        return f"Restarting ({record.exit_code}) {human_duration(now_ns - record.finished_ns)} ago"
    match record.state:
        case State.PAUSED:
            return f"Up {human_duration(now_ns - record.started_ns)} (Paused)"
        case State.RUNNING:
            return f"Up {human_duration(now_ns - record.started_ns)}{health_text(record)}"
        case State.REMOVING:
            return "Removal In Progress"
        case State.DEAD:
            return "Dead"
        case State.CREATING | State.CREATED | State.STARTING | State.EXITED | State.RESTARTING:
            if not record.started_ns:
                return "Created"
            if not record.finished_ns:
                return ""
            return f"Exited ({record.exit_code}) {human_duration(now_ns - record.finished_ns)} ago"
        case _:
            assert_never(record.state)


def health_text(record: ContainerRecord) -> str:
    status = health_status(record)
    if status == NO_HEALTH:
        return ""
    return " (health: starting)" if status == "starting" else f" ({status})"


def health_status(record: ContainerRecord) -> str:
    return record.health.status if record.health else NO_HEALTH


def is_at_work(record: ContainerRecord) -> bool:
    """What a plain list shows.  Docker: of a container that waits for its restart, State says Running."""
    return record.is_running or record.is_restarting


def shown_ports(record: ContainerRecord) -> Ports:
    """Ports by `80/tcp`, as inspect shows them while the container runs: None for one that is exposed and not published."""
    if not record.is_running or not has_own_network(record):
        return {}
    shown: Ports = {}
    for key in (*(record.config.exposed_ports or ()), *(record.host_config.port_bindings or ())):
        try:
            ports = parse_exposed(key)
        except InvalidParameter:  # an image may hold anything
            continue
        shown |= {str(port): None for port in ports}
    for endpoint in record.endpoints.values():
        for port in endpoint.ports:
            key = f"{port.port}/{port.protocol}"
            binding = PortBinding(host_ip=port.host_ip, host_port=str(port.host_port or ""))
            shown[key] = [*(shown.get(key) or ()), binding]
    return shown


def has_own_network(record: ContainerRecord) -> bool:
    mode = record.host_config.network_mode
    return mode not in {"host", "none"} and not mode.startswith("container:") and not record.config.network_disabled
