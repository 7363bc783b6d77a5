"""docker-py's attach and exec, which read the raw socket behind the answer's head."""

import socket
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import pytest
from docker.utils import socket as frames

from tests.engine import BASE_IMAGE, Engine
from tests.integration.engine.rig import until


@pytest.fixture(params=["1.24", "1.41", "auto"])
def client(request: pytest.FixtureRequest, engine: Engine) -> Iterator[docker.DockerClient]:
    made = docker.DockerClient(base_url=f"unix://{engine.socket}", version=request.param)
    yield made
    made.close()


@pytest.fixture
def web(client: docker.DockerClient) -> Any:  # what exec_run gives depends on its arguments
    return client.containers.run(BASE_IMAGE, ["sleep", "600"], detach=True)


def frames_of(sock: Any) -> list[tuple[int, bytes]]:
    """To the end, (stream, data)."""
    read: Any = frames.frames_iter
    return list(read(sock, tty=False))


def raw(wrapped: Any) -> socket.socket:
    """The socket in what docker-py gives."""
    sock: socket.socket = getattr(wrapped, "_sock", wrapped)
    return sock


def test_run(client: docker.DockerClient) -> None:
    said: Any = client.containers.run(BASE_IMAGE, ["echo", "hello"], remove=True)
    assert said == b"hello\n"
    with pytest.raises(docker.errors.ContainerError) as caught:
        client.containers.run(BASE_IMAGE, ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    failure: Any = caught.value
    assert (failure.exit_status, failure.stderr) == (3, b"bad\n")


def test_attach(client: docker.DockerClient) -> None:
    container = client.containers.create(BASE_IMAGE, ["sh", "-c", "echo out; echo err >&2"])
    stream = container.attach(stream=True, logs=False, demux=True)
    container.start()
    found = list(stream)
    assert b"".join(out or b"" for out, _ in found) == b"out\n"
    assert b"".join(err or b"" for _, err in found) == b"err\n"
    container.wait()
    assert container.attach(logs=True, stream=False, stdout=True, stderr=False) == b"out\n"


def test_attach_socket(client: docker.DockerClient) -> None:
    container = client.containers.create(BASE_IMAGE, ["cat"], stdin_open=True)
    sock = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    container.start()
    raw(sock).sendall(b"to and fro")
    raw(sock).shutdown(socket.SHUT_WR)
    assert frames_of(sock) == [(1, b"to and fro")]
    sock.close()
    assert container.wait()["StatusCode"] == 0


def test_exec_run(web: Any) -> None:
    assert web.exec_run(["sh", "-c", "echo out; echo err >&2; exit 7"], demux=True) == (7, (b"out\n", b"err\n"))
    assert web.exec_run("echo hello") == (0, b"hello\n")
    assert web.exec_run(["id", "-u"], user="1000") == (0, b"1000\n")
    code, output = web.exec_run("nope")
    assert code == 127
    assert b"executable file not found in $PATH" in output
    assert web.exec_run(["sh", "-c", "tty; stty size"], tty=True)[1].startswith(b"/dev/pts/")


def test_exec_with_variables(engine: Engine) -> None:
    """docker-py asks for API 1.25 and 1.35 here."""
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", version="1.35")
    web: Any = client.containers.run(BASE_IMAGE, ["sleep", "600"], detach=True)
    said = web.exec_run(["sh", "-c", "echo $A; pwd"], environment={"A": "b"}, workdir="/tmp")
    assert said == (0, b"b\n/tmp\n")
    client.close()


def test_exec_streamed(web: Any) -> None:
    _, stream = web.exec_run(["sh", "-c", "for i in 1 2 3; do echo $i; done"], stream=True)
    assert b"".join(stream) == b"1\n2\n3\n"


def test_exec_with_a_socket(web: Any) -> None:
    _, sock = web.exec_run(["cat"], stdin=True, socket=True)
    raw(sock).sendall(b"to and fro")
    raw(sock).shutdown(socket.SHUT_WR)
    assert frames_of(sock) == [(1, b"to and fro")]
    sock.close()


def test_exec_step_by_step(client: docker.DockerClient, web: Any) -> None:
    api = client.api
    made = api.exec_create(web.id, ["sleep", "600"])
    assert api.exec_inspect(made["Id"])["Running"] is False
    api.exec_start(made["Id"], detach=True)
    assert api.exec_inspect(made["Id"])["Running"] is True
    # dockerd: a second start is answered on its stream; docker-py loses what comes with the head.
    assert api.exec_start(made["Id"]) in (b"", f"exec command {made['Id']} is already running\r\n".encode())
    with pytest.raises(docker.errors.NotFound):
        api.exec_inspect("nope")
    web.pause()
    with pytest.raises(docker.errors.APIError) as caught:
        api.exec_create(web.id, ["true"])
    assert caught.value.status_code == 409
    assert "is paused, unpause the container before exec" in str(caught.value)
    with pytest.raises(docker.errors.APIError) as caught:
        web.attach(stream=True)
    assert caught.value.status_code == 409
    web.unpause()
    web.kill()
    until(lambda: api.exec_inspect(made["Id"])["ExitCode"] == 137)


def test_resize(client: docker.DockerClient) -> None:
    container = client.containers.run(BASE_IMAGE, ["sleep", "600"], tty=True, detach=True)
    container.resize(30, 90)
    made = client.api.exec_create(container.id, ["sleep", "600"], tty=True)
    client.api.exec_start(made["Id"], detach=True, tty=True)
    client.api.exec_resize(made["Id"], height=30, width=90)
