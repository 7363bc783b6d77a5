"""docker-py: images, networks, volumes, events, the system."""

import io
import time

from docker.errors import ImageNotFound, NotFound
from docker.types import IPAMConfig, IPAMPool

from conformance.checks import has, holds, same
from conformance.docker_py import Py, refused, scenario
from tests.images import archive, image


@scenario("system", "ping, version, info", smoke=True)
def _(py: Py) -> None:
    same(py.docker.ping(), True)
    holds("ApiVersion" in py.docker.version(), "no ApiVersion")
    has(py.docker.info(), {"OSType": "linux", "Swarm": {"LocalNodeState": "inactive"}})


@scenario("system", "df", since="1.25")
def _(py: Py) -> None:
    usage = py.docker.df()
    holds({"LayersSize", "Images", "Containers", "Volumes"} <= usage.keys(), f"keys: {sorted(usage)}")
    tags = [tag for each in usage["Images"] for tag in each["RepoTags"] or ()]
    holds(py.image in tags, f"{py.image} is not in {tags}")


@scenario("system", "events: past and as they come", smoke=True)
def _(py: Py) -> None:
    since = int(time.time())
    stream = py.docker.events(decode=True, since=since, filters={"type": "container", "container": py.name("seen")})
    container = py.docker.containers.create(py.image, ["true"], name=py.name("seen"))
    container.start()
    container.wait()
    found = []
    for event in stream:
        found.append(event["Action"])
        if event["Action"] == "die":
            break
    stream.close()
    same(found, ["create", "start", "die"])
    past = list(
        py.docker.events(
            decode=True,
            since=since,
            until=int(time.time()) + 1,
            filters={"container": py.name("seen"), "event": "create"},
        )
    )
    same(
        [(event["Type"], event["Action"], event["Actor"]["ID"]) for event in past],
        [("container", "create", container.id)],
    )
    older = {"status": "create", "id": container.id, "from": py.image}
    has(past[0], {"scope": "local", **(older if py.minor() < 52 else {})})


@scenario("system", "no swarm, no plugins")
def _(py: Py) -> None:
    for ask in (py.docker.swarm.reload, py.docker.nodes.list, py.docker.services.list):
        refused(503, "This node is not a swarm manager", ask)
    if py.minor() >= 25:
        same(py.docker.plugins.list(), [])


@scenario("images", "load, tag, list, history, save, remove")
def _(py: Py) -> None:
    (loaded,) = py.docker.images.load(archive(image(f"{py.name('one')}:1")))
    same(loaded.tags, [f"{py.name('one')}:1"])
    same(loaded.tag(py.name("two"), tag="x"), True)
    same([each.id for each in py.docker.images.list(name=py.name("one"))], [loaded.id])
    same([row["CreatedBy"] for row in loaded.history()], ['CMD ["sh"]', "ADD rootfs.tar /"])
    saved = b"".join(py.docker.images.get(f"{py.name('one')}:1").save(named=True))
    py.docker.images.remove(f"{py.name('one')}:1")
    py.docker.images.remove(f"{py.name('two')}:x")
    refused(404, "No such image: ", lambda: py.docker.images.get(f"{py.name('one')}:1"), ImageNotFound)
    (again,) = py.docker.images.load(io.BytesIO(saved))
    same(again.tags, [f"{py.name('one')}:1"])


@scenario("images", "list by filters: dangling, label, reference")
def _(py: Py) -> None:
    py.docker.images.load(archive(image(f"{py.name('one')}:1", labels={py.name("l"): "1"})))
    same([each.tags for each in py.docker.images.list(filters={"label": py.name("l")})], [[f"{py.name('one')}:1"]])
    same([each.tags for each in py.docker.images.list(filters={"reference": py.name("o*")})], [[f"{py.name('one')}:1"]])
    same(py.docker.images.list(filters={"label": py.name("l"), "dangling": True}), [])


@scenario("images", "an image that a container uses: 409")
def _(py: Py) -> None:
    (loaded,) = py.docker.images.load(archive(image(f"{py.name('one')}:1")))
    py.docker.containers.create(loaded.id, ["true"], name=py.name("c"))
    refused(409, "image is being used by stopped container", lambda: py.docker.images.remove(loaded.id))


@scenario("images", "import and what inspect says of it")
def _(py: Py) -> None:
    container = py.docker.containers.create(py.image, ["true"], name=py.name("c"))
    tar = b"".join(container.export())
    py.api.import_image_from_data(tar, repository=py.name("flat"), tag="1")
    attrs = py.docker.images.get(f"{py.name('flat')}:1").attrs
    has(attrs, {"Os": "linux", "RepoTags": [f"{py.name('flat')}:1"], "RootFS": {"Type": "layers"}})


@scenario("images", "prune", since="1.25")
def _(py: Py) -> None:
    same(py.docker.images.prune(filters={"label": py.name("nothing")}), {"ImagesDeleted": None, "SpaceReclaimed": 0})


