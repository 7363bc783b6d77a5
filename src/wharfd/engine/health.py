"""Health checks: what they come to.  Pure rules, dockerd's; who runs the probes is `engine.probes`.

    starting ──a success──▶ healthy ──`retries` failures in a row──▶ unhealthy ──a success──▶ healthy

While a container is starting, failures of probes that began within the start period do not count.  A container that runs without
being watched (paused, or ended) is called unhealthy; the log of its results is kept over pauses and restarts.
"""

from dataclasses import dataclass

import msgspec

from wharfd.model.config import ContainerConfig
from wharfd.model.container import Health, HealthResult
from wharfd.wire.timestamps import format_duration

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"

DEFAULT_INTERVAL_NS = 30 * 10**9
DEFAULT_TIMEOUT_NS = 30 * 10**9
DEFAULT_START_INTERVAL_NS = 5 * 10**9
DEFAULT_RETRIES = 3
KEPT_RESULTS = 5
OUTPUT_LIMIT = 4096  # bytes of a probe's output that are kept
DEFAULT_SHELL = ("/bin/sh", "-c")
NO_ANSWER = -1  # the exit code of a probe that has none of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A health check with its defaults filled in.  `args` is empty if the container names none; such a probe fails."""

    args: list[str]
    interval_ns: int = DEFAULT_INTERVAL_NS
    timeout_ns: int = DEFAULT_TIMEOUT_NS
    start_period_ns: int = 0
    start_interval_ns: int = DEFAULT_START_INTERVAL_NS
    retries: int = DEFAULT_RETRIES


def check_of(config: ContainerConfig) -> Check | None:
    """None if its health is not to be checked.  Docker: a kind of test that is not known means so, too."""
    asked = config.healthcheck
    if asked is None or not asked.test:
        return None
    kind, *words = asked.test
    if kind == "CMD-SHELL":
        words = [*(config.shell or DEFAULT_SHELL), *words]
    elif kind != "CMD":
        return None
    return Check(
        args=words,
        interval_ns=asked.interval or DEFAULT_INTERVAL_NS,
        timeout_ns=asked.timeout or DEFAULT_TIMEOUT_NS,
        start_period_ns=asked.start_period,
        start_interval_ns=asked.start_interval or DEFAULT_START_INTERVAL_NS,
        retries=asked.retries or DEFAULT_RETRIES,
    )


def begun(config: ContainerConfig, before: Health | None) -> Health | None:
    """Of a container that has just been started."""
    if check_of(config) is None:
        return before
    return Health(status=STARTING, log=before.log if before is not None else [])


def unwatched(health: Health | None) -> Health | None:
    """No more probes: it is paused, or has ended.  Docker: no event tells of it."""
    return None if health is None else msgspec.structs.replace(health, status=UNHEALTHY)


def judged(health: Health, check: Check, result: HealthResult, started_ns: int) -> Health:
    """After a probe.  `started_ns`: when the container was started."""
    log = [*health.log, result][-KEPT_RESULTS:]
    if result.exit_code == 0:
        return Health(status=HEALTHY, failing_streak=0, log=log)
    is_excused = health.status == STARTING and result.start_ns - started_ns < check.start_period_ns
    if is_excused:
        return msgspec.structs.replace(health, log=log)
    streak = health.failing_streak + 1
    status = UNHEALTHY if streak >= check.retries else health.status
    return Health(status=status, failing_streak=streak, log=log)


def delay_ns(health: Health, check: Check, started_ns: int, now_ns: int) -> int:
    """From now, or from the end of the last probe, to the beginning of the next."""
    if health.status == STARTING and now_ns - started_ns < check.start_period_ns:
        return check.start_interval_ns
    return check.interval_ns


class ProbeOutput:
    """Collects what a probe writes on both streams; the first bytes are kept, and dots tell that there was more."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_cut = False

    def add(self, data: bytes) -> None:
        room = OUTPUT_LIMIT - len(self.data)
        self.data += data[:room]
        self.is_cut = self.is_cut or len(data) > room

    def text(self) -> str:
        return self.data.decode(errors="replace") + ("..." if self.is_cut else "")


def timeout_text(check: Check, output: str) -> str:
    return f"Health check exceeded timeout ({format_duration(check.timeout_ns)})" + (f": {output}" if output else "")
