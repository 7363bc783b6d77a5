"""testcontainers (Python): containers that tests start, use and leave to the reaper."""

from conformance.checks import eventually, holds, same
from conformance.testcontainers import Tests, scenario


@scenario("containers", "start, a port, a log line, exec, stop")
def _(tests: Tests) -> None:
    got = tests(
        """
        container = DockerContainer(image).with_name(name("c")).with_exposed_ports(80)
        container = container.with_command(["sh", "-c", "mkdir /www; echo hi > /www/f; echo ready; exec httpd -f -p 80 -h /www"])
        with container as c:
            wait_for_logs(c, "ready", timeout=20)
            import urllib.request
            url = f"http://{c.get_container_host_ip()}:{c.get_exposed_port(80)}/f"
            for _ in range(50):
                try:
                    give(urllib.request.urlopen(url, timeout=3).read().decode())
                    break
                except OSError:
                    time.sleep(0.1)
            give(tuple(c.exec(["sh", "-c", "echo out; exit 3"]))[0])
            give(c.exec("cat /www/f").output.decode())
            give([each.decode() for each in c.get_logs()])
        """
    )
    same(got, ["hi\n", 3, "hi\n", ["ready\n", ""]])


@scenario("containers", "environment, volumes, a fixed port, name, kwargs")
def _(tests: Tests) -> None:
    (tests.target.directory / "d").mkdir()
    (tests.target.directory / "d/f").write_text("from outside\n")
    got = tests(
        """
        c = DockerContainer(image).with_env("A", "1").with_bind_ports(80, 18280).with_name(name("c"))
        c = c.with_volume_mapping(os.getcwd() + "/d", "/d", "ro").with_command("sleep 1000").with_kwargs(labels={"k": "v"})
        with c:
            give(c.exec(["sh", "-c", "echo $A; cat /d/f; touch /d/g 2>/dev/null || echo read-only"]).output.decode())
            give(int(c.get_exposed_port(80)))
            give(c.get_wrapped_container().labels["k"])
        """
    )
    same(got, ["1\nfrom outside\nread-only\n", 18280, "v"])


@scenario("containers", "labels of the session are on what is started")
def _(tests: Tests) -> None:
    got = tests(
        """
        with DockerContainer(image).with_command("sleep 1000") as c:
            labels = c.get_wrapped_container().labels
            give(labels["org.testcontainers"])
            give(labels["org.testcontainers.lang"])
            give(len(labels["org.testcontainers.session-id"]))
        """
    )
    same(got, ["true", "python", 36])


@scenario("containers", "a wait that is in vain ends in TimeoutError")
def _(tests: Tests) -> None:
    got = tests(
        """
        with DockerContainer(image).with_command("sleep 1000") as c:
            try:
                wait_for_logs(c, "never", timeout=1)
            except TimeoutError:
                give("timeout")
        """
    )
    same(got, ["timeout"])


@scenario("containers", "wait strategies: health, port, http")
def _(tests: Tests) -> None:
    got = tests(
        """
        from testcontainers.core.wait_strategies import HealthcheckWaitStrategy, HttpWaitStrategy, PortWaitStrategy
        command = ["sh", "-c", "sleep 0.5; mkdir /www; echo hi > /www/f; exec httpd -f -p 80 -h /www"]
        check = {"test": ["CMD", "test", "-e", "/www/f"], "interval": 300_000_000}
        for strategy in (HealthcheckWaitStrategy(), PortWaitStrategy(80), HttpWaitStrategy(80, "/f").for_status_code(200)):
            c = DockerContainer(image).with_command(command).with_exposed_ports(80).with_kwargs(healthcheck=check)
            with c.waiting_for(strategy):
                give(type(strategy).__name__)
        """
    )
    same(got, ["HealthcheckWaitStrategy", "PortWaitStrategy", "HttpWaitStrategy"])


@scenario("containers", "copy into a container and out of it")
def _(tests: Tests) -> None:
    got = tests(
        """
        with DockerContainer(image).with_command("sleep 1000") as c:
            c.copy_into_container(b"copied", "/tmp/f")
            give(c.exec("cat /tmp/f").output.decode())
            from pathlib import Path
            c.copy_from_container("/tmp/f", Path("back").absolute())
            give(Path("back").read_text())
        """
    )
    same(got, ["copied", "copied"])


@scenario("networks", "two containers on a network find each other by alias")
def _(tests: Tests) -> None:
    got = tests(
        """
        with Network() as n:
            server = DockerContainer(image).with_network(n).with_network_aliases("db").with_command("sleep 1000")
            client = DockerContainer(image).with_network(n).with_command("sleep 1000")
            with server, client:
                give(client.exec(["ping", "-c", "1", "-W", "2", "db"]).exit_code)
        """
    )
    same(got, [0])


