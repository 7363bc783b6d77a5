"""API 1.25: what it changed."""

from wharfd.api.versions.changes import request, response
from wharfd.model.json import JsonObject


@request("container.create", below="1.25")
def leave_removal_to_the_client(doc: JsonObject) -> None:
    """1.25 moved the removal of an AutoRemove container from the client to the daemon."""
    if "HostConfig" in doc:
        doc["HostConfig"].pop("AutoRemove", None)


@response("system.info", below="1.25")
def show_names_of_security_options(doc: JsonObject) -> None:
    """1.25 made each a list of key and value: "seccomp" became "name=seccomp,profile=builtin"."""
    names = (option.split(",")[0].removeprefix("name=") for option in doc["SecurityOptions"])
    doc["SecurityOptions"] = list(names)
