"""Building with the docker command line: what scenarios of builds share."""

import contextlib
import functools
import http.server
import io
import shlex
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.checks import Mismatch
from conformance.clients import Missing
from conformance.docker_cli import ANY, Cli, Done
from conformance.target import Target

BUILD_S = 120.0
CLASSIC = {"DOCKER_BUILDKIT": "0"}


def build(docker: Cli, dockerfile: str, line: str = "-t @built", **more: Any) -> Done:
    """`docker build … DIR/ctx` with that Dockerfile in it; its progress, as plain text, is in `err`."""
    docker.file("ctx/Dockerfile", dockerfile)
    return docker(f"build --progress plain {line} DIR/ctx", **{"err": ANY, "timeout": BUILD_S, **more})


def classic(docker: Cli, dockerfile: str, line: str = "-t @built", **more: Any) -> Done:
    """The same by the classic builder."""
    docker.file("ctx/Dockerfile", dockerfile)
    return docker(f"build {line} DIR/ctx", **{"err": ANY, "timeout": BUILD_S, "env": CLASSIC, **more})


def shows(docker: Cli, command: str, out: str, image: str = "@built") -> None:
    """What a shell of the image says to a command."""
    docker(f"run --rm {image} sh -c {shlex.quote(command)}", out=out)


def tells(done: Done, *texts: str) -> None:
    """Each text is somewhere in what the client said on standard error."""
    for text in texts:
        if text not in done.err:
            raise Mismatch(f"{text!r} is not in {done.err[-1500:]!r}")


def needs_image_store(target: Target) -> None:
    """For what dockerd does only with its containerd image store."""
    if ["driver-type", "io.containerd.snapshotter.v1"] not in (target.info.get("DriverStatus") or []):
        raise Missing("needs the containerd image store")


def packed_tar(files: Mapping[str, str], mode: str = "w") -> bytes:
    """A tar archive; `mode` as tarfile's, for its compression."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:  # type: ignore[call-overload]
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            info.mtime = 1_600_000_000
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def web_server(directory: Path) -> Iterator[str]:
    """Serves a directory's files; gives its address.  It listens where the engine is, in its network namespace."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


GIT_PORT = 18501
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b.invalid", "-c", "init.defaultBranch=main")


def git(directory: Path, *words: str) -> str:
    done = subprocess.run([*GIT, *words], cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def git_server(directory: Path) -> Iterator[str]:
    """Serves the repositories below a directory by git's own protocol; gives the address."""
    if shutil.which("git") is None:
        raise Missing("needs git")
    words = ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={GIT_PORT}"]
    process = subprocess.Popen(
        [*words, f"--base-path={directory}", str(directory)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"git://127.0.0.1:{GIT_PORT}"
    try:
        for _ in range(100):
            if subprocess.run(["git", "ls-remote", f"{address}/r"], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)
