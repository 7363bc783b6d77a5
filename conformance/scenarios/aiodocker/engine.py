"""aiodocker: what its users do."""

import asyncio
import contextlib
import io
import tarfile
from typing import Any

from aiodocker.exceptions import DockerError

from conformance.aio import Aio, scenario
from conformance.checks import Mismatch, has, holds, same
from tests.images import archive, image


async def refused(status: int, text: str, attempt: Any) -> None:
    try:
        got = await attempt
    except DockerError as e:
        if e.status != status or text not in e.message:
            raise Mismatch(f"wanted {status} with {text!r}, got {e.status} {e.message!r}") from e
        return
    raise Mismatch(f"wanted {status} with {text!r}, got {got!r}")


@scenario("system", "version and info")
async def _(aio: Aio) -> None:
    has(await aio.docker.system.info(), {"OSType": "linux"})
    holds("ApiVersion" in await aio.docker.version(), "no ApiVersion")


@scenario("system", "events: subscribed, one life")
async def _(aio: Aio) -> None:
    subscriber = aio.docker.events.subscribe()
    await asyncio.sleep(0.5)
    container = await aio.run("true", name="seen")
    await container.wait()
    found: list[str] = []
    while "die" not in found:
        event = await asyncio.wait_for(subscriber.get(), 15)
        assert event is not None
        if event["Type"] == "container" and event["Actor"]["Attributes"]["name"] == aio.name("seen"):
            found.append(event["Action"])
    same(found, ["create", "start", "die"])
    await aio.docker.events.stop()


@scenario("containers", "create, start, wait, log, delete")
async def _(aio: Aio) -> None:
    container = await aio.run("sh", "-c", "echo out; echo err >&2; exit 3")
    same((await container.wait())["StatusCode"], 3)
    same(await container.log(stdout=True), ["out\n"])
    same(await container.log(stderr=True), ["err\n"])
    same(sorted(await container.log(stdout=True, stderr=True)), ["err\n", "out\n"])
    await container.delete()
    await refused(404, "No such container: ", aio.docker.containers.get(container.id))


@scenario("containers", "run: create and start at once")
async def _(aio: Aio) -> None:
    container = await aio.docker.containers.run({"Image": aio.image, "Cmd": ["echo", "hi"]}, name=aio.name("c"))
    await container.wait()
    same(await container.log(stdout=True), ["hi\n"])


@scenario("containers", "log as it comes")
async def _(aio: Aio) -> None:
    container = await aio.run("sh", "-c", "for n in 1 2 3; do echo $n; sleep 0.2; done")
    same([line async for line in container.log(stdout=True, follow=True)], ["1\n", "2\n", "3\n"])


@scenario("containers", "list and filters")
async def _(aio: Aio) -> None:
    container = await aio.run("sleep", "1000", Labels={aio.name("l"): "1"})
    await aio.create("true", name="d", Labels={aio.name("l"): "1"})
    label = {"label": [aio.name("l")]}
    same([each.id for each in await aio.docker.containers.list(filters=label)], [container.id])
    same(len(await aio.docker.containers.list(all=True, filters=label)), 2)


@scenario("containers", "show: inspect")
async def _(aio: Aio) -> None:
    container = await aio.run("sleep", "1000", Hostname="box")
    has(
        await container.show(), {"State": {"Running": True}, "Config": {"Hostname": "box"}, "Name": f"/{aio.name('c')}"}
    )


@scenario("containers", "attach over a WebSocket: standard input there and back")
async def _(aio: Aio) -> None:
    container = await aio.create("cat", AttachStdin=True, OpenStdin=True, StdinOnce=True)
    await container.start()
    socket = await container.websocket(stdin=True, stdout=True, stream=True)
    await socket.send_bytes(b"hello\n")
    received = b""
    while b"hello\n" not in received:
        message = await asyncio.wait_for(socket.receive(), 15)
        received += message.data if isinstance(message.data, bytes) else message.data.encode()
    await socket.close()
    same(received, b"hello\n")


