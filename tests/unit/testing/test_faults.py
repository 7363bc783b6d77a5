"""A wrapped driver behaves as the driver, and the fault happens at the chosen call and nowhere else."""

import os
import signal
import sys
from pathlib import Path

import pytest

from wharfd.model.errors import NotFound
from wharfd.testing.builders import a_digest
from wharfd.testing.content import FakeContent
from wharfd.testing.faults import Fault, FaultPlan, Phase, faulty, plan_from_environment, read_calls
from wharfd.testing.network import FakeNetwork
from wharfd.testing.runtime import FakeRuntime


class Struck(Exception):
    pass


def strike() -> None:
    raise Struck


async def test_every_way_of_calling_is_passed_through_and_noted() -> None:
    plan = FaultPlan()
    content = FakeContent()
    watched = faulty("content", content, plan)
    writer = await watched.writer()  # async
    await writer.write(b"hello")  # on an object that was handed out
    digest = await writer.commit()
    assert watched.has(digest)  # plain
    assert [chunk async for chunk in watched.stream(digest)] == [b"hello"]  # async generator
    assert watched.blobs is content.blobs  # attribute
    assert plan.calls == ["content.writer", "blob.write", "blob.commit", "content.has", "content.stream"]


async def test_a_property_and_an_assignment_reach_the_inner_driver() -> None:
    network = FakeNetwork("host")
    watched = faulty("network", network, FaultPlan())
    assert watched.needs_sandbox is False
    watched.driver = "bridge"
    assert network.needs_sandbox is True


async def test_errors_of_the_driver_come_through_unchanged_and_are_not_followed_by_after() -> None:
    plan = FaultPlan(Fault("content.read", phase=Phase.AFTER, action=strike))
    with pytest.raises(NotFound):
        await faulty("content", FakeContent(), plan).read(a_digest())
    assert not plan.fired


async def test_a_wrapper_can_be_wrapped_again() -> None:
    outer, inner = FaultPlan(), FaultPlan()
    watched = faulty("outer", faulty("inner", FakeRuntime(), inner), outer)
    await watched.infos()
    assert (outer.calls, inner.calls) == (["outer.infos"], ["inner.infos"])


async def test_before_means_that_nothing_was_done_and_after_that_everything_was() -> None:
    for phase, blobs in ((Phase.BEFORE, 0), (Phase.AFTER, 1)):
        content = FakeContent()
        plan = FaultPlan(Fault("blob.commit", phase=phase, action=strike))
        writer = await faulty("content", content, plan).writer()
        with pytest.raises(Struck):
            await writer.commit()
        assert len(content.blobs) == blobs


async def test_the_nth_call_is_counted_over_all_drivers_that_share_the_plan() -> None:
    plan = FaultPlan(Fault("network.open", nth=2, action=strike))
    first, second = (faulty("network", FakeNetwork(kind), plan) for kind in ("bridge", "host"))
    await first.open([], {})
    with pytest.raises(Struck):
        await second.open([], {})
    await first.open([], {})
    plan.forget_calls()
    await first.open([], {})
    assert plan.calls == ["network.open"]


def test_an_unknown_attribute_is_the_attribute_error_of_the_driver() -> None:
    with pytest.raises(AttributeError, match="FakeRuntime"):
        _ = faulty("runtime", FakeRuntime(), FaultPlan()).no_such_thing  # type: ignore[attr-defined]


def test_no_plan_without_the_variables() -> None:
    assert plan_from_environment({"PATH": "/bin"}) is None


@pytest.mark.parametrize("text", ["runtime.create", "runtime.create:x:before", "runtime.create:1:sometime"])
def test_a_malformed_plan_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        plan_from_environment({"WHARFD_FAULT": text})


PROGRAM = """
import asyncio, os
from wharfd.testing.content import FakeContent
from wharfd.testing.faults import faulty, plan_from_environment
async def main():
    content = faulty("content", FakeContent(), plan_from_environment(os.environ))
    for data in (b"one", b"two"):
        writer = await content.writer()
        await writer.write(data)
        await writer.commit()
asyncio.run(main())
"""


def test_a_process_kills_itself_at_the_chosen_point_and_leaves_its_calls(tmp_path: Path) -> None:
    calls_file = str(tmp_path / "calls")
    environment = {**os.environ, "WHARFD_FAULT": "blob.write:2:before", "WHARFD_CALLS": calls_file}
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", PROGRAM], environment)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    points = [(call.point, call.nth, call.phase) for call in read_calls(calls_file)]
    assert points[-2:] == [("content.writer", 2, "after"), ("blob.write", 2, "before")]
    assert ("blob.commit", 1, "after") in points
