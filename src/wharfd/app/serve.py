"""The life of the process: lock the data root, open the engine, listen; at the end let answers end and leave the containers running."""

import asyncio
import contextlib
import grp
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import uvloop

import wharfd
from wharfd.api.errors import error_response
from wharfd.api.router import Router
from wharfd.api.transport import Server
from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.app.drivers import Drivers, Wrap, as_it_is
from wharfd.app.engine import Engine
from wharfd.app.failure import StartFailure
from wharfd.app.locks import lock
from wharfd.app.stacks import dump
from wharfd.model.errors import EngineError
from wharfd.model.settings import Settings
from wharfd.sys import sdnotify
from wharfd.sys.spawn import set_child_subreaper
from wharfd.sys.systemd import is_machine_stopping

log = logging.getLogger(__name__)


def run(settings: Settings, wrap: Wrap = as_it_is) -> int:
    """Run until SIGTERM or SIGINT.  Returns the exit code."""
    try:
        locks = lock(settings)
    except (StartFailure, OSError) as e:
        print(f"wharfd: {e}", file=sys.stderr)  # noqa: T201 - before there is a log worth reading
        return 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(serve(settings, wrap))
    finally:
        for held in reversed(locks):
            held.release()


async def serve(settings: Settings, wrap: Wrap) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: log.info("SIGHUP: no setting can be changed while running"))
    loop.add_signal_handler(signal.SIGUSR1, dump, Path(settings.exec_root) / "stacks.txt")
    set_child_subreaper()
    try:
        min_version = oldest_version(settings)
        engine = Engine(settings, Drivers(settings, wrap))
    except (EngineError, StartFailure, OSError) as e:
        log.error("the engine cannot start: %s", e)
        return 1
    router = Router(engine.routes(min_version), min_version=min_version)
    server = Server(router, error_response=error_response, default_headers=partial(default_headers, settings))
    try:
        await engine.open()
        await listen(server, settings)
    except Exception as e:
        # Whatever it is: threads that are not told to end would keep a process that serves nobody.
        is_expected = isinstance(e, EngineError | StartFailure | OSError)
        log.error("the engine cannot start: %s", e, exc_info=None if is_expected else e)
        await server.shutdown(0)
        await engine.close()
        return 1
    log.info("version=%s api=%s hosts=%s ready", wharfd.__version__, MAX, ",".join(settings.hosts))
    sdnotify.ready()
    await stopping.wait()
    sdnotify.stopping()
    log.info("stopping")
    await server.shutdown(settings.shutdown_timeout_s)
    if await is_machine_stopping():
        await engine.end_containers()
    await engine.close()
    return 0


def oldest_version(settings: Settings) -> Version:
    """Raises StartFailure."""
    try:
        version = Version.parse(settings.min_api_version)
    except ValueError as e:
        raise StartFailure(f"min-api-version: {e}") from e
    if not MIN <= version <= MAX:
        raise StartFailure(f"min-api-version {version} is not within {MIN} and {MAX}")
    return version


def default_headers(settings: Settings) -> Sequence[tuple[str, str]]:
    return [
        ("Api-Version", str(MAX)),
        ("Docker-Experimental", "true" if settings.experimental else "false"),
        ("Ostype", "linux"),
        ("Server", f"wharfd/{wharfd.__version__} (linux)"),
    ]


async def listen(server: Server, settings: Settings) -> None:
    for host in settings.hosts:
        scheme, _, address = host.partition("://")
        if scheme == "fd":
            inherited = sdnotify.listen_fds()
            if not inherited:
                raise StartFailure("fd:// was asked for, but no socket was handed over (systemd socket activation)")
            for one in inherited:
                await server.serve_fd(one.fd)
        else:
            os.makedirs(os.path.dirname(address), exist_ok=True)
            await server.serve_unix(address, 0o660, group_id(settings.group))


def group_id(name: str) -> int:
    """Docker: a group that does not exist leaves the socket to root, with a warning."""
    if name.isdecimal():
        return int(name)
    with contextlib.suppress(KeyError):
        return grp.getgrnam(name).gr_gid
    log.warning("group=%s does not exist; the socket belongs to root's group", name)
    return 0
