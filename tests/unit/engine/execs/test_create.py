import pytest

from tests.unit.engine.streams.stage import Stage
from wharfd.engine.execs.registry import ExecConfig
from wharfd.model.config import RestartPolicy
from wharfd.model.errors import Conflict, ContainerNotFound, InvalidParameter
from wharfd.testing.builders import a_host_config

LS = ExecConfig(cmd=["ls"])


async def test_it_is_known_and_told_of_and_does_not_run() -> None:
    stage = await Stage.made()
    record = await stage.container(user="1000:1000")
    exec_id = await stage.exec(record, "sh", "-c", "exit 3", tty=True)
    made = stage.execs.get(exec_id)
    assert (made.is_running, made.exit_code, made.pid) == (False, None, 0)
    assert made.config.user == "1000:1000"
    (event,) = stage.events(record.id)
    assert (event.action, event.attributes["execID"]) == ("exec_create: sh -c exit 3", exec_id)
    assert stage.execs.of(record) == [exec_id]
    assert stage.streams.execs == []


async def test_a_program_without_arguments_is_told_of_with_a_blank() -> None:
    stage = await Stage.made()
    record = await stage.container()
    await stage.exec(record, "ls")
    assert stage.told(record) == ["exec_create: ls "]


async def test_what_is_refused() -> None:
    stage = await Stage.made()
    with pytest.raises(ContainerNotFound):
        await stage.create_exec("nope", LS)
    record = await stage.running(name="web")
    with pytest.raises(InvalidParameter, match="No exec command specified"):
        await stage.exec(record)
    with pytest.raises(InvalidParameter, match="unable to find user ghost: no matching entries in passwd file"):
        await stage.exec(record, "ls", user="ghost")
    await stage.pause(record.id)
    with pytest.raises(Conflict) as caught:
        await stage.create_exec("web", LS)
    assert str(caught.value) == "Container web is paused, unpause the container before exec"
    assert stage.execs.by_id == {}


async def test_containers_that_do_not_run_are_refused() -> None:
    stage = await Stage.made()
    record = await stage.container(running=False)
    with pytest.raises(Conflict) as caught:
        await stage.exec(record, "ls")
    assert str(caught.value) == f"container {record.id} is not running"
    restarting = await stage.running(host_config=a_host_config(restart_policy=RestartPolicy(name="always")))
    stage.world.runtime.exit(restarting.id, 1)
    await stage.settle()
    with pytest.raises(Conflict) as caught:
        await stage.create_exec(restarting.name, ExecConfig(cmd=["ls"]))
    assert str(caught.value) == f"Container {restarting.id} is restarting, wait until the container is running"
