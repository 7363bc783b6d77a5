"""A worker process: `python -m wharfd.workers FD`, where FD is a connected socket.  Does one job after another until it is closed."""

import ctypes
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.workers import protocol
from wharfd.workers.jobs import run

PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> None:
    """`arguments`: the socket's descriptor and the engine's pid."""
    fd, engine_pid = int(arguments[0]), int(arguments[1])
    # Linux: the signal comes when the thread that spawned us ends, which is the engine's main thread.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != engine_pid:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the engine's affair
    os.umask(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65536)), hard))
    with socket.socket(fileno=fd) as link, suppress(ConnectionError):  # of an engine that was killed
        serve(link)


def serve(link: socket.socket) -> None:
    while True:
        head, descriptors, _, _ = socket.recv_fds(link, protocol.LENGTH.size, protocol.MAX_DESCRIPTORS)
        if not head:
            return
        head += receive(link, protocol.LENGTH.size - len(head))
        job = protocol.decode_job(receive(link, protocol.LENGTH.unpack(head)[0]))
        try:
            reply = answer(job, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        link.sendall(protocol.frame(reply))


def receive(link: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        chunk = link.recv(count - len(data))
        if not chunk:
            sys.exit(0)
        data += chunk
    return bytes(data)


def answer(job: protocol.Job, descriptors: Sequence[int]) -> protocol.Reply:
    try:
        return protocol.Done(msgspec.Raw(protocol.encode(run(job, descriptors))))
    except InvalidParameter as e:
        return protocol.Failed(readable(e), invalid=True)
    except NotFound as e:
        return protocol.Failed(readable(e), missing=True)
    except OSError as e:
        return protocol.Failed(readable(e))
    except Exception as e:  # noqa: BLE001 - the outer end of this process
        return protocol.Failed(f"{type(e).__name__}: {readable(e)}\n{traceback.format_exc()}")


def readable(error: Exception) -> str:
    """Names in archives are any bytes, and of any length; the message is text.  Docker: the kernel's words begin small."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        text = f"{where}{error.strerror[0].lower()}{error.strerror[1:]}"
    return text.encode("utf-8", "backslashreplace").decode()


if __name__ == "__main__":
    main(sys.argv[1:])
