"""Reads files of one root for as long as somebody asks: the root is put together once.

    question := frame (MessagePack [path, offset, length])      answer := frame (MessagePack [bytes, error])

The questions' end is the job's end.
"""

import os
import posixpath
import socket
import stat

import msgspec

from wharfd.model.tree import RootView
from wharfd.workers.build.copying import OPEN_FILE
from wharfd.workers.build.places import absolute, open_directory, real_path, status_of
from wharfd.workers.build.roots import opened
from wharfd.workers.protocol import LENGTH, framed

decode = msgspec.msgpack.Decoder(tuple[str, int, int]).decode


def serve_root(link_fd: int, view: RootView) -> None:
    with socket.socket(fileno=os.dup(link_fd)) as link, opened(view) as root:
        while head := receive(link, LENGTH.size):
            path, offset, length = decode(receive(link, LENGTH.unpack(head)[0]))
            try:
                answer = (read(root, path, offset, length), "")
            except (OSError, ValueError) as e:
                answer = (b"", str(e) or type(e).__name__)
            link.sendall(framed(answer))


def read(root: int, path: str, offset: int, length: int) -> bytes:
    """Raises OSError, ValueError (no regular file)."""
    real = real_path(root, path, follow=False)
    status = status_of(root, real)
    if status is None or not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{absolute(path)}: no such file")
    directory, base = posixpath.split(real)
    parent = open_directory(root, directory)
    try:
        fd = os.open(base, OPEN_FILE, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        return os.pread(fd, length, offset)
    finally:
        os.close(fd)


def receive(link: socket.socket, count: int) -> bytes:
    """Empty at the end."""
    data = bytearray()
    while len(data) < count:
        chunk = link.recv(count - len(data))
        if not chunk:
            return b""
        data += chunk
    return bytes(data)