@scenario("volumes", "create, list, get, inspect, remove", smoke=True)
def _(py: Py) -> None:
    volume = py.docker.volumes.create(py.name("v"), labels={py.name("a"): "1"})
    same([each.name for each in py.docker.volumes.list(filters={"label": py.name("a")})], [volume.name])
    has(py.docker.volumes.get(volume.name).attrs, {"Driver": "local", "Scope": "local", "Options": None})
    volume.remove()
    refused(404, "no such volume", lambda: py.docker.volumes.get(volume.name), NotFound)


@scenario("volumes", "in use: 409")
def _(py: Py) -> None:
    py.sleeper(volumes={py.name("v"): {"bind": "/d"}})
    refused(409, "volume is in use - [", py.docker.volumes.get(py.name("v")).remove)


@scenario("volumes", "anonymous: 64 hex digits; prune tells them", since="1.25")
def _(py: Py) -> None:
    volume = py.docker.volumes.create(labels={py.name("p"): ""})
    same(len(volume.name), 64)
    answer = py.docker.volumes.prune(filters={"label": py.name("p")})
    same(answer, {"VolumesDeleted": [volume.name], "SpaceReclaimed": 0})


@scenario("networks", "create, list, get, inspect, remove", smoke=True)
def _(py: Py) -> None:
    pool = IPAMPool(subnet="10.231.9.0/24", gateway="10.231.9.254", aux_addresses={"router": "10.231.9.1"})
    network = py.docker.networks.create(
        py.name("n"), driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels={"a": "1"}
    )
    same([each.id for each in py.docker.networks.list(names=[py.name("n")])], [network.id])
    has(
        py.docker.networks.get(network.id).attrs,
        {
            "Driver": "bridge",
            "Labels": {"a": "1"},
            "IPAM": {"Config": [{"Subnet": "10.231.9.0/24", "Gateway": "10.231.9.254"}]},
            "Containers": {},
        },
    )
    network.remove()
    refused(404, "not found", lambda: py.docker.networks.get(network.id), NotFound)


@scenario("networks", "connect with an alias and an address, disconnect")
def _(py: Py) -> None:
    pool = IPAMPool(subnet="10.231.10.0/24")
    network = py.docker.networks.create(py.name("n"), ipam=IPAMConfig(pool_configs=[pool]))
    container = py.sleeper()
    network.connect(container, aliases=["db"], ipv4_address="10.231.10.77")
    container.reload()
    endpoint = container.attrs["NetworkSettings"]["Networks"][py.name("n")]
    same(endpoint["IPAddress"], "10.231.10.77")
    holds("db" in endpoint["Aliases"], f"Aliases {endpoint['Aliases']}")
    network.reload()
    same([each.id for each in network.containers], [container.id])
    refused(403, "has active endpoints", network.remove)
    network.disconnect(container)
    network.reload()
    same(network.containers, [])


@scenario("networks", "names of the default ones, and that they stay")
def _(py: Py) -> None:
    for name in ("bridge", "host", "none"):
        (network,) = py.docker.networks.list(names=[f"^{name}$"])
        same(network.name, name)
    refused(
        403,
        "bridge is a pre-defined network and cannot be removed",
        py.docker.networks.list(names=["^bridge$"])[0].remove,
    )


@scenario("networks", "networking_config at run", since="1.25")
def _(py: Py) -> None:
    network = py.docker.networks.create(py.name("n"))
    endpoint = {py.name("n"): py.api.create_endpoint_config(aliases=["web"])}
    container = py.sleeper(network=py.name("n"), networking_config=endpoint)
    container.reload()
    holds("web" in container.attrs["NetworkSettings"]["Networks"][py.name("n")]["Aliases"], "no alias")
    same(network.id, container.attrs["NetworkSettings"]["Networks"][py.name("n")]["NetworkID"])


@scenario("networks", "prune", since="1.25")
def _(py: Py) -> None:
    py.docker.networks.create(py.name("n"), labels={py.name("p"): ""})
    same(py.docker.networks.prune(filters={"label": py.name("p")}), {"NetworksDeleted": [py.name("n")]})
    same(py.docker.networks.prune(filters={"label": py.name("p")}), {"NetworksDeleted": None})


@scenario("build", "a Dockerfile from a string, by the classic way")
def _(py: Py) -> None:
    text = f"FROM {py.image}\nRUN echo built > /made\nLABEL k=v\nCMD cat /made\n"
    built, log = py.docker.images.build(fileobj=io.BytesIO(text.encode()), tag=py.name("built"), rm=True)
    same(built.labels["k"], "v")
    same(py.docker.containers.run(py.name("built"), remove=True), b"built\n")
    holds(any("Step 1/4" in line.get("stream", "") for line in log), "no `Step 1/4`")


@scenario("build", "a step that fails: BuildError with its log")
def _(py: Py) -> None:
    from docker.errors import BuildError

    from conformance.checks import Mismatch

    text = f"FROM {py.image}\nRUN exit 7\n"
    try:
        py.docker.images.build(fileobj=io.BytesIO(text.encode()), tag=py.name("built"), rm=True)
    except BuildError as e:
        holds("returned a non-zero code: 7" in e.msg, f"message: {e.msg!r}")
    else:
        raise Mismatch("no BuildError")
