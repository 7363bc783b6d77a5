"""docker-py: containers, execs, files, logs."""

import io
import tarfile
import threading
import time

from docker.errors import ContainerError, ImageNotFound, NotFound
from docker.types import LogConfig, Mount, Ulimit

from conformance.checks import Mismatch, eventually, has, holds, same
from conformance.docker_py import Py, refused, scenario


@scenario("containers", "run gives the output", smoke=True)
def _(py: Py) -> None:
    same(py.docker.containers.run(py.image, ["echo", "hi"], remove=True), b"hi\n")
    same(py.docker.containers.run(py.image, "sh -c 'echo err >&2'", stderr=True, remove=True), b"err\n")
    same(b"".join(py.docker.containers.run(py.image, ["seq", "3"], remove=True, stream=True)), b"1\n2\n3\n")


@scenario("containers", "run of a command that fails: ContainerError", smoke=True)
def _(py: Py) -> None:
    try:
        py.docker.containers.run(py.image, ["sh", "-c", "echo bad >&2; exit 4"], remove=True)
    except ContainerError as e:
        same((e.exit_status, e.stderr), (4, b"bad\n"))
    else:
        raise Mismatch("no ContainerError")


@scenario("containers", "run of an image that is not there: ImageNotFound", smoke=True)
def _(py: Py) -> None:
    refused(404, "No such image: ", lambda: py.api.create_container(py.name("nothing"), ["true"]), ImageNotFound)


@scenario("containers", "run of a program that is not there: 400", smoke=True)
def _(py: Py) -> None:
    refused(400, "no such file or directory", lambda: py.docker.containers.run(py.image, ["/no/such"], remove=True))


@scenario("containers", "create, start, wait, reload, remove", smoke=True)
def _(py: Py) -> None:
    container = py.docker.containers.create(py.image, ["sh", "-c", "exit 3"], name=py.name("c"))
    same(container.status, "created")
    container.start()
    same(container.wait(), {"StatusCode": 3})
    container.reload()
    same((container.status, container.attrs["State"]["ExitCode"]), ("exited", 3))
    container.remove()
    refused(404, "No such container: ", lambda: py.docker.containers.get(container.id), NotFound)


@scenario("containers", "list, get, filters", smoke=True)
def _(py: Py) -> None:
    one = py.sleeper("one", labels={"tier": "front"})
    two = py.docker.containers.create(py.image, ["true"], name=py.name("two"), labels={"tier": "front"})
    mine = {"name": py.target.prefix}
    same([each.name for each in py.docker.containers.list(filters=mine)], [one.name])
    same(
        [each.name for each in py.docker.containers.list(all=True, filters={"label": "tier=front"})],
        [two.name, one.name],
    )
    same(py.docker.containers.get(one.name).id, one.id)
    same(py.docker.containers.get(one.short_id).id, one.id)
    same(one.image.tags, [py.image])


@scenario("containers", "pause, unpause, rename, restart, stop, kill", smoke=True)
def _(py: Py) -> None:
    container = py.sleeper(stop_signal="SIGKILL")
    container.pause()
    container.reload()
    same(container.status, "paused")
    container.unpause()
    container.rename(py.name("other"))
    same(py.docker.containers.get(py.name("other")).id, container.id)
    container.restart(timeout=0)
    container.stop(timeout=5)
    container.start()
    container.kill()
    same(container.wait(timeout=20)["StatusCode"], 137)
    refused(409, "is not running", container.kill)


@scenario("containers", "wait for the next exit and for removal", since="1.30")
def _(py: Py) -> None:
    container = py.docker.containers.create(
        py.image, ["sh", "-c", "sleep 0.3; exit 2"], name=py.name("c"), auto_remove=True
    )
    got: list[object] = []
    waiters = [
        threading.Thread(
            target=lambda condition=condition: got.append(container.wait(condition=condition)["StatusCode"])
        )
        for condition in ("next-exit", "removed")
    ]
    for waiter in waiters:
        waiter.start()
    time.sleep(0.3)
    container.start()
    for waiter in waiters:
        waiter.join(20)
    same(got, [2, 2])


@scenario("containers", "logs: streams, tail, timestamps, follow", smoke=True)
def _(py: Py) -> None:
    container = py.docker.containers.run(
        py.image, ["sh", "-c", "echo out; echo err >&2; sleep 0.5; echo last"], name=py.name("c"), detach=True
    )
    same(sorted(b"".join(container.logs(stream=True, follow=True)).splitlines()), [b"err", b"last", b"out"])
    same(container.logs(stdout=True, stderr=False), b"out\nlast\n")
    same(container.logs(stdout=False, stderr=True), b"err\n")
    same(container.logs(tail=1), b"last\n")
    holds(container.logs(timestamps=True, tail=1).endswith(b"Z last\n"), "no timestamp")
    same(container.logs(since=int(time.time()) + 100), b"")


