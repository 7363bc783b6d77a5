"""Networks in the newest shape."""

from ipaddress import ip_network

from wharfd.engine.networks.list import NetworkView
from wharfd.model.json import JsonObject
from wharfd.model.network import IPAMPool
from wharfd.wire.timestamps import format_rfc3339_nano


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
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
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
    if pool.gateway:
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
