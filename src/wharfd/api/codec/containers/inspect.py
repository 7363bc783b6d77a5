"""`GET /containers/{id}/json` in the newest shape, apart from what `Behaviour.inspect_has_graph_driver` puts in.

Which keys are left out when they are empty is Go's `omitempty` in dockerd's structs; all others are always there, null or not.
"""

import msgspec

from wharfd.api.codec.containers.shared import encode_manifest, encode_mount_point, encode_networks, encode_ports
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.changes import downgrade
from wharfd.engine.containers.inspect import ContainerView
from wharfd.model.config import ContainerConfig, HostConfig
from wharfd.model.container import ContainerRecord, Health, State
from wharfd.model.json import JsonObject
from wharfd.wire.timestamps import format_rfc3339_nano

OMITTED_FROM_HOST = ("Annotations", "StorageOpt", "Tmpfs", "Sysctls", "Runtime", "Mounts")
OMITTED_FROM_CONFIG = (
    "ExposedPorts",
    "ArgsEscaped",
    "Healthcheck",
    "MacAddress",
    "NetworkDisabled",
    "StopSignal",
    "StopTimeout",
    "Shell",
)
# Fields of a mount that stay when they are empty; of the options, all others go.
KEPT_OPTIONS = ("BindOptions", "VolumeOptions", "ImageOptions", "TmpfsOptions")


def encode_inspect(view: ContainerView, behaviour: Behaviour) -> JsonObject:
    record = view.record
    # Docker: files of a container that was never started are not told of.
    place = f"{view.directory}/" if record.started_ns else ""
    tells_sandbox = record.is_running or behaviour.tells_last_sandbox
    doc: JsonObject = {
        "Id": record.id,
        "Created": format_rfc3339_nano(record.created_ns),
        "Path": record.path,
        "Args": record.args,
        "State": encode_state(view),
        "Image": record.image_id,
        "ResolvConfPath": place and f"{place}resolv.conf",
        "HostnamePath": place and f"{place}hostname",
        "HostsPath": place and f"{place}hosts",
        "LogPath": place and record.log_path,
        "Name": f"/{record.name}",
        "RestartCount": record.restart_count,
        "Driver": record.driver,
        "Platform": record.platform,
        "MountLabel": record.mount_label,
        "ProcessLabel": record.process_label,
        "AppArmorProfile": record.apparmor_profile,
        "ExecIDs": list(view.exec_ids) or None,
        "HostConfig": encode_host_config(record.host_config),
        "Mounts": [encode_mount_point(mount) for mount in record.mounts],
        "Config": encode_config(record.config),
        "NetworkSettings": {
            "SandboxID": record.sandbox_id if tells_sandbox else "",
            "SandboxKey": record.sandbox_key if tells_sandbox else "",
            "Ports": encode_ports(view.ports),
            "Networks": encode_networks(record.networks),
        },
    }
    if view.manifest is not None:
        doc["ImageManifestDescriptor"] = encode_manifest(view.manifest)
    if view.size is not None:
        doc |= {"SizeRw": view.size.rw, "SizeRootFs": view.size.root}
    if behaviour.inspect_has_graph_driver:
        doc["GraphDriver"] = encode_graph_driver(record)
        if view.mac:
            doc["Config"]["MacAddress"] = view.mac
    else:
        doc["Storage"] = {"RootFS": {"Snapshot": {"Name": record.driver}}}
    lowered: JsonObject = downgrade("container.inspect", behaviour.version, doc)
    return lowered


def encode_state(view: ContainerView) -> JsonObject:
    record = view.record
    doc: JsonObject = {
        "Status": view.status,
        "Running": record.is_running or view.is_restarting,
        "Paused": record.state is State.PAUSED,
        "Restarting": view.is_restarting,
        "OOMKilled": record.oom_killed,
        "Dead": record.state is State.DEAD,
        "Pid": record.pid,
        "ExitCode": record.exit_code,
        "Error": record.error,
        "StartedAt": format_rfc3339_nano(record.started_ns),
        "FinishedAt": format_rfc3339_nano(record.finished_ns),
    }
    if record.health is not None:
        doc["Health"] = encode_health(record.health)
    return doc


def encode_health(health: Health) -> JsonObject:
    return {
        "Status": health.status,
        "FailingStreak": health.failing_streak,
        "Log": [
            {
                "Start": format_rfc3339_nano(result.start_ns),
                "End": format_rfc3339_nano(result.end_ns),
                "ExitCode": result.exit_code,
                "Output": result.output,
            }
            for result in health.log
        ],
    }


def encode_host_config(asked: HostConfig) -> JsonObject:
    doc: JsonObject = msgspec.to_builtins(asked)
    for key in OMITTED_FROM_HOST:
        if not doc[key]:
            del doc[key]
    if doc["Init"] is None:
        del doc["Init"]
    if "Mounts" in doc:
        doc["Mounts"] = [without_empty(mount) for mount in doc["Mounts"]]
    return doc


def without_empty(mount: JsonObject) -> JsonObject:
    """An entry of `Mounts` as it was asked for."""
    out: JsonObject = {}
    for key, value in mount.items():
        if key in KEPT_OPTIONS and value is not None:
            out[key] = {name: option for name, option in value.items() if option}
            if isinstance(out[key].get("DriverConfig"), dict):
                out[key]["DriverConfig"] = {name: each for name, each in out[key]["DriverConfig"].items() if each}
        elif value:
            out[key] = value
    return out


def encode_config(config: ContainerConfig) -> JsonObject:
    doc: JsonObject = msgspec.to_builtins(config)
    for key in OMITTED_FROM_CONFIG:
        # StopTimeout 0 was asked for, null was not.
        if doc[key] is None or (not doc[key] and key != "StopTimeout"):
            del doc[key]
    if "Healthcheck" in doc:
        doc["Healthcheck"] = {key: value for key, value in doc["Healthcheck"].items() if value}
    return doc


def encode_graph_driver(record: ContainerRecord) -> JsonObject:
    """The directories of the root file system, the uppermost layer first."""
    rootfs = record.rootfs
    data = None
    if rootfs is not None:
        data = {
            "LowerDir": ":".join(rootfs.lower),
            "MergedDir": rootfs.merged,
            "UpperDir": rootfs.upper,
            "WorkDir": rootfs.work,
        }
    return {"Data": data, "Name": record.driver}