@scenario("containers", "attach as a stream before the start")
def _(py: Py) -> None:
    container = py.docker.containers.create(py.image, ["sh", "-c", "echo 1; sleep 0.5; echo 2"], name=py.name("c"))
    stream = container.attach(stream=True, stdout=True, stderr=True)
    container.start()
    same(b"".join(stream), b"1\n2\n", "the stream")


@scenario("containers", "attach_socket: standard input there and back")
def _(py: Py) -> None:
    container = py.docker.containers.create(py.image, ["cat"], name=py.name("c"), stdin_open=True)
    socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    raw = socket._sock
    raw.settimeout(10)
    raw.sendall(b"hello\n")
    received = b""
    while len(received) < 8 + 6:
        received += raw.recv(100)
    same(received, b"\x01\x00\x00\x00\x00\x00\x00\x06hello\n")
    socket.close()


@scenario("containers", "exec_run: code, output, demux, stream, workdir, user, environment", smoke=True)
def _(py: Py) -> None:
    container = py.sleeper()
    same(tuple(container.exec_run(["sh", "-c", "echo out; exit 4"])), (4, b"out\n"))
    same(container.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True).output, (b"out\n", b"err\n"))
    same(b"".join(container.exec_run(["seq", "3"], stream=True).output), b"1\n2\n3\n")
    options = {"workdir": "/tmp", "user": "nobody", "environment": {"A": "1"}}
    same(container.exec_run(["sh", "-c", "pwd; id -u; echo $A"], **options).output, b"/tmp\n65534\n1\n")
    same(container.exec_run(["tty"], tty=True).output, b"/dev/pts/0\r\n")
    same(container.exec_run(["true"], detach=True).output, "")


@scenario("containers", "exec_inspect, exec_resize, an exec with a socket")
def _(py: Py) -> None:
    container = py.sleeper()
    made = py.api.exec_create(container.id, ["cat"], stdin=True)
    socket = py.api.exec_start(made["Id"], socket=True)
    raw = socket._sock
    raw.settimeout(10)
    raw.sendall(b"x\n")
    same(raw.recv(100), b"\x01\x00\x00\x00\x00\x00\x00\x02x\n")
    has(py.api.exec_inspect(made["Id"]), {"Running": True, "ExitCode": None, "ContainerID": container.id})
    socket.close()
    container.exec_run(["killall", "cat"])
    eventually(lambda: has(py.api.exec_inspect(made["Id"]), {"Running": False}))


@scenario("containers", "put_archive and get_archive", smoke=True)
def _(py: Py) -> None:
    container = py.docker.containers.create(py.image, ["true"], name=py.name("c"))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("f")
        info.size, info.mode = 5, 0o640
        tar.addfile(info, io.BytesIO(b"hello"))
    same(container.put_archive("/tmp", out.getvalue()), True)
    chunks, stat = container.get_archive("/tmp/f")
    has(stat, {"name": "f", "size": 5, "mode": 0o640, "linkTarget": ""})
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        member = tar.extractfile("f")
        assert member is not None
        same(member.read(), b"hello")
    refused(404, "Could not find the file /nothing in container", lambda: container.get_archive("/nothing"), NotFound)


@scenario("containers", "diff, export, commit", smoke=True)
def _(py: Py) -> None:
    container = py.docker.containers.run(py.image, ["touch", "/new"], name=py.name("c"), detach=True)
    container.wait()
    same(container.diff(), [{"Path": "/new", "Kind": 1}])
    with tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))) as tar:
        holds("new" in tar.getnames(), "new is not in the export")
    image = container.commit(repository=py.name("made"), tag="1", conf={"Cmd": ["ls", "/new"]})
    same(image.tags, [f"{py.name('made')}:1"])
    same(py.docker.containers.run(f"{py.name('made')}:1", remove=True), b"/new\n")


@scenario("containers", "stats: one and a stream")
def _(py: Py) -> None:
    container = py.sleeper()
    one = container.stats(stream=False)
    same(one["name"], f"/{container.name}")
    holds(one["precpu_stats"].get("system_cpu_usage", 0) > 0, "precpu_stats is empty")
    stream = container.stats(stream=True, decode=True)
    first, second = next(stream), next(stream)
    same(first["preread"], "0001-01-01T00:00:00Z")
    same(second["preread"], first["read"])
    stream.close()
    same(sorted(one["memory_stats"].keys() & {"usage", "limit", "stats"}), ["limit", "stats", "usage"])


