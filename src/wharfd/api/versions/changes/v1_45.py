"""API 1.45: what it changed."""

from wharfd.api.versions.changes import request, response
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject


@request("container.create", below="1.45")
def refuse_volume_subpath(doc: JsonObject) -> None:
    """1.45 added VolumeOptions.Subpath."""
    for mount in doc.get("HostConfig", {}).get("Mounts", ()):
        if mount.get("VolumeOptions", {}).get("Subpath"):
            raise InvalidParameter("VolumeOptions.Subpath needs API v1.45 or newer")


@response("container.inspect", below="1.45")
def add_names_to_aliases(doc: JsonObject) -> None:
    """1.45 took the short id and the hostname out of Aliases; DNSNames has them since."""
    for name, endpoint in doc["NetworkSettings"]["Networks"].items():
        if name not in {"bridge", "default", "host", "none"}:
            aliases = [*(endpoint["Aliases"] or ()), doc["Id"][:12], doc["Config"]["Hostname"]]
            endpoint["Aliases"] = list(dict.fromkeys(filter(None, aliases)))


@response("image.inspect", below="1.45")
def show_its_container(doc: JsonObject) -> None:
    """1.45 removed Container and ContainerConfig: of the classic builder's container, which images of this engine never had."""
    doc["Container"] = ""
    doc["ContainerConfig"] = {
        "Hostname": "",
        "Domainname": "",
        "User": "",
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Env": None,
        "Cmd": None,
        "Image": "",
        "Volumes": None,
        "WorkingDir": "",
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": None,
    }
