"""`/version` and `/info` in the newest shape."""

import msgspec

from wharfd.engine.system import SystemFacts
from wharfd.model.json import JsonObject
from wharfd.ports.runtime import RuntimeInfo
from wharfd.wire.masking import masked
from wharfd.wire.registryhosts import HUB, parse_insecure, parse_mirrors
from wharfd.wire.timestamps import format_rfc3339_nano


def component(name: str, version: str, details: dict[str, str]) -> JsonObject:
    return {"Name": name, "Version": version, "Details": details}


def encode_version(facts: SystemFacts, max_version: str, min_version: str) -> JsonObject:
    """Components are named by their roles: engine, OCI runtimes, monitor, init."""
    host, build = facts.host, facts.build
    components = [
        component(
            "Engine",
            build.version,
            {
                "ApiVersion": max_version,
                "Arch": host.go_arch,
                "BuildTime": build.built,
                "Experimental": "true" if facts.settings.experimental else "false",
                "GitCommit": build.commit,
                "KernelVersion": host.kernel_version,
                "MinAPIVersion": min_version,
                "Os": host.os_type,
                "PythonVersion": build.python,
            },
        ),
        *(component(r.name, r.version, {"GitCommit": r.commit, "Path": r.path}) for r in facts.runtimes),
    ]
    if facts.monitor_version:
        components.append(component("conmon", facts.monitor_version, {"GitCommit": ""}))
    if facts.init_version:
        components.append(component("docker-init", facts.init_version, {"GitCommit": ""}))
    return {
        "Platform": {"Name": "wharfd"},
        "Components": components,
        "Version": build.version,
        "ApiVersion": max_version,
        "MinAPIVersion": min_version,
        "GitCommit": build.commit,
        "GoVersion": "",  # Docker: clients print it; this engine is not written in Go
        "Os": host.os_type,
        "Arch": host.go_arch,
        "KernelVersion": host.kernel_version,
        **({"Experimental": True} if facts.settings.experimental else {}),
        "BuildTime": build.built,
    }


def encode_info(facts: SystemFacts) -> JsonObject:
    host, settings = facts.host, facts.settings
    default = next((r for r in facts.runtimes if r.name == settings.default_runtime), None)
    return {
        "ID": facts.engine_id,
        "Containers": facts.running + facts.paused + facts.stopped,
        "ContainersRunning": facts.running,
        "ContainersPaused": facts.paused,
        "ContainersStopped": facts.stopped,
        "Images": facts.images,
        "Driver": facts.storage.driver,
        "DriverStatus": [list(row) for row in facts.storage.status],
        "Plugins": {
            "Volume": facts.volume_drivers,
            "Network": facts.network_drivers,
            "Authorization": None,
            "Log": facts.log_drivers,
        },
        "MemoryLimit": host.memory_limit,
        "SwapLimit": host.swap_limit,
        "KernelMemoryTCP": host.kernel_memory_tcp,
        "CpuCfsPeriod": host.cpu_cfs_period,
        "CpuCfsQuota": host.cpu_cfs_quota,
        "CPUShares": host.cpu_shares,
        "CPUSet": host.cpuset,
        "PidsLimit": host.pids_limit,
        "IPv4Forwarding": host.ipv4_forwarding,
        "Debug": settings.log_level == "debug",
        "NFd": facts.open_files,
        "OomKillDisable": host.oom_kill_disable,
        "NGoroutines": facts.tasks,
        "SystemTime": format_rfc3339_nano(facts.now_ns),
        "LoggingDriver": settings.log_driver,
        "CgroupDriver": host.cgroup_driver,
        "CgroupVersion": str(host.cgroup_version),
        "NEventsListener": facts.event_listeners,
        "KernelVersion": host.kernel_version,
        "OperatingSystem": host.operating_system,
        "OSVersion": host.os_version,
        "OSType": host.os_type,
        "Architecture": host.architecture,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": registry_config(facts),
        "NCPU": host.ncpu,
        "MemTotal": host.memory_bytes,
        "GenericResources": None,
        "DockerRootDir": settings.data_root,
        "HttpProxy": masked(settings.http_proxy),
        "HttpsProxy": masked(settings.https_proxy),
        "NoProxy": settings.no_proxy,
        "Name": host.hostname,
        "Labels": settings.labels,
        "ExperimentalBuild": settings.experimental,
        "ServerVersion": facts.build.version,
        "Runtimes": {r.name: encode_runtime(r) for r in facts.runtimes},
        "DefaultRuntime": settings.default_runtime,
        "Swarm": {
            "NodeID": "",
            "NodeAddr": "",
            "LocalNodeState": "inactive",
            "ControlAvailable": False,
            "Error": "",
            "RemoteManagers": None,
        },
        "LiveRestoreEnabled": True,
        "Isolation": "",
        "InitBinary": "docker-init" if facts.init_version else "",
        "ContainerdCommit": {"ID": ""},  # there is no containerd
        "RuncCommit": {"ID": default.commit or default.version if default else ""},
        "InitCommit": {"ID": facts.init_version},
        "SecurityOptions": security_options(facts),
        "FirewallBackend": {"Driver": "nftables"},
        "CDISpecDirs": settings.cdi_spec_dirs,
        **(
            {"DiscoveredDevices": [{"Source": "cdi", "ID": name} for name in facts.cdi_devices]}
            if facts.cdi_devices
            else {}
        ),
        "Warnings": facts.warnings or None,
    }


def encode_runtime(runtime: RuntimeInfo) -> JsonObject:
    """Docker: the features are JSON inside a string, since clients decode `status` as a map of strings."""
    doc: JsonObject = {"path": runtime.path}
    if runtime.features:
        features = msgspec.json.encode(runtime.features).decode()
        doc["status"] = {"org.opencontainers.runtime-spec.features": features}
    return doc


def registry_config(facts: SystemFacts) -> JsonObject:
    insecure = parse_insecure(facts.settings.insecure_registries)
    mirrors = parse_mirrors(facts.settings.registry_mirrors)
    hub = {"Name": HUB, "Mirrors": mirrors, "Secure": True, "Official": True}
    others = {name: {"Name": name, "Mirrors": [], "Secure": False, "Official": False} for name in insecure.hosts}
    return {
        "InsecureRegistryCIDRs": [str(network) for network in insecure.networks],
        "IndexConfigs": {**others, HUB: hub},
        "Mirrors": mirrors or None,
    }


def security_options(facts: SystemFacts) -> list[str]:
    host = facts.host
    options = []
    if host.apparmor:
        options.append("name=apparmor")
    if host.seccomp:
        options.append(f"name=seccomp,profile={host.seccomp_profile}")
    if host.selinux:
        options.append("name=selinux")
    if host.cgroup_version == 2:
        options.append("name=cgroupns")
    if facts.settings.no_new_privileges:
        options.append("name=no-new-privileges")
    return options
