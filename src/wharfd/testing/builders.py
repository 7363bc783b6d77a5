"""Records to test with: valid and complete, with the field that matters given by the test.

    a_container(name="web", state=State.RUNNING, labels={"tier": "front"})

Ids come from a counter, so that a run repeats itself; each call gives another one.  A name that is no field raises TypeError.
"""

import hashlib
import itertools

import msgspec

from wharfd.model.config import ContainerConfig, EndpointSettings, HostConfig, LogConfig, RestartPolicy
from wharfd.model.container import ContainerRecord, Rootfs, State
from wharfd.model.event import Event
from wharfd.model.ids import ChainId, ContainerId, Digest, ImageId, NetworkId, VolumeName
from wharfd.model.image import ImagePlatform, ImageRecord
from wharfd.model.network import IPAMPool, NetworkRecord
from wharfd.model.volume import VolumeRecord
from wharfd.ports.logs import LogQuery
from wharfd.ports.runtime import Launch
from wharfd.testing.clock import START_NS

numbers = itertools.count(1)


def an_id() -> str:
    """64 hex digits, another one at each call."""
    return hashlib.sha256(f"id {next(numbers)}".encode()).hexdigest()


def a_digest(of: bytes | None = None) -> Digest:
    """The digest of these bytes; without them, of nothing that exists."""
    return Digest("sha256:" + (an_id() if of is None else hashlib.sha256(of).hexdigest()))


def a_config(**over: object) -> ContainerConfig:
    base = ContainerConfig(
        image="busybox", cmd=["true"], env=["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], labels={}, hostname="box"
    )
    return msgspec.structs.replace(base, **over)


def a_host_config(**over: object) -> HostConfig:
    base = HostConfig(
        log_config=LogConfig(type="json-file", config={}),
        network_mode="bridge",
        restart_policy=RestartPolicy(name="no"),
        ipc_mode="private",
        cgroupns_mode="private",
        runtime="crun",
        shm_size=64 << 20,
    )
    return msgspec.structs.replace(base, **over)


def a_container(
    *,
    config: ContainerConfig | None = None,
    host_config: HostConfig | None = None,
    labels: dict[str, str] | None = None,
    cmd: list[str] | None = None,
    tty: bool | None = None,
    **over: object,
) -> ContainerRecord:
    """A created container on the bridge.  `labels`, `cmd` and `tty` are those of its config."""
    number = next(numbers)
    of_config: dict[str, object] = {"labels": labels, "cmd": cmd, "tty": tty}
    merged = msgspec.structs.replace(
        config or a_config(), **{name: value for name, value in of_config.items() if value is not None}
    )
    base = ContainerRecord(
        id=ContainerId(an_id()),
        name=f"box{number}",
        created_ns=START_NS,
        image_ref=merged.image,
        image_id=ImageId(a_digest(merged.image.encode())),
        architecture="amd64",
        config=merged,
        host_config=host_config or a_host_config(),
        networks={"bridge": EndpointSettings()},
        driver="overlay2",
        state=State.CREATED,
    )
    record = msgspec.structs.replace(base, **over)
    if record.rootfs is None and "rootfs" not in over:
        record = msgspec.structs.replace(record, rootfs=a_rootfs(record.id))
    if not record.log_path and "log_path" not in over:
        record = msgspec.structs.replace(record, log_path=f"/fake/containers/{record.id}/{record.id}-json.log")
    return record


def a_rootfs(container_id: str, layers: list[str] | None = None) -> Rootfs:
    """What `FakeRootfs.prepare` answers for that container."""
    chain = layers if layers is not None else [str(a_digest(b"base layer"))]
    root = f"/fake/rootfs/{container_id}"
    return Rootfs(
        layers=chain,
        lower=[f"/fake/layers/{layer.removeprefix('sha256:')}" for layer in reversed(chain)],
        upper=f"{root}/upper",
        work=f"{root}/work",
        merged=f"{root}/merged",
    )


def a_platform(**over: object) -> ImagePlatform:
    layer = a_digest(b"base layer")
    base = ImagePlatform(
        manifest=a_digest(),
        media_type="application/vnd.oci.image.manifest.v1+json",
        manifest_size=500,
        config_digest=a_digest(),
        os="linux",
        architecture="amd64",
        diff_ids=[layer],
        chain_ids=[layer],
        layer_sizes=[4096],
        content_size=2048,
    )
    return msgspec.structs.replace(base, **over)


def an_image(**over: object) -> ImageRecord:
    """An image of one platform, tagged `docker.io/library/busybox:latest` unless `tags` says otherwise."""
    platform = a_platform()
    identifier = over.get("id", platform.manifest)
    base = ImageRecord(
        id=ImageId(platform.manifest),
        media_type=platform.media_type,
        size=platform.manifest_size,
        platforms=[platform],
        created_ns=START_NS,
        stored_ns=START_NS,
        tagged_ns=START_NS,
        tags=["docker.io/library/busybox:latest"],
        digests=[f"docker.io/library/busybox@{identifier}"],
    )
    return msgspec.structs.replace(base, **over)


def a_network(**over: object) -> NetworkRecord:
    number = next(numbers)
    base = NetworkRecord(
        id=NetworkId(an_id()),
        name=f"net{number}",
        created_ns=START_NS,
        driver="bridge",
        pools=[IPAMPool(subnet="172.30.0.0/16", gateway="172.30.0.1")],
    )
    return msgspec.structs.replace(base, **over)


def a_volume(**over: object) -> VolumeRecord:
    name = over.get("name", f"vol{next(numbers)}")
    base = VolumeRecord(
        name=VolumeName(str(name)),
        driver="local",
        mountpoint=f"/fake/volumes/{name}/_data",
        created_ns=START_NS,
    )
    return msgspec.structs.replace(base, **over)


def an_event(**over: object) -> Event:
    base = Event(
        type="container",
        action="start",
        actor_id=an_id(),
        attributes={"image": "busybox", "name": "box"},
        at_ns=START_NS,
    )
    return msgspec.structs.replace(base, **over)


def a_launch(container_id: str | None = None, **over: object) -> Launch:
    identifier = ContainerId(container_id or an_id())
    base = Launch(
        container_id=identifier,
        spec={"root": {"path": f"/fake/rootfs/{identifier}/merged"}, "process": {"args": ["true"]}},
        bundle=f"/fake/bundles/{identifier}",
        runtime="crun",
        cgroup=f"/wharfd/{identifier}",
        log_path="",
    )
    return msgspec.structs.replace(base, **over)


def a_log_query(**over: object) -> LogQuery:
    """Everything of both streams, unframed."""
    return msgspec.structs.replace(LogQuery(stdout=True, stderr=True, framed=False), **over)


def a_chain(*diff_ids: Digest) -> list[ChainId]:
    """The chain ids of a stack of layers, the lowest first (OCI image spec, "Layer ChainID")."""
    chain: list[ChainId] = []
    for diff_id in diff_ids:
        chain.append(ChainId(a_digest(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id))
    return chain
