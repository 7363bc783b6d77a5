"""How long is waited, and when not any more."""

import pytest

from wharfd.drivers.registry.failures import Refused
from wharfd.drivers.registry.retries import Backoff
from wharfd.model.errors import RegistryFailure
from wharfd.wire.distribution import Refusal

PASSING = RegistryFailure("busy", may_pass=True)


def refused(status: int, retry_after_s: float | None = None) -> Refused:
    return Refused(Refusal(status=status, code="", text="no"), retry_after_s)


def test_waits_grow_up_to_a_limit() -> None:
    backoff = Backoff(9, first_s=1.0, limit_s=10.0)
    waits = [backoff.delay(PASSING, attempt) for attempt in range(1, 9)]
    middles = [1, 2, 4, 8, 10, 10, 10, 10]
    assert all(wait is not None and 0.75 * m <= wait <= 1.25 * m for wait, m in zip(waits, middles, strict=True))
    assert backoff.delay(PASSING, 9) is None


def test_waits_differ() -> None:
    assert len({Backoff(9).delay(PASSING, 1) for _ in range(20)}) > 1


def test_what_will_not_pass_is_not_waited_for() -> None:
    assert Backoff(9).delay(RegistryFailure("never"), 1) is None
    assert Backoff(9).delay(refused(404), 1) is None


@pytest.mark.parametrize(("asked", "least"), [(5.0, 5.0), (60.0, 60.0), (0.0, 0.75)])
def test_what_a_registry_asks_for_is_kept(asked: float, least: float) -> None:
    wait = Backoff(9).delay(refused(429, asked), 1)
    assert wait is not None
    assert wait >= least


def test_a_registry_that_wants_too_long_is_left() -> None:
    assert Backoff(9).delay(refused(429, 61.0), 1) is None


async def test_tries_end_with_the_last_failure() -> None:
    failures = [RegistryFailure(str(i), may_pass=True) for i in range(5)]

    async def call() -> None:
        raise failures.pop(0)

    with pytest.raises(RegistryFailure, match="2"):
        await Backoff(3, first_s=0.0).persist(call)
    assert len(failures) == 2
