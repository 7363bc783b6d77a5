"""Events as Docker words them, made from records."""

from wharfd.model.container import ContainerRecord, MountPoint
from wharfd.model.event import Event
from wharfd.model.network import NetworkRecord
from wharfd.model.volume import VolumeRecord


def container_event(record: ContainerRecord, action: str, at_ns: int, **attributes: str) -> Event:
    """Docker: all labels are attributes, and `image` and `name` win over labels of those names."""
    return Event(
        type="container",
        action=action,
        actor_id=record.id,
        attributes={**(record.config.labels or {}), "image": record.config.image, "name": record.name, **attributes},
        at_ns=at_ns,
    )


def network_event(network: NetworkRecord, action: str, at_ns: int, **attributes: str) -> Event:
    """`connect` and `disconnect` carry `container`, its id."""
    return Event(
        type="network",
        action=action,
        actor_id=network.id,
        attributes={"name": network.name, "type": network.driver, **attributes},
        at_ns=at_ns,
    )


def volume_event(volume: VolumeRecord, action: str, at_ns: int, **attributes: str) -> Event:
    return Event(
        type="volume",
        action=action,
        actor_id=volume.name,
        attributes={"driver": volume.driver, **attributes},
        at_ns=at_ns,
    )


def volume_mount_event(volume: VolumeRecord, mount: MountPoint, container_id: str, at_ns: int) -> Event:
    return volume_event(
        volume,
        "mount",
        at_ns,
        container=container_id,
        destination=mount.destination,
        propagation=mount.propagation,
        **{"read/write": "true" if mount.rw else "false"},
    )


def volume_unmount_event(volume: VolumeRecord, container_id: str, at_ns: int) -> Event:
    return volume_event(volume, "unmount", at_ns, container=container_id)


def image_event(
    image_id: str, action: str, at_ns: int, *, name: str = "", labels: dict[str, str] | None = None
) -> Event:
    """`name` is the familiar reference that it is about, `labels` those of the image's config if it is still there."""
    attributes = dict(labels or {})
    if name:
        attributes["name"] = name
    return Event(type="image", action=action, actor_id=image_id, attributes=attributes, at_ns=at_ns)


def prune_event(kind: str, at_ns: int, reclaimed_bytes: int) -> Event:
    """After a prune of that type of objects.  Docker: it has no actor."""
    return Event(type=kind, action="prune", actor_id="", attributes={"reclaimed": str(reclaimed_bytes)}, at_ns=at_ns)