@scenario("containers", "attach: a stream of messages")
async def _(aio: Aio) -> None:
    container = await aio.create("sh", "-c", "echo out; echo err >&2")
    stream = container.attach(stdout=True, stderr=True)
    async with stream:
        await container.start()
        found = []
        while (message := await asyncio.wait_for(stream.read_out(), 15)) is not None:
            found.append((message.stream, message.data))
    same(sorted(found), [(1, b"out\n"), (2, b"err\n")])


@scenario("containers", "attach: standard input of a container")
async def _(aio: Aio) -> None:
    container = await aio.create("cat", AttachStdin=True, AttachStdout=True, OpenStdin=True, StdinOnce=True)
    async with container.attach(stdin=True, stdout=True, stderr=True) as stream:
        await container.start()
        await stream.write_in(b"hello\n")
        message = await asyncio.wait_for(stream.read_out(), 15)
        assert message is not None
        same(message.data, b"hello\n")


@scenario("containers", "exec: output, code, input")
async def _(aio: Aio) -> None:
    container = await aio.run("sleep", "1000")
    made = await container.exec(["sh", "-c", "echo out; exit 4"])
    async with made.start(detach=False) as stream:
        message = await asyncio.wait_for(stream.read_out(), 15)
        assert message is not None
        same(message.data, b"out\n")
        same(await asyncio.wait_for(stream.read_out(), 15), None)
    has(await made.inspect(), {"Running": False, "ExitCode": 4})


@scenario("containers", "exec: on a terminal, resized")
async def _(aio: Aio) -> None:
    container = await aio.run("sleep", "1000")
    made = await container.exec(["sh"], stdin=True, tty=True)
    async with made.start(detach=False) as stream:
        await stream.write_in(b"echo ready\n")
        await read_until(stream, b"ready\r\n")
        await made.resize(h=33, w=111)
        await stream.write_in(b"stty size\n")
        await read_until(stream, b"33 111")


async def read_until(stream: Any, text: bytes) -> None:
    found = b""
    while text not in found:
        message = await asyncio.wait_for(stream.read_out(), 15)
        if message is None:
            raise Mismatch(f"{text!r} does not come: {found!r}")
        found += message.data


@scenario("containers", "exec: detached")
async def _(aio: Aio) -> None:
    container = await aio.run("sleep", "1000")
    made = await container.exec(["touch", "/made"])
    await made.start(detach=True)
    for _ in range(50):
        if not (await made.inspect())["Running"]:
            break
        await asyncio.sleep(0.1)
    has(await made.inspect(), {"Running": False, "ExitCode": 0})


@scenario("containers", "files in and out")
async def _(aio: Aio) -> None:
    container = await aio.create("true")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("f")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    await container.put_archive("/tmp", out.getvalue())
    with await container.get_archive("/tmp/f") as tar:
        member = tar.extractfile("f")
        assert member is not None
        same(member.read(), b"hello")


@scenario("containers", "pause, unpause, restart, rename, stop, kill")
async def _(aio: Aio) -> None:
    container = await aio.run("sleep", "1000", StopSignal="SIGKILL")
    await container.pause()
    has((await container.show())["State"], {"Status": "paused"})
    await container.unpause()
    await container.rename(aio.name("other"))
    await container.restart(timeout=0)
    await container.stop()
    await container.start()
    await container.kill()
    same((await container.wait())["StatusCode"], 137)
    await refused(409, "is not running", container.kill())


@scenario("containers", "stats: one and a stream")
async def _(aio: Aio) -> None:
    container = await aio.run("sleep", "1000")
    (one,) = await container.stats(stream=False)
    holds("cpu_stats" in one and "memory_stats" in one, f"keys: {sorted(one)}")
    found = []
    async for each in container.stats(stream=True):
        found.append(each)
        if len(found) == 2:
            break
    same(found[1]["preread"], found[0]["read"])