@scenario("networks", "a network is gone after it")
def _(tests: Tests) -> None:
    got = tests(
        """
        import docker
        with Network() as n:
            identifier = n.id
            give(docker.from_env().networks.get(identifier).name == n.name)
        give(identifier in [each.id for each in docker.from_env().networks.list()])
        """
    )
    same(got, [True, False])


@scenario("services", "Redis: ping over the mapped port")
def _(tests: Tests) -> None:
    got = tests(
        """
        with DockerContainer(redis).with_exposed_ports(6379) as c:
            wait_for_logs(c, "Ready to accept connections", timeout=30)
            with socket.create_connection((c.get_container_host_ip(), int(c.get_exposed_port(6379))), timeout=5) as s:
                s.sendall(b"SET k v\\r\\nGET k\\r\\n")
                data = b""
                while data.count(b"\\r\\n") < 3:
                    data += s.recv(100)
                give(data.decode())
        """
    )
    same(got, ["+OK\r\n$1\r\nv\r\n"])


@scenario("services", "PostgreSQL by its own class")
def _(tests: Tests) -> None:
    got = tests(
        """
        from testcontainers.postgres import PostgresContainer
        with PostgresContainer(postgres, username="me", password="secret", dbname="shop", driver=None) as c:
            give(c.exec(["psql", "-qtA", "-U", "me", "-d", "shop", "-c", "SELECT 40 + 2"]).output.decode())
            give(c.get_connection_url().startswith("postgresql://me:secret@"))
        """
    )
    same(got, ["42\n", True])


@scenario("services", "an image is built for a test and removed after it")
def _(tests: Tests) -> None:
    (tests.target.directory / "Dockerfile").write_text(
        f"FROM {tests.target.image}\nRUN echo built > /made\nCMD sleep 1000\n"
    )
    got = tests(
        """
        with DockerImage(path=os.getcwd(), tag=name("built") + ":1") as built:
            with DockerContainer(str(built)) as c:
                give(c.exec("cat /made").output.decode())
        import docker
        give(any(name("built") in tag for each in docker.from_env().images.list() for tag in each.tags))
        """
    )
    same(got, ["built\n", False])


@scenario("services", "docker compose through testcontainers")
def _(tests: Tests) -> None:
    (tests.target.directory / "compose.yaml").write_text(
        f"name: {tests.target.prefix}tc\nservices:\n  web:\n    image: {tests.target.image}\n    init: true\n"
        "    command: sleep 1000\n    ports: ['127.0.0.1::80']\n"
    )
    got = tests(
        """
        from testcontainers.compose import DockerCompose
        with DockerCompose(os.getcwd(), compose_file_name="compose.yaml") as compose:
            give(int(compose.get_service_port("web", 80)) > 0)
            out, err, code = compose.exec_in_container(["echo", "hi"], service_name="web")
            give([out, code])
        """
    )
    same(got, [True, ["hi\n", 0]])


LEAVE = """
c = DockerContainer(image).with_name(name("left")).with_command("sleep 1000").start()
import docker
client = docker.from_env()
labels = c.get_wrapped_container().labels
session = {"org.testcontainers.session-id": labels["org.testcontainers.session-id"]}
client.volumes.create(name("left-v"), labels=session)
client.networks.create(name("left-n"), labels=session)
give([each.name for each in client.containers.list(filters={"name": "testcontainers-ryuk-"})])
%s
"""


@scenario("reaper", "the engine's socket works inside a container, and what a run leaves is reaped")
def _(tests: Tests) -> None:
    (reapers,) = tests(LEAVE % "import sys; print('GIVEN' + json.dumps(given), flush=True); os._exit(0)", reaper=True)
    same(len(reapers), 1, "number of reapers")

    def reaped() -> None:
        for path in ("/containers/json", "/volumes", "/networks"):
            found = str(tests.target.request("GET", path, all="1")[1])
            holds(f"{tests.target.prefix}left" not in found, f"{path} still has what the run left")
        left = tests.target.request("GET", "/containers/json", all="1")[1]
        holds(not any(reapers[0] in str(each["Names"]) for each in left), "the reaper itself is still there")

    eventually(reaped, 30)


@scenario("reaper", "while the run lives nothing is reaped")
def _(tests: Tests) -> None:
    got = tests(LEAVE % "time.sleep(5); give(client.containers.get(name('left')).status); c.stop()", reaper=True)
    same(got[1], "running")
