"""Bundles: command lines for the monitor, the spec's variants, careful deletion."""

import base64
from pathlib import Path

import pytest

from wharfd.drivers.runtime.bundle import (
    joining_command,
    remove_tree,
    with_cgroup,
    with_seccomp_program,
    without_cgroups,
)
from wharfd.drivers.runtime.conmon import Monitor
from wharfd.drivers.runtime.placement import Placement, Placements
from wharfd.testing.builders import a_launch, an_id

MONITOR = Monitor(path="/usr/bin/conmon", exit_dir="/run/w/exits", environment={})


def options(**launch: object) -> list[str]:
    return MONITOR.command(a_launch(an_id(), **launch), ["/usr/bin/crun", "--root", "/r"])


def test_the_runtimes_arguments_are_passed_one_by_one() -> None:
    argv = options()
    assert argv[argv.index("--runtime") :] == ["--runtime", "/usr/bin/crun", "--runtime-arg=--root", "--runtime-arg=/r"]


def test_log_or_none() -> None:
    assert "k8s-file:/logs/x" in options(log_path="/logs/x")
    assert options(log_path="")[options().index("--log-path") + 1] == "none"


@pytest.mark.parametrize(
    ("launch", "present", "absent"),
    [
        ({}, set(), {"--terminal", "--stdin", "--leave-stdin-open"}),
        ({"terminal": True}, {"--terminal"}, {"--stdin"}),
        ({"stdin_open": True}, {"--stdin", "--leave-stdin-open"}, {"--terminal"}),
        ({"stdin_open": True, "stdin_once": True}, {"--stdin"}, {"--leave-stdin-open"}),
    ],
)
def test_terminal_and_input(launch: dict[str, object], present: set[str], absent: set[str]) -> None:
    argv = set(options(**launch))
    assert present <= argv
    assert not absent & argv


def test_the_spec_without_cgroups_keeps_the_rest() -> None:
    spec = {"linux": {"resources": {"a": 1}, "cgroupsPath": "/x", "namespaces": []}, "root": {}}
    assert without_cgroups(spec) == {"linux": {"namespaces": []}, "root": {}}
    assert spec["linux"]["cgroupsPath"] == "/x"


def test_a_program_takes_the_profiles_place() -> None:
    spec = {"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}}, "annotations": {"mine": "kept"}}
    changed = with_seccomp_program(spec, b"\x01\x02")
    assert changed["linux"] == {}
    assert changed["annotations"]["mine"] == "kept"
    assert base64.b64decode(changed["annotations"]["run.oci.seccomp_bpf_data"]) == b"\x01\x02"


def test_the_joining_command_becomes_the_runtime() -> None:
    command = joining_command(["/cg/cpu", "/cg/memory"], "/w/id", ["crun", "--root", "/r"])
    assert command[-4:] == ["/w/id", "crun", "--root", "/r"]
    assert "'/cg/cpu' '/cg/memory'" in command[2]


def test_deleting_a_bundle_follows_no_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    bundle = tmp_path / "bundle"
    (bundle / "deep").mkdir(parents=True)
    (bundle / "deep/link").symlink_to(outside)
    remove_tree(str(bundle))
    remove_tree(str(bundle))
    assert not bundle.exists()
    assert (outside / "kept").exists()


def test_placements_survive_and_unreadable_ones_count_by_name(tmp_path: Path) -> None:
    first = Placements(str(tmp_path))
    first.open()
    known = Placement(container_id=a_launch().container_id, bundle="/b", cgroup="/c", runtime="crun", pid=5)
    first.put(known)
    broken = an_id()
    (tmp_path / "placements" / f"{broken}.json").write_text("{")
    second = Placements(str(tmp_path))
    second.open()
    assert second.get(known.container_id) == known
    assert second.get(broken) is None
    assert second.ids() == {known.container_id, broken}
    second.drop(known.container_id)
    second.drop(broken)
    assert second.ids() == set()


def test_a_scope_is_the_containers_own_cgroup() -> None:
    spec = {"linux": {}, "annotations": {"mine": "kept"}}
    changed = with_cgroup(spec, "system.slice:wharfd:4f1c")
    assert changed["linux"]["cgroupsPath"] == "system.slice:wharfd:4f1c"
    assert changed["annotations"] == {"mine": "kept", "run.oci.systemd.subgroup": ""}
    assert with_cgroup(spec, "/wharfd/4f1c")["annotations"] == {"mine": "kept"}
