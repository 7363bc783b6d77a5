"""API 1.50: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("system.info", below="1.50")
def show_bridge_netfilter(doc: JsonObject) -> None:
    """1.50 removed the two flags."""
    doc["BridgeNfIptables"] = False
    doc["BridgeNfIp6tables"] = False
