"""Operations in any order, also two at once, with an engine that dies at any moment and a machine that reboots.

After every step nothing is leaked, nothing is stuck, memory and disk agree (`mortality.check`), and every change that was answered is
there: the model below is what a client believes.
"""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.unit.engine.mortality import EngineDied, LateRecords, Mortal, check, until_death
from tests.unit.engine.rig import Machine, Rig
from wharfd.model.config import HostConfig, RestartPolicy
from wharfd.model.container import ContainerRecord, State
from wharfd.model.errors import EngineError
from wharfd.testing.builders import a_host_config
from wharfd.testing.faults import Phase
from wharfd.testing.runtime import Phase as ProcessPhase

KINDS: dict[str, HostConfig] = {
    "plain": a_host_config(),
    "always": a_host_config(restart_policy=RestartPolicy(name="always")),
    "auto-remove": a_host_config(auto_remove=True),
}
OPERATIONS: dict[str, Callable[[Rig, str], Coroutine[Any, Any, None]]] = {
    "start": lambda rig, who: rig.start(who),
    "stop": lambda rig, who: rig.stop(who),
    "kill": lambda rig, who: rig.kill(who),
    "pause": lambda rig, who: rig.pause(who),
    "unpause": lambda rig, who: rig.unpause(who),
    "restart": lambda rig, who: rig.restart(who),
    "remove": lambda rig, who: rig.remove(who),
    "remove by force": lambda rig, who: rig.remove(who, force=True, volumes=True),
}
AFTER = {
    "start": State.RUNNING,
    "stop": State.EXITED,
    "kill": State.EXITED,
    "pause": State.PAUSED,
    "unpause": State.RUNNING,
    "restart": State.RUNNING,
    "remove": None,
    "remove by force": None,
}
ENDS = "process ends"
AT_REST = {State.CREATED, State.EXITED}


