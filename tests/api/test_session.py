"""The session that the engine exists for: a user with curl and API 1.40.

    curl --unix-socket S http:/v1.40/containers/json
    curl … -d '{"Image": …, "Cmd": ["echo", "hello world"]}' -X POST http:/v1.40/containers/create
    curl … -X POST http:/v1.40//containers/339e9914b446/start
    curl … "http:/v1.40/containers/339e9914b446/json"
    curl … "http:/v1.40/containers/339e9914b446/logs?stdout=1" --output -

Of `http:/v1.40/x` curl makes the host `v1.40` and the path `/x`; of `http:/v1.40//x` the path `//x`.
"""

import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.api.caller import Caller, edges
from tests.api.raw import RawAnswer, ask
from tests.engine import BASE_IMAGE, Engine

pytestmark = pytest.mark.root

NEVER = "0001-01-01T00:00:00Z"


class Fits:
    """Fits what has the type, and the pattern if there is one."""

    def __init__(self, kind: type, pattern: str = "") -> None:
        self.kind = kind
        self.pattern = pattern

    def __eq__(self, other: object) -> bool:
        if type(other) is not self.kind:
            return False
        return not self.pattern or re.fullmatch(self.pattern, str(other)) is not None

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __repr__(self) -> str:
        return f"<{self.kind.__name__} {self.pattern}>"


