"""What `details` puts before each line: the labels and variables of a container that its log options ask for, and its tag.

    labels=a,b   labels-regex=^app   env=MODE   env-regex=^APP_   tag={{.Name}}/{{.ID}}

Docker: dockerd writes them beside each line and a later change of the container does not show; a container's labels and environment do
not change, so they are put together when the log is read.
"""

from collections.abc import Mapping
from urllib.parse import quote_plus

from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import short_id
from wharfd.wire.logtag import Fields, parse
from wharfd.wire.pattern import Pattern
from wharfd.wire.timestamps import format_rfc3339_nano


def details_prefix(record: ContainerRecord) -> bytes:
    """`k=v,k2=v2 `, sorted, query-escaped; only the blank if there are none."""
    pairs = sorted(attributes(record).items())
    return (",".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in pairs) + " ").encode()


def attributes(record: ContainerRecord) -> dict[str, str]:
    found = extra_attributes(record)
    tag = expand_tag((record.host_config.log_config.config or {}).get("tag", ""), record)
    if tag:
        found["tag"] = tag
    return found


def extra_attributes(record: ContainerRecord) -> dict[str, str]:
    """The labels and variables that its options ask for."""
    options = record.host_config.log_config.config or {}
    labels = record.config.labels or {}
    variables = dict(item.split("=", 1) for item in record.config.env or [] if "=" in item)
    found = chosen(labels, options.get("labels", ""), options.get("labels-regex", ""))
    return found | chosen(variables, options.get("env", ""), options.get("env-regex", ""))


def chosen(values: Mapping[str, str], names: str, expression: str) -> dict[str, str]:
    """Those named in the comma list, and those whose name the expression occurs in."""
    wanted = set(names.split(",")) if names else set()
    return {
        name: value
        for name, value in values.items()
        if name in wanted or (expression and Pattern.cached(expression).search(name))
    }


def expand_tag(template: str, record: ContainerRecord) -> str:
    """As it is written, if it cannot be expanded."""
    if "{{" not in template:
        return template
    args = record.command_line
    fields: Fields = {
        "Command": " ".join(args),
        "Config": record.host_config.log_config.config or {},
        "ContainerArgs": args[1:],
        "ContainerCreated": format_rfc3339_nano(record.created_ns),
        "ContainerEntrypoint": args[0] if args else "",
        "ContainerEnv": record.config.env or [],
        "ContainerID": record.id,
        "ContainerImageID": record.image_id,
        "ContainerImageName": record.config.image,
        "ContainerLabels": record.config.labels or {},
        "ContainerName": f"/{record.name}",
        "DaemonName": "docker",
        "ExtraAttributes": extra_attributes(record),
        "FullID": record.id,
        "Hostname": record.config.hostname,
        "ID": short_id(record.id),
        "ImageFullID": record.image_id,
        "ImageID": short_id(record.image_id),
        "ImageName": record.config.image,
        "LogPath": record.log_path,
        "Name": record.name,
    }
    try:
        return parse(template).render(fields)
    except InvalidParameter:
        return template
