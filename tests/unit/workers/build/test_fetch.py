"""Downloads of builds, from a server of the tests."""

import socket
import threading
from pathlib import Path

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.workers.build.fetch import fetch_url
from wharfd.workers.protocol import FetchUrl


def serve_once(listener: socket.socket, answer: bytes) -> None:
    client, _ = listener.accept()
    with client:
        client.recv(65536)
        client.sendall(answer)


@pytest.mark.parametrize("sent", [0, 3, 9])
def test_a_download_that_is_cut_is_an_error(tmp_path: Path, sent: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b"0123456789"[:sent]
        server = threading.Thread(target=serve_once, args=(listener, answer))
        server.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/file"
        with pytest.raises(InvalidParameter):
            fetch_url(FetchUrl(url, str(tmp_path / "file"), "", "", {}))
        server.join()
