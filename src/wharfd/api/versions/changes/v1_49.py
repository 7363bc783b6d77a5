"""API 1.49: what it changed."""

from wharfd.api.versions.changes import response
from wharfd.model.json import JsonObject


@response("system.info", below="1.49")
def show_expected_commits(doc: JsonObject) -> None:
    """1.49 removed Expected from the commits and added FirewallBackend."""
    for name in ("ContainerdCommit", "RuncCommit", "InitCommit"):
        doc[name]["Expected"] = doc[name]["ID"]
    doc.pop("FirewallBackend", None)
