"""Debian's docker-registry (`distribution`) as a process of the test's own, on a free port of 127.0.0.1."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.registries.certificates import Pair

PATIENCE = float(os.environ.get("WHARF_TEST_PATIENCE", "1"))
USER, PASSWORD = "tester", "s3cret pass"
# bcrypt of PASSWORD, cost 5: the only kind that the registry takes.
HTPASSWD = f"{USER}:$2y$05$3sLD9hQPdLUq0ISLhH5/q.kx55m1EGn1tknj0VFwlZZtwiZyUQruq\n"


@dataclass
class RealRegistry:
    """`host` is `127.0.0.1:port`, `url` with its scheme."""

    host: str
    url: str
    storage: Path
    log: Path
    process: subprocess.Popen[bytes]


@asynccontextmanager
async def real_registry(
    folder: Path, *, tls: Pair | None = None, htpasswd: bool = False, token: str = "", client_ca: Path | None = None
) -> AsyncIterator[RealRegistry]:
    """`token`: lines of YAML for `auth.token`.  `client_ca`: clients must show a certificate of this authority."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    lines = [
        "version: 0.1", "log: {level: warn, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}",
        f"http:\n  addr: 127.0.0.1:{port}\n  secret: tests",
    ]  # fmt: skip
    if tls is not None:
        lines.append(f"  tls:\n    certificate: {tls.certificate}\n    key: {tls.key}")
        if client_ca is not None:
            lines.append(f"    clientcas: [{client_ca}]")
    if htpasswd:
        (folder / "htpasswd").write_text(HTPASSWD)
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}")
    if token:
        lines.append(f"auth:\n  token:\n{token}")
    config = folder / "config.yml"
    config.write_text("\n".join(lines) + "\n")
    process = started(config, folder / "log")
    try:
        await listening(port, process, folder / "log")
        scheme = "https" if tls is not None else "http"
        host = f"127.0.0.1:{port}"
        yield RealRegistry(host, f"{scheme}://{host}", folder / "data", folder / "log", process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def started(config: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=output, stderr=output, env={"PATH": os.environ["PATH"]}
        )


async def listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(int(200 * PATIENCE)):
        assert process.poll() is None, log.read_text()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise AssertionError(f"the registry does not listen: {log.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
