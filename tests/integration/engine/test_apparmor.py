"""AppArmor, where the kernel has it: containers run under the engine's profile, and inspect says which."""

from typing import Any

import pytest

from tests.engine import BASE_IMAGE, Engine
from tests.integration.engine.rig import done, script
from wharfd.drivers.host import APPARMOR_PROFILE
from wharfd.sys.apparmor import find_parser
from wharfd.sys.security import is_apparmor_enabled

pytestmark = pytest.mark.root
with_apparmor = pytest.mark.skipif(
    not (is_apparmor_enabled() and find_parser()),
    reason="not installed: apparmor_parser" if is_apparmor_enabled() else "this kernel has no AppArmor, or it is off",
)
CONFINEMENT = "cat /proc/self/attr/current"


def said(engine: Engine, text: str, **host_config: Any) -> tuple[str, str]:
    """A script's output, and what inspect says of its profile."""
    identifier = engine.run(*script(text), HostConfig=host_config)
    assert engine.wait(identifier) == 0
    return engine.output(identifier).strip("\0\n"), engine.inspect(identifier)["AppArmorProfile"]


@with_apparmor
def test_a_container_runs_under_the_engines_profile(engine: Engine) -> None:
    assert "name=apparmor" in engine.get("/info").json["SecurityOptions"]
    assert said(engine, CONFINEMENT) == (f"{APPARMOR_PROFILE} (enforce)", APPARMOR_PROFILE)


@with_apparmor
def test_processes_that_take_no_new_privileges_are_confined_and_may_signal_each_other(engine: Engine) -> None:
    # Shells differ in what they say of the end of a job.
    text = f"{CONFINEMENT}; exec 2>/dev/null; sleep 1000 & kill $! && wait $!; echo $?"
    confinement, code = said(engine, text, SecurityOpt=["no-new-privileges"])[0].split("\n")
    # The runtime's own profile, where it has one, stays beside ours.
    assert APPARMOR_PROFILE in confinement
    assert code == "143"


@with_apparmor
def test_privileged_and_unconfined_containers_run_without(engine: Engine) -> None:
    assert said(engine, CONFINEMENT, Privileged=True) == ("unconfined", "unconfined")
    assert said(engine, CONFINEMENT, SecurityOpt=["apparmor=unconfined"]) == ("unconfined", "unconfined")


@with_apparmor
def test_the_profile_holds_where_capabilities_would_not(engine: Engine) -> None:
    # Nothing masked, nothing read-only, every capability but not privileged: the profile alone is in the way.
    options: dict[str, Any] = {"CapAdd": ["ALL"], "MaskedPaths": [], "ReadonlyPaths": []}
    text = "mount -t tmpfs x /mnt 2>&1; (cat /proc/sys/kernel/modprobe >/proc/sys/kernel/modprobe) 2>&1; echo end"
    output = said(engine, f"mkdir -p /mnt; {text}", SecurityOpt=["seccomp=unconfined"], **options)[0]
    assert output.count("ermission denied") == 2
    assert said(engine, "echo 1 >/proc/sys/kernel/shm_rmid_forced && echo set", **options)[0] == "set"


@with_apparmor
def test_signals_reach_a_confined_container(engine: Engine) -> None:
    identifier = engine.run(*script("trap 'exit 3' TERM; while :; do sleep 0.1; done"))
    done(engine.post(f"/containers/{identifier}/stop?t=60"))
    assert engine.inspect(identifier)["State"]["ExitCode"] == 3


@with_apparmor
def test_a_profile_that_the_kernel_does_not_have_fails_the_start(engine: Engine) -> None:
    body = {"Image": BASE_IMAGE, "Cmd": ["true"], "HostConfig": {"SecurityOpt": ["apparmor=wharfd-no-such"]}}
    identifier = done(engine.post("/containers/create", body), 201).json["Id"]
    answer = engine.post(f"/containers/{identifier}/start")
    assert answer.status == 400
    assert "/attr/" in answer.message


@pytest.mark.skipif(is_apparmor_enabled(), reason="AppArmor is on here")
def test_without_apparmor_there_is_no_profile(engine: Engine) -> None:
    assert said(engine, "true")[1] == ""
