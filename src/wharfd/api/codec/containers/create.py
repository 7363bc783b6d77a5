"""`POST /containers/create`: the body, decoded once, and the answer.

The body climbs to the newest shape (`api/versions/changes`); what depends on the version and draws a warning, or moves a setting to
another place, is in `migrate`.
"""

from collections.abc import Mapping

import msgspec

from wharfd.api.codec.containers.gotypes import GO_TYPES
from wharfd.api.codec.containers.migrate import migrate
from wharfd.api.codec.shape import Shape
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import upgrade
from wharfd.engine.containers.create import Asked
from wharfd.model.config import ContainerConfig, EndpointSettings, HostConfig, MountSpec, NetworkingConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json, JsonObject

DEFAULT_NETWORK = "bridge"


class CreateRequest(ContainerConfig, frozen=True, kw_only=True):
    """The document as sent: the portable part at the top, the rest in two objects."""

    host_config: HostConfig | None = None
    networking_config: NetworkingConfig | None = None


SHAPE = Shape.of(CreateRequest, "container.CreateRequest", GO_TYPES)
CONFIG_KEYS = frozenset(msgspec.structs.fields(ContainerConfig)[n].encode_name for n in range(25))
OPTIONS_OF = {"VolumeOptions": "volume", "BindOptions": "bind", "TmpfsOptions": "tmpfs"}


def decode_create(doc: Json, behaviour: Behaviour, *, name: str = "", platform: str = "") -> Asked:
    """What is asked for.  `name` and `platform` come from the query.

    Raises:
        InvalidParameter: a value of the wrong type, or a setting that this version does not take.
    """
    if not has_config(doc):
        raise InvalidParameter("config cannot be empty in order to create a container")
    cleaned = upgrade("container.create", behaviour.version, SHAPE.clean(doc))
    request = SHAPE.convert(cleaned)
    config = msgspec.convert(cleaned, ContainerConfig)
    host = with_network_mode(request.host_config or HostConfig(), behaviour)
    endpoints = with_default_endpoint(request.networking_config, host.network_mode)
    refuse_foreign_options(host.mounts or [], behaviour)
    if behaviour.single_endpoint and len(endpoints) > 1:
        raise InvalidParameter(
            f"Container cannot be created with multiple network endpoints: {', '.join(sorted(endpoints))}"
        )
    migrated = migrate(config, host, endpoints, behaviour)
    return Asked(
        name=name,
        platform=platform if behaviour.create_takes_platform else "",
        config=migrated.config,
        host_config=migrated.host_config,
        endpoints=migrated.endpoints,
        warnings=migrated.warnings,
        read_only_non_recursive=behaviour.read_only_non_recursive,
        cgroupns_default_host=behaviour.cgroupns_default_host,
    )


def encode_created(container_id: str, warnings: list[str]) -> JsonObject:
    """Docker: Warnings is [] and never null."""
    return {"Id": container_id, "Warnings": warnings}


def has_config(doc: Json) -> bool:
    """Docker: a body of which no key belongs to the config counts as empty."""
    if doc is None:
        return False
    if not isinstance(doc, dict):
        return True  # its type is complained of later
    folded = {key.lower() for key in CONFIG_KEYS}
    return any(key.lower() in folded for key in doc)


def with_network_mode(host: HostConfig, behaviour: Behaviour) -> HostConfig:
    """Docker: "default" is kept as such for old clients, who find it again in inspect; else it is the bridge."""
    if host.network_mode not in {"", "default"}:
        return host
    mode = "default" if behaviour.keeps_default_network_mode else DEFAULT_NETWORK
    return msgspec.structs.replace(host, network_mode=mode)


def with_default_endpoint(asked: NetworkingConfig | None, mode: str) -> dict[str, EndpointSettings | None]:
    endpoints = dict((asked.endpoints_config if asked else None) or {})
    if mode in {"default", DEFAULT_NETWORK} and "default" in endpoints:
        endpoints[DEFAULT_NETWORK] = endpoints.pop("default")
    return endpoints


def refuse_foreign_options(mounts: list[MountSpec], behaviour: Behaviour) -> None:
    if behaviour.drops_mismatched_mount_options:
        return
    for mount in mounts:
        given: Mapping[str, object] = {
            "VolumeOptions": mount.volume_options,
            "BindOptions": mount.bind_options,
            "TmpfsOptions": mount.tmpfs_options,
        }
        for options, kind in OPTIONS_OF.items():
            if given[options] is not None and mount.type != kind:
                raise InvalidParameter(f'{options} must not be specified on mount type "{mount.type}"')