@scenario("containers", "commit")
async def _(aio: Aio) -> None:
    container = await aio.run("touch", "/made")
    await container.wait()
    made = await container.commit(repository=aio.name("made"), tag="1", message="note")
    has(await aio.docker.images.inspect(f"{aio.name('made')}:1"), {"Comment": "note", "Id": made["Id"]})


@scenario("containers", "a name that is taken: 409; an image that is not there: 404")
async def _(aio: Aio) -> None:
    await aio.create("true")
    await refused(409, "is already in use by container", aio.create("true"))
    await refused(
        404, "No such image: ", aio.docker.containers.create({"Image": aio.name("nothing")}, name=aio.name("x"))
    )


@scenario("containers", "port")
async def _(aio: Aio) -> None:
    container = await aio.run(
        "sleep", "1000", ExposedPorts={"80/tcp": {}}, HostConfig={"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1"}]}}
    )
    (port,) = await container.port(80)
    same(port["HostIp"], "127.0.0.1")
    holds(int(port["HostPort"]) > 0, "no port")


@scenario("containers", "20 at once")
async def _(aio: Aio) -> None:
    async def one(number: int) -> int:
        container = await aio.run("sh", "-c", f"exit {number}", name=f"c{number}")
        code: int = (await container.wait())["StatusCode"]
        await container.delete()
        return code

    same(await asyncio.gather(*(one(number) for number in range(20))), list(range(20)))


@scenario("images", "import (load), list, tag, history, export, delete")
async def _(aio: Aio) -> None:
    name = f"{aio.name('one')}:1"
    loaded = await aio.docker.images.import_image(archive(image(name)))
    holds(any(f"Loaded image: {name}" in line.get("stream", "") for line in loaded), f"answer: {loaded}")
    await aio.docker.images.tag(name, aio.name("two"), tag="x")
    holds(any(name in (each["RepoTags"] or ()) for each in await aio.docker.images.list()), "it is not in the list")
    same([row["CreatedBy"] for row in await aio.docker.images.history(name)], ['CMD ["sh"]', "ADD rootfs.tar /"])
    async with aio.docker.images.export_image(name) as content:
        data = b"".join([chunk async for chunk in content.iter_chunked(1 << 16)])
    holds(len(data) > 1024, "the archive is empty")
    answer = await aio.docker.images.delete(name)
    has(answer[0], {"Untagged": name})
    await aio.docker.images.delete(f"{aio.name('two')}:x")
    await refused(404, "No such image: ", aio.docker.images.inspect(name))


@scenario("volumes", "create, show, list, delete")
async def _(aio: Aio) -> None:
    volume = await aio.docker.volumes.create({"Name": aio.name("v"), "Labels": {"k": "v"}, "Driver": "local"})
    has(await volume.show(), {"Name": aio.name("v"), "Labels": {"k": "v"}})
    names = [each["Name"] for each in (await aio.docker.volumes.list())["Volumes"]]
    holds(aio.name("v") in names, f"names: {names}")
    await volume.delete()
    await refused(404, "no such volume", volume.show())


@scenario("networks", "create, connect, show, disconnect, delete")
async def _(aio: Aio) -> None:
    network = await aio.docker.networks.create({"Name": aio.name("n"), "Driver": "bridge"})
    container = await aio.run("sleep", "1000")
    await network.connect({"Container": container.id, "EndpointConfig": {"Aliases": ["db"]}})
    has((await network.show())["Containers"], {container.id: {"Name": aio.name("c")}})
    await refused(403, "has active endpoints", network.delete())
    await network.disconnect({"Container": container.id})
    same(await network.delete(), True)


@scenario("containers", "a client that goes away in the middle of a log harms nobody")
async def _(aio: Aio) -> None:
    container = await aio.run("sh", "-c", "while :; do echo line; sleep 0.05; done")
    for _ in range(5):
        async for _line in container.log(stdout=True, follow=True):
            break
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(container.wait(), 0.3)
    has((await container.show())["State"], {"Running": True})
