"""Networks between JSON and records, in the newest shape."""

from ipaddress import ip_network

import msgspec

from wharfd.api.codec.containers.gotypes import GO_TYPES
from wharfd.api.codec.shape import Shape
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.networks.create import AskedNetwork
from wharfd.engine.networks.list import NetworkView
from wharfd.model.config import Document, EndpointSettings
from wharfd.model.json import Json, JsonObject
from wharfd.model.network import IPAMPool
from wharfd.wire.timestamps import format_rfc3339_nano


class IPAMConfig(Document, frozen=True, kw_only=True):
    subnet: str = ""
    ip_range: str = msgspec.field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class IPAM(Document, frozen=True, kw_only=True):
    driver: str = ""
    options: dict[str, str] | None = None
    config: list[IPAMConfig] | None = None


class ConfigReference(Document, frozen=True, kw_only=True):
    network: str = ""


class CreateRequest(Document, frozen=True, kw_only=True):
    """The body of `POST /networks/create`.  `CheckDuplicate` is what older clients send; names are unique anyway."""

    name: str = ""
    check_duplicate: bool = False
    driver: str = ""
    scope: str = ""
    enable_ipv4: bool | None = msgspec.field(default=None, name="EnableIPv4")
    enable_ipv6: bool | None = msgspec.field(default=None, name="EnableIPv6")
    ipam: IPAM | None = msgspec.field(default=None, name="IPAM")
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigReference | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class ConnectRequest(Document, frozen=True, kw_only=True):
    container: str = ""
    endpoint_config: EndpointSettings | None = None


class DisconnectRequest(Document, frozen=True, kw_only=True):
    container: str = ""
    force: bool = False


CREATE = Shape.of(CreateRequest, "network.CreateRequest", GO_TYPES, prefix="CreateRequest")
CONNECT = Shape.of(ConnectRequest, "network.ConnectRequest", GO_TYPES, prefix="ConnectRequest")
DISCONNECT = Shape.of(DisconnectRequest, "network.DisconnectRequest", GO_TYPES, prefix="DisconnectRequest")


def decode_create(doc: Json, behaviour: Behaviour) -> AskedNetwork:
    """Raises InvalidParameter."""
    asked = CREATE.convert(CREATE.clean(doc))
    ipam = asked.ipam or IPAM()
    takes_ipv4 = behaviour.network_takes_enable_ipv4 and asked.enable_ipv4 is not None
    return AskedNetwork(
        name=asked.name,
        driver=asked.driver,
        scope=asked.scope,
        enable_ipv4=bool(asked.enable_ipv4) if takes_ipv4 else True,
        enable_ipv6=bool(asked.enable_ipv6),
        ipam_driver=ipam.driver,
        ipam_options=ipam.options,
        pools=[
            IPAMPool(
                subnet=each.subnet,
                ip_range=each.ip_range,
                gateway=each.gateway,
                aux_addresses=each.auxiliary_addresses or {},
            )
            for each in ipam.config or ()
        ],
        internal=asked.internal,
        attachable=asked.attachable,
        ingress=asked.ingress,
        config_only=asked.config_only,
        config_from=asked.config_from.network if asked.config_from else "",
        options=asked.options or {},
        labels=asked.labels or {},
    )


def decode_connect(doc: Json, behaviour: Behaviour) -> tuple[str, EndpointSettings | None]:
    """The container and what it asks for.  Raises InvalidParameter."""
    asked = CONNECT.convert(CONNECT.clean(doc))
    endpoint = asked.endpoint_config
    if endpoint is not None and not behaviour.connect_takes_mac:
        endpoint = msgspec.structs.replace(endpoint, mac_address="")
    return asked.container, endpoint


def decode_disconnect(doc: Json) -> tuple[str, bool]:
    asked = DISCONNECT.convert(DISCONNECT.clean(doc))
    return asked.container, asked.force


def encode_summary(view: NetworkView) -> JsonObject:
    network = view.network
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": format_rfc3339_nano(network.created_ns),
        "Scope": network.scope,
        "Driver": network.driver,
        "EnableIPv4": network.enable_ipv4,
        "EnableIPv6": network.enable_ipv6,
        "IPAM": {
            "Driver": network.ipam_driver,
            "Options": network.ipam_options,
            "Config": [encode_pool(pool) for pool in network.pools] or None,
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": network.ingress,
        "ConfigFrom": {"Network": network.config_from},
        "ConfigOnly": network.config_only,
        "Options": network.options,
        "Labels": network.labels,
    }


def encode_inspect(view: NetworkView) -> JsonObject:
    return {
        **encode_summary(view),
        "Containers": encode_containers(view),
        "Status": {"IPAM": {"Subnets": encode_subnets(view)}},
    }


def encode_containers(view: NetworkView) -> JsonObject:
    return {
        a.container_id: {
            "Name": a.name,
            "EndpointID": a.endpoint_id,
            "MacAddress": a.mac,
            "IPv4Address": a.ipv4,
            "IPv6Address": a.ipv6,
        }
        for a in view.attachments
    }


def encode_pool(pool: IPAMPool) -> JsonObject:
    doc: JsonObject = {"Subnet": pool.subnet}
    if pool.ip_range:
        doc["IPRange"] = pool.ip_range
    # Docker: a gateway that nobody has asked for is told of with a subnet that nobody has asked for, only; a client that keeps networks
    # as they are described would take it for a change.
    if pool.gateway and (pool.is_chosen or not pool.is_gateway_chosen):
        doc["Gateway"] = pool.gateway
    if pool.aux_addresses:
        doc["AuxiliaryAddresses"] = pool.aux_addresses
    return doc


def encode_subnets(view: NetworkView) -> JsonObject:
    """Addresses in use: network, broadcast and gateway, and one for each endpoint."""
    subnets = {}
    for pool in view.network.pools:
        size = ip_network(pool.subnet).num_addresses
        in_use = min(size, 2 + (1 if pool.gateway else 0) + len(pool.aux_addresses) + len(view.attachments))
        subnets[pool.subnet] = {"IPsInUse": in_use, "DynamicIPsAvailable": size - in_use}
    return subnets
