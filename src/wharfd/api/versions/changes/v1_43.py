"""API 1.43: what it changed."""

from wharfd.api.versions.changes import request, response
from wharfd.model.json import JsonObject


@request("container.create", below="1.43")
def drop_annotations(doc: JsonObject) -> None:
    """1.43 added HostConfig.Annotations."""
    if "HostConfig" in doc:
        doc["HostConfig"].pop("Annotations", None)


@response("image.list", below="1.43")
def name_the_nameless(doc: JsonObject) -> None:
    """1.43 shows images without a name with empty lists."""
    doc["RepoTags"] = doc["RepoTags"] or ["<none>:<none>"]
    doc["RepoDigests"] = doc["RepoDigests"] or ["<none>@<none>"]
