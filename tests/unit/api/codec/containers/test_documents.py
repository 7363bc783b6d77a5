"""Documents of containers at the edges of versions.

Whole ones lie in tests/golden/containers (`--update-golden` rewrites them); all are checked against the API's own documents, and against
the session that the engine exists for.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.spec.documents import ApiDocument, nearest
from wharfd.api.codec.containers.inspect import encode_inspect
from wharfd.api.codec.containers.listing import ListEncoder
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.engine.containers.inspect import ContainerView, asked_mac
from wharfd.engine.containers.list import ContainerList, Listed
from wharfd.engine.containers.sizes import Size
from wharfd.engine.containers.status import shown_ports
from wharfd.engine.lifecycle import docker_status
from wharfd.model.config import (
    BindOptions,
    EndpointSettings,
    HealthConfig,
    HostConfig,
    LogConfig,
    MountSpec,
    RestartPolicy,
    TmpfsOptions,
    Ulimit,
    VolumeOptions,
)
from wharfd.model.container import ContainerRecord, Health, HealthResult, MountPoint, State
from wharfd.model.ids import ContainerId, Digest, ImageId
from wharfd.model.image import ImagePlatform
from wharfd.testing.builders import a_config, a_container, a_host_config, a_rootfs

GOLDEN = Path(__file__).parents[4] / "golden/containers"
EDGES = (39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 51, 52, 55)
NOW = 1_700_000_600_000_000_000
ID = ContainerId("339e9914b446b768e0e1da6b313165f9a8187793175f068884e6c1597d6a8ea3")
IMAGE = ImageId("sha256:" + "f7" * 32)
MANIFEST = ImagePlatform(
    manifest=Digest("sha256:" + "ab" * 32),
    media_type="application/vnd.oci.image.manifest.v1+json",
    manifest_size=528,
    config_digest=Digest("sha256:" + "cd" * 32),
    os="linux",
    architecture="arm64",
    variant="v8",
    diff_ids=[],
    chain_ids=[],
    layer_sizes=[],
    content_size=0,
)


def exited() -> ContainerRecord:
    """The container of the session, after it has run."""
    return a_container(
        id=ID,
        name="agitated_swirles",
        image_id=IMAGE,
        image_ref="alpine",
        config=a_config(image="alpine", cmd=["echo", "hello world"], env=["PATH=/bin"], hostname=ID[:12], labels={}),
        host_config=a_host_config(
            masked_paths=["/proc/kcore"], readonly_paths=["/proc/sys"], oom_kill_disable=False, runtime="runc"
        ),
        networks={"bridge": EndpointSettings(network_id="77" * 32)},
        driver="overlayfs",
        rootfs=a_rootfs(ID),
        log_path=f"/var/lib/wharfd/containers/{ID}/log",
        sandbox_id="055a" * 16,
        sandbox_key="/run/wharfd/netns/055a82d24ed8",
        state=State.EXITED,
        created_ns=1_603_543_027_655_320_189,
        started_ns=1_603_543_190_497_526_437,
        finished_ns=1_603_543_190_520_324_354,
    )


def full() -> ContainerRecord:
    """A running one with something in every place."""
    return a_container(
        id=ContainerId("ea5571ac8216" + "0" * 52),
        name="web",
        image_id=IMAGE,
        image_ref="alpine:3",
        manifest=MANIFEST.manifest,
        config=a_config(
            image="alpine:3",
            cmd=["sleep", "100"],
            entrypoint=["/init"],
            hostname="web1",
            domainname="example.org",
            user="1000:1000",
            tty=True,
            open_stdin=True,
            attach_stdout=True,
            env=["A=b"],
            exposed_ports={"80/tcp": {}, "53/udp": {}},
            healthcheck=HealthConfig(test=["CMD", "true"], interval=10**9, start_interval=10**9),
            labels={"tier": "front"},
            stop_signal="SIGINT",
            stop_timeout=0,
            volumes={"/data": {}},
            working_dir="/srv",
            shell=["/bin/sh"],
        ),
        host_config=HostConfig(
            binds=["/tmp:/t:ro"],
            log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
            network_mode="own",
            port_bindings={"80/tcp": None},
            restart_policy=RestartPolicy(name="on-failure", maximum_retry_count=2),
            annotations={"k": "v"},
            cap_add=["NET_ADMIN"],
            cgroupns_mode="private",
            ipc_mode="private",
            runtime="crun",
            shm_size=64 << 20,
            sysctls={"net.ipv4.ip_forward": "1"},
            tmpfs={"/run": ""},
            init=True,
            memory=100 << 20,
            memory_swap=200 << 20,
            oom_kill_disable=False,
            pids_limit=50,
            ulimits=[Ulimit(name="nofile", soft=100, hard=200)],
            mounts=[
                MountSpec(type="tmpfs", target="/t2", tmpfs_options=TmpfsOptions(size_bytes=1 << 20, mode=0o700)),
                MountSpec(type="bind", source="/var", target="/v", read_only=True, bind_options=BindOptions()),
                MountSpec(type="volume", target="/data2", volume_options=VolumeOptions(no_copy=True)),
            ],
        ),
        networks={
            "bridge": EndpointSettings(
                network_id="77" * 32,
                endpoint_id="ee" * 32,
                gateway="172.17.0.1",
                ip_address="172.17.0.2",
                ip_prefix_len=16,
                mac_address="02:42:ac:11:00:02",
            ),
            "own": EndpointSettings(
                network_id="88" * 32,
                endpoint_id="ff" * 32,
                aliases=["db"],
                dns_names=["web", "db", "ea5571ac8216"],
                gw_priority=5,
                ip_address="10.1.0.2",
                ip_prefix_len=24,
                mac_address="02:42:0a:01:00:02",
            ),
        },
        asked_macs={"own": "02:42:0a:01:00:02"},
        driver="overlayfs",
        rootfs=a_rootfs("ea5571ac8216"),
        mounts=[
            MountPoint(type="bind", source="/tmp", destination="/t", mode="ro", rw=False, propagation="rprivate"),
            MountPoint(type="volume", name="v", source="/vol/v/_data", destination="/data", driver="local", mode="z"),
            MountPoint(type="tmpfs", destination="/t2"),
        ],
        state=State.RUNNING,
        pid=4711,
        started_ns=NOW - 300 * 10**9,
        restart_count=1,
        health=Health(
            status="healthy",
            log=[HealthResult(start_ns=NOW - 10**9, end_ns=NOW - 10**9 + 500, exit_code=0, output="fine\n")],
        ),
    )


RECORDS = {"exited": exited, "full": full}


def view(record: ContainerRecord, *, size: Size | None = None) -> ContainerView:
    return ContainerView(
        record=record,
        status=docker_status(record),
        directory=f"/var/lib/wharfd/containers/{record.id}",
        ports=shown_ports(record),
        mac=asked_mac(record),
        manifest=MANIFEST if record.manifest else None,
        size=size,
    )


def inspected(record: ContainerRecord, version: Version, *, size: Size | None = None) -> Any:
    doc = encode_inspect(view(record, size=size), Behaviour.for_version(version))
    return json.loads(msgspec.json.encode(doc))


def listed(record: ContainerRecord, version: Version, *, size: Size | None = None) -> Any:
    entry = Listed(record=record, image=record.image_ref, manifest=MANIFEST if record.manifest else None, size=size)
    (doc,) = json.loads(ListEncoder().encode(ContainerList([entry], NOW), version))
    return doc


def compare(doc: Any, name: str, update: bool) -> None:
    path = GOLDEN / f"{name}.json"
    if update:
        path.write_text(json.dumps(doc, indent=1, sort_keys=True) + "\n")
    assert doc == json.loads(path.read_text())


def golden_names() -> list[tuple[str, str, int]]:
    return [(kind, name, minor) for kind in ("inspect", "list") for name in RECORDS for minor in EDGES]


@pytest.mark.parametrize(("kind", "name", "minor"), golden_names())
def test_whole_documents_at_the_edges(kind: str, name: str, minor: int, update_golden: bool) -> None:
    make = inspected if kind == "inspect" else listed
    compare(make(RECORDS[name](), Version(1, minor)), f"{kind}-{name}-1.{minor}", update_golden)


def test_no_golden_document_is_without_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {f"{k}-{n}-1.{m}" for k, n, m in golden_names()}


@cache
def validator(path: str, version: str) -> jsonschema.Draft202012Validator:
    schema = ApiDocument(version).response_schema("GET", path, 200)
    assert schema is not None
    return jsonschema.Draft202012Validator(schema)


def forgive(doc: Any, minor: int) -> None:
    """Where the documents err, and dockerd never did as they say."""
    if minor < 32:
        del doc["NetworkSettings"]["Ports"]  # an object, never an array
    if minor < 38:
        del doc["ExecIDs"]  # null or an array, never a string
    if minor < 40 and doc["HostConfig"]["RestartPolicy"]["Name"] == "no":
        doc["HostConfig"]["RestartPolicy"]["Name"] = "always"  # the word is missing in the list
    if doc["HostConfig"]["MemorySwappiness"] is None:
        del doc["HostConfig"]["MemorySwappiness"]


@pytest.mark.parametrize("minor", range(MIN.minor, MAX.minor + 1))
@pytest.mark.parametrize("name", RECORDS)
def test_answers_are_as_the_documents_promise(name: str, minor: int) -> None:
    record, version, size = RECORDS[name](), Version(1, minor), Size(5, 10)
    document = nearest(str(version))
    doc = inspected(record, version, size=size)
    forgive(doc, minor)
    validator("/containers/{id}/json", document).validate(doc)
    validator("/containers/json", document).validate([listed(record, version, size=size)])


# what changed, version by version


def test_storage_took_the_place_of_the_graph_driver() -> None:
    before, after = inspected(full(), Version(1, 51)), inspected(full(), Version(1, 52))
    assert set(before["GraphDriver"]["Data"]) == {"LowerDir", "MergedDir", "UpperDir", "WorkDir"}
    assert "Storage" not in before
    assert after["Storage"] == {"RootFS": {"Snapshot": {"Name": "overlayfs"}}}
    assert "GraphDriver" not in after


def test_the_default_bridge_was_repeated_at_the_top() -> None:
    before, after = inspected(full(), Version(1, 51)), inspected(full(), Version(1, 52))
    assert before["NetworkSettings"]["IPAddress"] == "172.17.0.2"
    assert set(after["NetworkSettings"]) == {"Networks", "Ports", "SandboxID", "SandboxKey"}


def test_the_mac_address_that_was_asked_for_was_in_the_config() -> None:
    assert inspected(full(), Version(1, 51))["Config"]["MacAddress"] == "02:42:0a:01:00:02"
    assert "MacAddress" not in inspected(full(), Version(1, 52))["Config"]
    assert "MacAddress" not in inspected(exited(), Version(1, 51))["Config"]


def test_aliases_had_the_containers_own_names() -> None:
    before, after = (inspected(full(), Version(1, m))["NetworkSettings"]["Networks"] for m in (44, 45))
    assert before["own"]["Aliases"] == ["db", "ea5571ac8216", "web1"]
    assert after["own"]["Aliases"] == ["db"]
    assert before["bridge"]["Aliases"] is None


@pytest.mark.parametrize(
    ("key", "before", "since"),
    [("DNSNames", 43, 44), ("GwPriority", 47, 48)],
)
def test_keys_of_endpoints_came(key: str, before: int, since: int) -> None:
    for make in (inspected, listed):
        assert key not in make(full(), Version(1, before))["NetworkSettings"]["Networks"]["own"]
        assert key in make(full(), Version(1, since))["NetworkSettings"]["Networks"]["own"]


def test_the_manifest_came() -> None:
    for make in (inspected, listed):
        assert "ImageManifestDescriptor" not in make(full(), Version(1, 47))
        assert make(full(), Version(1, 48))["ImageManifestDescriptor"] == {
            "mediaType": MANIFEST.media_type,
            "digest": MANIFEST.manifest,
            "size": 528,
            "platform": {"architecture": "arm64", "os": "linux", "variant": "v8"},
        }


def test_the_list_got_annotations_and_health() -> None:
    assert "Annotations" not in listed(full(), Version(1, 45))["HostConfig"]
    assert listed(full(), Version(1, 46))["HostConfig"]["Annotations"] == {"k": "v"}
    assert "Health" not in listed(full(), Version(1, 51))
    assert listed(full(), Version(1, 52))["Health"] == {"Status": "healthy", "FailingStreak": 0}
    assert listed(exited(), Version(1, 52))["Health"] == {"Status": "none", "FailingStreak": 0}


def test_kernel_memory_went() -> None:
    assert inspected(full(), Version(1, 41))["HostConfig"]["KernelMemory"] == 0
    assert "KernelMemory" not in inspected(full(), Version(1, 42))["HostConfig"]


# the session

SESSION: dict[str, Any] = {
    "Id": ID,
    "Created": "2020-10-24T12:37:07.655320189Z",
    "Path": "echo",
    "Args": ["hello world"],
    "State": {
        "Status": "exited",
        "Running": False,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "Pid": 0,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2020-10-24T12:39:50.497526437Z",
        "FinishedAt": "2020-10-24T12:39:50.520324354Z",
    },
    "Name": "/agitated_swirles",
    "RestartCount": 0,
    "Platform": "linux",
    "MountLabel": "",
    "ProcessLabel": "",
    "ExecIDs": None,
    "Mounts": [],
    "Config": {
        "Hostname": "339e9914b446",
        "Domainname": "",
        "User": "",
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Env": ["PATH=/bin"],
        "Cmd": ["echo", "hello world"],
        "Image": "alpine",
        "Volumes": None,
        "WorkingDir": "",
        "Entrypoint": None,
        "OnBuild": None,
        "Labels": {},
    },
}
SESSION_HOST_CONFIG: dict[str, Any] = {
    "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}}, "PortBindings": None,
    "AutoRemove": False, "VolumeDriver": "", "VolumesFrom": None, "CapAdd": None, "CapDrop": None,
    "Capabilities": None, "Dns": None, "DnsOptions": None, "DnsSearch": None, "ExtraHosts": None, "GroupAdd": None,
    "IpcMode": "private", "Cgroup": "", "Links": None, "OomScoreAdj": 0, "PidMode": "", "Privileged": False,
    "PublishAllPorts": False, "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "", "UsernsMode": "",
    "ShmSize": 67108864, "Runtime": "runc", "ConsoleSize": [0, 0], "Isolation": "", "CpuShares": 0, "Memory": 0,
    "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": None, "BlkioDeviceReadBps": None,
    "BlkioDeviceWriteBps": None, "BlkioDeviceReadIOps": None, "BlkioDeviceWriteIOps": None, "CpuPeriod": 0,
    "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "",
    "Devices": None, "DeviceCgroupRules": None, "DeviceRequests": None, "KernelMemory": 0, "KernelMemoryTCP": 0,
    "MemoryReservation": 0, "MemorySwap": 0, "MemorySwappiness": None, "OomKillDisable": False, "PidsLimit": None,
    "Ulimits": None, "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
}  # fmt: skip
SESSION_ENDPOINT: dict[str, Any] = {
    "IPAMConfig": None, "Links": None, "Aliases": None, "NetworkID": "77" * 32, "EndpointID": "", "Gateway": "",
    "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
    "MacAddress": "", "DriverOpts": None,
}  # fmt: skip
SESSION_NETWORK: dict[str, Any] = {
    "Bridge": "", "SandboxID": "055a" * 16, "HairpinMode": False, "LinkLocalIPv6Address": "",
    "LinkLocalIPv6PrefixLen": 0, "Ports": {}, "SandboxKey": "/run/wharfd/netns/055a82d24ed8",
    "SecondaryIPAddresses": None, "SecondaryIPv6Addresses": None, "EndpointID": "", "Gateway": "",
    "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "",
    "MacAddress": "",
}  # fmt: skip


def test_the_session_finds_what_it_found_in_2020() -> None:
    doc = inspected(exited(), Version(1, 40))
    assert {key: doc[key] for key in SESSION} == SESSION
    host = doc["HostConfig"]
    assert {key: host[key] for key in SESSION_HOST_CONFIG} == SESSION_HOST_CONFIG
    assert host["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert isinstance(host["MaskedPaths"], list)
    assert isinstance(host["ReadonlyPaths"], list)
    network = doc["NetworkSettings"]
    assert {key: network[key] for key in SESSION_NETWORK} == SESSION_NETWORK
    assert network["Networks"] == {"bridge": SESSION_ENDPOINT}
    for key in ("ResolvConfPath", "HostnamePath", "HostsPath"):
        assert doc[key].startswith(f"/var/lib/wharfd/containers/{ID}/")
    assert doc["LogPath"].startswith(f"/var/lib/wharfd/containers/{ID}/")
    assert set(doc["GraphDriver"]) == {"Name", "Data"}


def test_go_leaves_empty_fields_out() -> None:
    doc = inspected(exited(), Version(1, 40))
    for key in ("Annotations", "StorageOpt", "Tmpfs", "Sysctls", "Init", "Mounts"):
        assert key not in doc["HostConfig"]
    for key in ("ExposedPorts", "Healthcheck", "StopSignal", "StopTimeout", "Shell", "ArgsEscaped", "NetworkDisabled"):
        assert key not in doc["Config"]
    assert "Health" not in doc["State"]
    assert "SizeRw" not in doc
    assert inspected(full(), Version(1, 40))["Config"]["StopTimeout"] == 0


def test_times_that_never_were() -> None:
    record = msgspec.structs.replace(exited(), state=State.CREATED, started_ns=0, finished_ns=0)
    state = inspected(record, MAX)["State"]
    assert state["StartedAt"] == state["FinishedAt"] == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("state", "running", "paused", "restarting", "dead", "status"),
    [
        (State.CREATED, False, False, False, False, "created"),
        (State.RUNNING, True, False, False, False, "running"),
        (State.PAUSED, True, True, False, False, "paused"),
        (State.RESTARTING, True, False, True, False, "restarting"),
        (State.EXITED, False, False, False, False, "exited"),
        (State.REMOVING, False, False, False, False, "removing"),
        (State.DEAD, False, False, False, True, "dead"),
    ],
)
def test_states_as_words_and_flags(
    state: State, running: bool, paused: bool, restarting: bool, dead: bool, status: str
) -> None:
    doc = inspected(msgspec.structs.replace(exited(), state=state), MAX)["State"]
    assert (doc["Running"], doc["Paused"], doc["Restarting"], doc["Dead"], doc["Status"]) == (
        running,
        paused,
        restarting,
        dead,
        status,
    )


def test_exposed_ports_are_null_and_shown_only_while_it_runs() -> None:
    assert inspected(full(), MAX)["NetworkSettings"]["Ports"] == {"80/tcp": None, "53/udp": None}
    stopped = msgspec.structs.replace(full(), state=State.EXITED)
    assert inspected(stopped, MAX)["NetworkSettings"]["Ports"] == {}
    assert listed(full(), MAX)["Ports"] == [
        {"PrivatePort": 80, "Type": "tcp"},
        {"PrivatePort": 53, "Type": "udp"},
    ]


# the list's memory


def encode(encoder: ListEncoder, *records: ContainerRecord, version: Version = MAX, now_ns: int = NOW) -> Any:
    entries = [Listed(record=record, image=record.image_ref) for record in records]
    return json.loads(encoder.encode(ContainerList(entries, now_ns), version))


def test_an_entry_follows_its_record_its_image_and_the_clock() -> None:
    encoder, record = ListEncoder(), full()
    assert encode(encoder, record)[0]["Status"] == "Up 5 minutes (healthy)"
    assert encode(encoder, record, now_ns=NOW + 60 * 10**9)[0]["Status"] == "Up 6 minutes (healthy)"
    renamed = msgspec.structs.replace(record, name="other")
    assert encode(encoder, renamed)[0]["Names"] == ["/other"]
    shown = Listed(record=renamed, image=renamed.image_id)
    assert json.loads(encoder.encode(ContainerList([shown], NOW), MAX))[0]["Image"] == IMAGE


def test_versions_do_not_share_entries_of_different_shape() -> None:
    encoder, record = ListEncoder(), full()
    assert "Health" in encode(encoder, record)[0]
    assert "Health" not in encode(encoder, record, version=Version(1, 51))[0]
    assert "Health" in encode(encoder, record)[0]


def test_removed_containers_are_forgotten() -> None:
    encoder = ListEncoder()
    for _ in range(500):
        encode(encoder, a_container())
    assert sum(map(len, encoder.by_shape.values())) < 250


def test_an_empty_list_is_a_list() -> None:
    assert ListEncoder().encode(ContainerList([], NOW), MAX) == b"[]\n"


def test_commands_with_blanks_are_quoted() -> None:
    assert listed(exited(), MAX)["Command"] == "echo 'hello world'"
