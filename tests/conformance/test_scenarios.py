"""A few scenarios of `./wharf conformance`, so that neither they nor their frame decay; the whole is a command of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import docker_cli, docker_py
from conformance.checks import same
from conformance.clients import Programs
from conformance.runner import run
from conformance.scenario import Scenario, load, select
from conformance.target import Target
from tests.engine import Engine
from wharfd.sys import netns

pytestmark = pytest.mark.root

SMOKE = select(load(), [docker_cli.CLIENT, docker_py.CLIENT], [], [], smoke=True)


@pytest.fixture(scope="module")
def target(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    made = Target("wharfd", engine.socket, tmp_path_factory.mktemp("share"), engine.netns)
    made.prepare()
    yield made
    made.close()


@pytest.fixture(scope="module")
def programs() -> Programs:
    return Programs.find("", {docker_cli.CLIENT, docker_py.CLIENT})


@pytest.mark.parametrize("scenario", SMOKE, ids=lambda scenario: scenario.title)
def test_smoke(target: Target, programs: Programs, scenario: Scenario) -> None:
    if scenario.client == docker_cli.CLIENT and not programs.docker:
        pytest.skip("not installed: docker (the command line client)")
    outcome = netns.run_in(target.netns, lambda: run(target, scenario, programs))
    assert outcome.verdict == "passed", outcome.difference


def test_a_scenario_that_does_not_hold_shows_the_difference(target: Target, programs: Programs) -> None:
    def wrong(py: docker_py.Py) -> None:
        same(py.docker.containers.run(py.image, ["echo", "hi"], remove=True), b"ho\n")

    scenario = Scenario(docker_py.CLIENT, "none", "wrong", wrong, f"{Path(__file__).name}:1", "1.24", "", smoke=False)
    outcome = netns.run_in(target.netns, lambda: run(target, scenario, programs))
    assert (outcome.verdict, outcome.difference) == ("failed", "wanted b'ho\\n', got b'hi\\n'")