@scenario("containers", "top")
def _(py: Py) -> None:
    container = py.sleeper()
    same(container.top(ps_args="-o pid,comm")["Titles"], ["PID", "COMMAND"])
    same([row[1] for row in container.top(ps_args="-o pid,comm")["Processes"]], ["sleep"])


@scenario("containers", "update")
def _(py: Py) -> None:
    container = py.sleeper(mem_limit="32m", memswap_limit="32m")
    answer = container.update(cpu_shares=300, mem_limit="64m", memswap_limit="64m", restart_policy={"Name": "always"})
    same(sorted(answer), ["Warnings"])
    container.reload()
    config = container.attrs["HostConfig"]
    same((config["CpuShares"], config["Memory"], config["RestartPolicy"]["Name"]), (300, 64 << 20, "always"))


@scenario("containers", "options: what the container sees")
def _(py: Py) -> None:
    same(
        py.docker.containers.run(
            py.image,
            ["sh", "-c", "id -u; hostname; echo $A; ulimit -n; grep -c ' /data ' /proc/mounts; grep db /etc/hosts"],
            remove=True,
            environment={"A": "1"},
            hostname="box",
            user="65534",
            ulimits=[Ulimit(name="nofile", soft=100, hard=200)],
            volumes={py.name("v"): {"bind": "/data", "mode": "rw"}},
            extra_hosts={"db": "10.0.0.2"},
            cap_add=["NET_ADMIN"],
            security_opt=["no-new-privileges"],
            log_config=LogConfig(type="json-file", config={"max-size": "1m"}),
            restart_policy={"Name": "no"},
        ),
        b"65534\nbox\n1\n100\n1\n10.0.0.2\tdb\n",
    )


@scenario("containers", "mounts: volume, tmpfs, read-only", since="1.30")
def _(py: Py) -> None:
    mounts = [
        Mount("/v", py.name("v"), labels={"k": "v"}),
        Mount("/t", None, type="tmpfs", tmpfs_size="1m", tmpfs_mode=0o1770),
        Mount("/ro", py.name("v"), read_only=True),
    ]
    script = "touch /v/f && ls /ro && stat -c %a /t && ! touch /ro/g 2>/dev/null && echo refused"
    same(py.docker.containers.run(py.image, ["sh", "-c", script], mounts=mounts, remove=True), b"f\n1770\nrefused\n")
    same(py.docker.volumes.get(py.name("v")).attrs["Labels"], {"k": "v"})


@scenario("containers", "a healthcheck in nanoseconds")
def _(py: Py) -> None:
    container = py.sleeper(healthcheck={"test": ["CMD", "true"], "interval": 300_000_000})

    def healthy() -> None:
        container.reload()
        same(container.health, "healthy")

    eventually(healthy, 20)


@scenario("containers", "ports: published, random, a list of bindings")
def _(py: Py) -> None:
    container = py.sleeper(ports={"80/tcp": ("127.0.0.1", None), "81/udp": None, "82/tcp": [18095, 18096]})
    container.reload()
    ports = container.ports
    same(ports["80/tcp"][0]["HostIp"], "127.0.0.1")
    holds(int(ports["81/udp"][0]["HostPort"]) > 0, "no port")
    same(sorted({each["HostPort"] for each in ports["82/tcp"]}), ["18095", "18096"])


@scenario("containers", "remove: running is 409, force, v")
def _(py: Py) -> None:
    container = py.sleeper(mounts=[Mount("/anonymous", None)])
    refused(409, "container is running: stop the container before removing or force remove", container.remove)
    container.reload()
    volume = container.attrs["Mounts"][0]["Name"]
    container.remove(force=True, v=True)
    refused(404, "no such volume", lambda: py.docker.volumes.get(volume), NotFound)


@scenario("containers", "prune", since="1.25")
def _(py: Py) -> None:
    container = py.docker.containers.create(py.image, ["true"], name=py.name("c"), labels={py.name("p"): ""})
    answer = py.docker.containers.prune(filters={"label": py.name("p")})
    same(answer, {"ContainersDeleted": [container.id], "SpaceReclaimed": 0})
    same(py.docker.containers.prune(filters={"label": py.name("p")}), {"ContainersDeleted": None, "SpaceReclaimed": 0})


@scenario("containers", "resize of a terminal")
def _(py: Py) -> None:
    container = py.docker.containers.run(py.image, ["sh"], name=py.name("c"), tty=True, stdin_open=True, detach=True)
    container.resize(33, 111)
    same(container.exec_run(["sh", "-c", "stty size < /proc/1/fd/0"]).output, b"33 111\n")


@scenario("containers", "two clients with one name: one is 409")
def _(py: Py) -> None:
    py.sleeper("web")
    refused(409, f'The container name "/{py.name("web")}" is already in use', lambda: py.sleeper("web"))
