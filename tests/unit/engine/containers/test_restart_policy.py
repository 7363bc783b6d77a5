import pytest

from wharfd.engine.containers.restart_policy import next_delay_s, wants_restart, wants_start_at_boot
from wharfd.model.config import RestartPolicy
from wharfd.model.container import State
from wharfd.testing.builders import a_container, a_host_config


@pytest.mark.parametrize(
    ("name", "maximum", "exit_code", "restart_count", "manually_stopped", "answer"),
    [
        ("", 0, 1, 0, False, False),
        ("no", 0, 1, 0, False, False),
        ("always", 0, 0, 0, False, True),
        ("always", 0, 1, 99, False, True),
        ("always", 0, 1, 0, True, False),
        ("unless-stopped", 0, 0, 0, False, True),
        ("unless-stopped", 0, 0, 0, True, False),
        ("on-failure", 0, 0, 0, False, False),
        ("on-failure", 0, 1, 99, False, True),
        ("on-failure", 3, 1, 2, False, True),
        ("on-failure", 3, 1, 3, False, False),
        ("on-failure", 0, 1, 0, True, False),
    ],
)
def test_after_an_exit(
    name: str, maximum: int, exit_code: int, restart_count: int, manually_stopped: bool, answer: bool
) -> None:
    policy = RestartPolicy(name=name, maximum_retry_count=maximum)
    record = a_container(
        state=State.RUNNING,
        host_config=a_host_config(restart_policy=policy),
        restart_count=restart_count,
        manually_stopped=manually_stopped,
    )
    assert wants_restart(record, exit_code) is answer


@pytest.mark.parametrize(
    ("name", "manually_stopped", "answer"),
    [
        ("no", False, False),
        ("on-failure", False, False),
        ("always", False, True),
        ("always", True, True),
        ("unless-stopped", False, True),
        ("unless-stopped", True, False),
    ],
)
def test_when_the_engine_comes_up(name: str, manually_stopped: bool, answer: bool) -> None:
    record = a_container(
        state=State.EXITED,
        exit_code=1,
        host_config=a_host_config(restart_policy=RestartPolicy(name=name)),
        manually_stopped=manually_stopped,
    )
    assert wants_start_at_boot(record) is answer


def test_the_delay_doubles_up_to_a_minute_and_begins_anew_after_a_long_run() -> None:
    delay_s, delays = 0.0, []
    for _ in range(12):
        delay_s = next_delay_s(delay_s, ran_ns=9_999_999_999)
        delays.append(delay_s)
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0]
    assert next_delay_s(60.0, ran_ns=10_000_000_000) == 0.1
