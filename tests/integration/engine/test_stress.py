"""The short form of `./wharf stress`."""

import pytest

from bench.stress import Stress
from tests.engine import PATIENCE, Engine


@pytest.mark.timeout(300 * PATIENCE)
def test_many_lives_while_the_engine_is_killed(engine: Engine) -> None:
    report = Stress(engine, count=60, at_once=8, kills=3, seed=20).run()
    assert report.violations == [], str(report)
    assert report.kills == 3