TEXT = Fits(str)
TIME = Fits(str, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z")
ID = Fits(str, "[0-9a-f]{64}")
DIGEST = Fits(str, "sha256:[0-9a-f]{64}")

# Every key that inspect has at 1.40, with its value, or its type where the value is one container's own.
STATE = {
    "Status": "exited",
    "Running": False,
    "Paused": False,
    "Restarting": False,
    "OOMKilled": False,
    "Dead": False,
    "Pid": 0,
    "ExitCode": 0,
    "Error": "",
    "StartedAt": TIME,
    "FinishedAt": TIME,
}
HOST_CONFIG: dict[str, Any] = {
    "Binds": None,
    "ContainerIDFile": "",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": Fits(str, "default|bridge"),  # what is created without a version is created at the newest
    "PortBindings": None,
    "RestartPolicy": {"Name": Fits(str, "(no)?"), "MaximumRetryCount": 0},
    "AutoRemove": False,
    "VolumeDriver": "",
    "VolumesFrom": None,
    "CapAdd": None,
    "CapDrop": None,
    "Capabilities": None,
    "Dns": None,
    "DnsOptions": None,
    "DnsSearch": None,
    "ExtraHosts": None,
    "GroupAdd": None,
    "IpcMode": "private",
    "Cgroup": "",
    "Links": None,
    "OomScoreAdj": 0,
    "PidMode": "",
    "Privileged": False,
    "PublishAllPorts": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ShmSize": 67108864,
    "Runtime": TEXT,
    "ConsoleSize": [0, 0],
    "Isolation": "",
    "CpuShares": 0,
    "Memory": 0,
    "NanoCpus": 0,
    "CgroupParent": "",
    "BlkioWeight": 0,
    "BlkioWeightDevice": None,
    "BlkioDeviceReadBps": None,
    "BlkioDeviceWriteBps": None,
    "BlkioDeviceReadIOps": None,
    "BlkioDeviceWriteIOps": None,
    "CpuPeriod": 0,
    "CpuQuota": 0,
    "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0,
    "CpusetCpus": "",
    "CpusetMems": "",
    "Devices": None,
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "KernelMemory": 0,
    "KernelMemoryTCP": 0,
    "MemoryReservation": 0,
    "MemorySwap": 0,
    "MemorySwappiness": None,
    "OomKillDisable": False,
    "PidsLimit": None,
    "Ulimits": None,
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
    "MaskedPaths": Fits(list),
    "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
}
MASKED = {
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
}
CONFIG: dict[str, Any] = {
    "Hostname": Fits(str, "[0-9a-f]{12}"),
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    "Cmd": ["echo", "hello world"],
    "Image": BASE_IMAGE,
    "Volumes": None,
    "WorkingDir": TEXT,
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": Fits(dict),
}
ENDPOINT: dict[str, Any] = {
    "IPAMConfig": None,
    "Links": None,
    "Aliases": None,
    "NetworkID": ID,
    "EndpointID": "",
    "Gateway": "",
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "MacAddress": "",
    "DriverOpts": None,
}
NETWORK_SETTINGS: dict[str, Any] = {
    "Bridge": "",
    "SandboxID": TEXT,
    "HairpinMode": False,
    "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0,
    "Ports": {},
    "SandboxKey": TEXT,
    "SecondaryIPAddresses": None,
    "SecondaryIPv6Addresses": None,
    "EndpointID": "",
    "Gateway": "",
    "GlobalIPv6Address": "",
    "GlobalIPv6PrefixLen": 0,
    "IPAddress": "",
    "IPPrefixLen": 0,
    "IPv6Gateway": "",
    "MacAddress": "",
    "Networks": {"bridge": ENDPOINT},
}
SESSION: dict[str, Any] = {
    "Id": ID,
    "Created": TIME,
    "Path": "echo",
    "Args": ["hello world"],
    "State": STATE,
    "Image": DIGEST,
    "ResolvConfPath": Fits(str, ".*/containers/[0-9a-f]{64}/resolv.conf"),
    "HostnamePath": Fits(str, ".*/containers/[0-9a-f]{64}/hostname"),
    "HostsPath": Fits(str, ".*/containers/[0-9a-f]{64}/hosts"),
    "LogPath": Fits(str, "/.*"),
    "Name": Fits(str, "/[a-z]+_[a-z]+[0-9]*"),
    "RestartCount": 0,
    "Driver": Fits(str, "overlay.*"),
    "Platform": "linux",
    "MountLabel": "",
    "ProcessLabel": "",
    "AppArmorProfile": TEXT,
    "ExecIDs": None,
    "HostConfig": HOST_CONFIG,
    "GraphDriver": {
        "Name": Fits(str, "overlay.*"),
        "Data": {"LowerDir": TEXT, "UpperDir": TEXT, "MergedDir": TEXT, "WorkDir": TEXT},
    },
    "Mounts": [],
    "Config": CONFIG,
    "NetworkSettings": NETWORK_SETTINGS,
}


def differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """Keys that are wanted and missing, values that differ; keys beyond those are fine."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        missing = [f"{where}.{key} is missing" for key in wanted if key not in found]
        return missing + [
            line for key in wanted if key in found for line in differences(found[key], wanted[key], f"{where}.{key}")
        ]
    return [] if wanted == found and type(wanted) in {type(found), Fits} else [f"{where} is {found!r}, not {wanted!r}"]


def said(engine: Engine, first: str, body: str = "") -> RawAnswer:
    """As curl says it."""
    lines = [f"{first} HTTP/1.1", "Host: v1.40", "User-Agent: curl/7.88.1", "Accept: */*", "Connection: close"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ask(engine, "\n".join(lines), body.encode())


def test_the_session(engine: Engine) -> None:
    assert said(engine, "GET /containers/json").body == b"[]\n"
    created = said(engine, "POST /containers/create", f'{{"Image": "{BASE_IMAGE}", "Cmd": ["echo", "hello world"]}}')
    assert created.status == 201
    match = re.fullmatch(rb'\{"Id":"([0-9a-f]{64})","Warnings":\[\]\}\n', created.body)
    assert match is not None, created.body
    identifier = match[1].decode()
    started = said(engine, f"POST //containers/{identifier[:12]}/start")
    assert (started.status, started.body) == (204, b"")
    assert "content-length" not in started.headers
    engine.wait(identifier)
    logs = said(engine, f"GET /containers/{identifier[:12]}/logs?stdout=1")
    assert logs.status == 200
    assert b"\x01\0\0\0\0\0\0\x0chello world\n" in logs.body
    doc = Caller(engine, "1.40")("GET", "/containers/{id}/json", id=identifier[:12]).json
    assert doc["Id"] == identifier
    assert doc["Config"]["Hostname"] == identifier[:12]
    assert doc["NetworkSettings"]["SandboxKey"].endswith(doc["NetworkSettings"]["SandboxID"][:12])
    assert differences(doc, SESSION) == []
    assert set(doc["HostConfig"]["MaskedPaths"]) >= MASKED
    engine.remove_all()


@pytest.mark.parametrize("version", ["", *edges()])
def test_the_session_at_every_version(engine: Engine, version: str) -> None:
    at = Caller(engine, version)
    assert at("GET", "/containers/json").json == []
    identifier = at("POST", "/containers/create", {"Image": BASE_IMAGE, "Cmd": ["echo", "hello world"]}).json["Id"]
    at("POST", "/containers/{id}/start", status=204, id=identifier[:12])
    at("POST", "/containers/{id}/wait", id=identifier[:12])
    assert at("GET", "/containers/{id}/logs", id=identifier[:12], query={"stdout": "1"}).body[8:] == b"hello world\n"
    doc = at("GET", "/containers/{id}/json", id=identifier[:12]).json
    assert differences(doc["State"], STATE) == []
    engine.remove_all()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_itself(engine: Engine) -> None:
    def curl(*words: str) -> str:
        done = subprocess.run(
            ["curl", "-sS", "--unix-socket", engine.socket, *words], capture_output=True, timeout=30, check=True
        )
        return done.stdout.decode("latin-1")

    assert curl("http:/v1.40/containers/json") == "[]\n"
    body = f'{{"Image": "{BASE_IMAGE}", "Cmd": ["echo", "hello world"]}}'
    created = curl("-H", "Content-Type: application/json", "-d", body, "-X", "POST", "http:/v1.40/containers/create")
    identifier = created[7:71]
    assert curl("-X", "POST", f"http:/v1.40//containers/{identifier[:12]}/start") == ""
    engine.wait(identifier)
    assert '"Path":"echo"' in curl(f"http:/v1.40/containers/{identifier[:12]}/json")
    assert curl(f"http:/v1.40/containers/{identifier[:12]}/logs?stdout=1", "--output", "-").endswith("hello world\n")
    engine.remove_all()