class Doomed(Mortal):
    """Dies at the call that is so many calls away."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None

    def reach(self, point: str, nth: int, phase: Phase) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.is_dead = True
                self.death.set()
        if self.is_dead:
            raise EngineDied


class AnyLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = Machine()
        self.dice = Random(0)
        self.kinds: dict[str, str] = {}
        self.believed: dict[str, State | None] = {}
        self.run(self.come_up(late=False))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    async def come_up(self, *, late: bool) -> None:
        self.plan = Doomed()
        self.late = LateRecords(self.world.records) if late else None
        self.rig = await Rig.up(self.world, self.plan, self.late, self.turns)

    def turns(self) -> int:
        return self.dice.choice((0, 0, 1, 3))

    @rule(seed=st.integers(0, 1000))
    def roll(self, seed: int) -> None:
        """Calls take other times from now on."""
        self.dice = Random(seed)

    def teardown(self) -> None:
        self.run(self.rig.die())
        self.loop.close()

    # What happens

    @rule(kind=st.sampled_from(sorted(KINDS)))
    def create(self, kind: str) -> None:
        async def step() -> None:
            record = await self.rig.created(host_config=KINDS[kind])
            self.kinds[record.id] = kind
            self.believed[record.id] = State.CREATED

        if len(self.living()) < 4:
            self.run(step())

    @precondition(lambda self: self.living())
    @rule(which=st.integers(0, 3), name=st.sampled_from(sorted(OPERATIONS)))
    def operate(self, which: int, name: str) -> None:
        self.run(self.one(self.choose(which), name))

    async def one(self, who: str, name: str) -> None:
        try:
            await OPERATIONS[name](self.rig, who)
        except EngineError:
            return
        finally:
            await self.rig.settle()
        self.believed[who] = self.outcome(who, AFTER[name])

    @precondition(lambda self: self.living())
    @rule(which=st.integers(0, 3), code=st.sampled_from([0, 1, 137]))
    def process_ends(self, which: int, code: int) -> None:
        who = self.choose(which)

        async def step() -> None:
            self.end(who, code)
            await self.rig.settle()

        self.run(step())

    def end(self, who: str, code: int) -> None:
        if self.world.runtime.phase(who) is not ProcessPhase.RUNNING:
            return
        self.world.runtime.exit(who, code)
        self.believed[who] = State.RESTARTING if self.kinds[who] == "always" else self.outcome(who, State.EXITED)

    @rule()
    def time_passes(self) -> None:
        self.run(self.wait_for_restarts())

    async def wait_for_restarts(self) -> None:
        self.rig.timers.fire()
        await self.rig.settle()
        for who, state in self.believed.items():
            if state is State.RESTARTING:
                self.believed[who] = State.RUNNING

    @precondition(lambda self: self.living())
    @rule(
        which=st.integers(0, 3),
        names=st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=2, max_size=3),
        ends=st.integers(0, 8),
    )
    def operate_at_once(self, which: int, names: list[str], ends: int) -> None:
        who = self.choose(which)

        async def step() -> None:
            work = [self.rig.tasks.spawn(OPERATIONS[name](self.rig, who), name) for name in names]
            for _ in range(ends):
                await asyncio.sleep(0)
            if ends:
                self.end(who, 1)
            outcomes = await asyncio.gather(*work, return_exceptions=True)
            assert all(outcome is None or isinstance(outcome, EngineError) for outcome in outcomes), outcomes
            await self.rig.settle()
            self.believe_what_is(who)

        self.run(step())

    @precondition(lambda self: self.living())
    @rule(
        which=st.integers(0, 3),
        names=st.lists(st.sampled_from([*sorted(OPERATIONS), ENDS]), min_size=1, max_size=2),
        calls=st.integers(0, 40),
        late=st.booleans(),
        reboot=st.booleans(),
    )
    def die(self, which: int, names: list[str], calls: int, late: bool, reboot: bool) -> None:
        who = self.choose(which)

        async def operate() -> None:
            if names == [ENDS]:
                self.end(who, 1)
            elif len(names) == 1:
                await self.one(who, names[0])
            else:
                await asyncio.gather(*(self.try_to(who, name) for name in names))

        async def step() -> None:
            self.plan.left = calls
            answered = await until_death(self.rig, self.plan, operate)
            self.plan.left = None
            if (self.plan.is_dead and not answered) or len(names) > 1:
                self.doubt(who, names)
            if reboot:
                self.world.reboot()
            await self.rig.die()
            await self.come_up(late=late)
            self.believe_the_boot(reboot)
            await self.wait_for_restarts()

        self.run(step())

    async def try_to(self, who: str, name: str) -> None:
        if name == ENDS:
            self.end(who, 1)
            return
        try:
            await OPERATIONS[name](self.rig, who)
        except EngineError:
            pass

    # What a client believes

    def living(self) -> list[str]:
        return [who for who, state in self.believed.items() if state is not None]

    def choose(self, which: int) -> str:
        living = self.living()
        return living[which % len(living)]

    def outcome(self, who: str, state: State | None) -> State | None:
        return None if state is State.EXITED and self.kinds[who] == "auto-remove" else state

    def record(self, who: str) -> ContainerRecord | None:
        return self.rig.ledger.containers.get(who)

    def believe_what_is(self, who: str) -> None:
        record = self.record(who)
        never_ran = record is not None and record.state is State.EXITED and not record.started_ns
        self.believed[who] = State.CREATED if never_ran else record.state if record else None

    def doubt(self, who: str, names: list[str]) -> None:
        """Not answered: it may have happened, or not, or half of it; but nothing vanishes that nobody wanted to remove."""
        row = self.world.records.rows.get(("container", who))
        may_go = self.kinds[who] == "auto-remove" or any(name.startswith("remove") for name in names)
        assert row is not None or may_go, f"{names} made it vanish"
        self.unsure = who

    unsure: str | None = None

    def believe_the_boot(self, reboot: bool) -> None:
        for who, state in list(self.believed.items()):
            if who == self.unsure:
                self.believe_what_is(who)
            elif state is None:
                continue
            elif reboot and state in {State.RUNNING, State.PAUSED}:
                ended = State.RESTARTING if self.kinds[who] == "always" else State.EXITED
                self.believed[who] = self.outcome(who, ended)
            elif self.kinds[who] == "always" and state is State.EXITED:
                self.believed[who] = State.RESTARTING
        self.unsure = None

    @invariant()
    def all_is_well(self) -> None:
        self.run(self.look())

    async def look(self) -> None:
        await self.rig.settle()
        if self.late is not None:
            self.late.write()
        check(self.rig)
        for who, state in self.believed.items():
            record = self.record(who)
            if state in AT_REST:
                assert record is not None
                assert record.state in AT_REST
            else:
                assert (record.state if record else None) is state


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
