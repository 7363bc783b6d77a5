import pytest

from wharfd.engine.health import (
    DEFAULT_START_INTERVAL_NS,
    Check,
    ProbeOutput,
    begun,
    check_of,
    delay_ns,
    judged,
    timeout_text,
    unwatched,
)
from wharfd.model.config import HealthConfig
from wharfd.model.container import Health, HealthResult
from wharfd.testing.builders import a_config

S = 10**9
MS = 10**6


def result(code: int, at_s: float = 0) -> HealthResult:
    return HealthResult(start_ns=int(at_s * S), end_ns=int(at_s * S), exit_code=code, output="")


@pytest.mark.parametrize(
    ("test", "args"),
    [
        (None, None),
        ([], None),
        (["NONE"], None),
        (["NONE", "x"], None),
        (["FOO", "x"], None),
        (["CMD", "ls", "-l"], ["ls", "-l"]),
        (["CMD"], []),
        (["CMD-SHELL", "ls | wc"], ["/bin/sh", "-c", "ls | wc"]),
    ],
)
def test_what_is_run(test: list[str] | None, args: list[str] | None) -> None:
    check = check_of(a_config(healthcheck=HealthConfig(test=test)))
    assert (None if check is None else check.args) == args


def test_the_image_s_shell() -> None:
    check = check_of(a_config(healthcheck=HealthConfig(test=["CMD-SHELL", "x"]), shell=["/bin/bash", "-ec"]))
    assert check is not None
    assert check.args == ["/bin/bash", "-ec", "x"]


def test_no_check_at_all() -> None:
    assert check_of(a_config()) is None
    assert begun(a_config(), None) is None


def test_defaults_stand_for_what_is_not_said() -> None:
    assert check_of(a_config(healthcheck=HealthConfig(test=["CMD", "x"]))) == Check(
        args=["x"], interval_ns=30 * S, timeout_ns=30 * S, start_period_ns=0, start_interval_ns=5 * S, retries=3
    )
    full = HealthConfig(
        test=["CMD", "x"], interval=1 * S, timeout=2 * S, start_period=3 * S, start_interval=4 * S, retries=5
    )
    assert check_of(a_config(healthcheck=full)) == Check(
        args=["x"], interval_ns=1 * S, timeout_ns=2 * S, start_period_ns=3 * S, start_interval_ns=4 * S, retries=5
    )


CHECK = Check(args=["x"], retries=2, start_period_ns=10 * S)


@pytest.mark.parametrize(
    ("before", "streak", "code", "at_s", "status", "streak_after"),
    [
        # A success is believed at once, whatever was before and whenever it comes.
        ("starting", 0, 0, 1, "healthy", 0),
        ("starting", 1, 0, 20, "healthy", 0),
        ("healthy", 1, 0, 20, "healthy", 0),
        ("unhealthy", 7, 0, 20, "healthy", 0),
        # Failures in the start period do not count, as long as it never was healthy.
        ("starting", 0, 1, 9.9, "starting", 0),
        ("starting", 0, 1, 10, "starting", 1),
        ("starting", 1, 1, 11, "unhealthy", 2),
        ("healthy", 0, 1, 1, "healthy", 1),
        ("healthy", 1, 1, 2, "unhealthy", 2),
        ("unhealthy", 2, 1, 3, "unhealthy", 3),
        # No exit code is a failure like any other.
        ("healthy", 1, -1, 20, "unhealthy", 2),
        ("healthy", 0, 137, 20, "healthy", 1),
    ],
)
def test_judgement(before: str, streak: int, code: int, at_s: float, status: str, streak_after: int) -> None:
    after = judged(Health(status=before, failing_streak=streak), CHECK, result(code, at_s), 0)
    assert (after.status, after.failing_streak, after.log) == (status, streak_after, [result(code, at_s)])


def test_five_results_are_kept() -> None:
    health = Health(status="starting")
    for code in range(8):
        health = judged(health, CHECK, result(code), 0)
    assert [each.exit_code for each in health.log] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("status", "now_s", "start_period_s", "delay_s"),
    [
        ("starting", 0, 0, 30),
        ("starting", 0, 10, 1),
        ("starting", 9.9, 10, 1),
        ("starting", 10, 10, 30),
        ("healthy", 1, 10, 30),
        ("unhealthy", 1, 10, 30),
    ],
)
def test_when_the_next_probe_runs(status: str, now_s: float, start_period_s: int, delay_s: float) -> None:
    check = Check(args=["x"], start_interval_ns=1 * S, start_period_ns=start_period_s * S)
    assert delay_ns(Health(status=status), check, 0, int(now_s * S)) == delay_s * S


def test_the_start_interval_has_a_default_of_its_own() -> None:
    check = Check(args=["x"], interval_ns=1 * S, start_period_ns=60 * S)
    assert delay_ns(Health(status="starting"), check, 0, 0) == DEFAULT_START_INTERVAL_NS


def test_a_start_begins_anew_and_keeps_the_log() -> None:
    config = a_config(healthcheck=HealthConfig(test=["CMD", "x"]))
    before = Health(status="unhealthy", failing_streak=4, log=[result(1)])
    assert begun(config, before) == Health(status="starting", failing_streak=0, log=[result(1)])
    assert begun(config, None) == Health(status="starting")


def test_who_is_not_watched_is_not_called_healthy() -> None:
    assert unwatched(Health(status="healthy", log=[result(0)])) == Health(status="unhealthy", log=[result(0)])
    assert unwatched(None) is None


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([], ""),
        ([b"a", b"b"], "ab"),
        ([b"x" * 4096], "x" * 4096),
        ([b"x" * 4000, b"y" * 97], "x" * 4000 + "y" * 96 + "..."),
        ([b"x" * 4096, b"y"], "x" * 4096 + "..."),
        ([b"\xff\n"], "\ufffd\n"),
    ],
)
def test_output_is_cut(pieces: list[bytes], text: str) -> None:
    output = ProbeOutput()
    for piece in pieces:
        output.add(piece)
    assert output.text() == text


@pytest.mark.parametrize(
    ("timeout_ns", "output", "text"),
    [
        (S, "", "Health check exceeded timeout (1s)"),
        (1500 * MS, "", "Health check exceeded timeout (1.5s)"),
        (500 * MS, "part\n", "Health check exceeded timeout (500ms): part\n"),
        (90 * S, "", "Health check exceeded timeout (1m30s)"),
    ],
)
def test_words_of_a_timeout(timeout_ns: int, output: str, text: str) -> None:
    assert timeout_text(Check(args=["x"], timeout_ns=timeout_ns), output) == text


def test_every_field_is_looked_at() -> None:
    """A field that a later API brings must be decided on here."""
    known = {"test", "interval", "timeout", "start_period", "start_interval", "retries"}
    assert set(HealthConfig.__struct_fields__) == known
