"""Plans of starts: whole documents in tests/golden/plan (`--update-golden` rewrites them), and the rules one by one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from wharfd.engine.containers.plan import DEFAULT_MASKED_PATHS, UNLIMITED, Place, Plan, environment, plan
from wharfd.engine.containers.plan_mounts import PlacedMount
from wharfd.model.config import DeviceMapping, MountSpec, TmpfsOptions, Ulimit
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import InvalidParameter
from wharfd.ports.host import HostDevice, HostFacts
from wharfd.testing.builders import a_config, a_container, a_host_config
from wharfd.testing.host import some_facts
from wharfd.wire.limits import ALL_CAPABILITIES
from wharfd.wire.userdb import ResolvedUser

GOLDEN = Path(__file__).parents[3] / "golden/plan"
ROOT = ResolvedUser(0, 0, (0,), "/root")
FUSE = HostDevice(path="/dev/fuse", type="c", major=10, minor=229, mode=0o666)
DISK = HostDevice(path="/dev/sda", type="b", major=8, minor=0, mode=0o660, gid=6)


def facts(**over: object) -> HostFacts:
    return some_facts(capabilities=list(ALL_CAPABILITIES), **over)


def record(config: dict[str, Any] | None = None, **host_config: Any) -> ContainerRecord:
    return a_container(
        config=a_config(**{"cmd": ["true"], "hostname": "box", "env": None, **(config or {})}),
        host_config=a_host_config(**host_config),
        id="4f1c" * 16,
    )


def place(**over: Any) -> Place:
    return Place(**{"rootfs": "/rootfs/merged", "user": ROOT, "cgroup": "/wharfd/4f1c", **over})


def made(
    config: dict[str, Any] | None = None, *, at: dict[str, Any] | None = None, **host_config: Any
) -> dict[str, Any]:
    spec: dict[str, Any] = plan(record(config, **host_config), place(**(at or {})), facts()).spec
    return spec


@dataclass(frozen=True)
class Case:
    config: dict[str, Any] = field(default_factory=dict)
    host_config: dict[str, Any] = field(default_factory=dict)
    place: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


CASES = {
    "default": Case(
        place={
            "namespaces": {"network": "/run/wharfd/netns/1"},
            "hostname_path": "/c/hostname",
            "hosts_path": "/c/hosts",
            "resolv_conf_path": "/c/resolv.conf",
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []},
        }
    ),
    "cgroup-v1": Case(facts={"cgroup_version": 1}, host_config={"cgroupns_mode": ""}),
    "privileged": Case(
        host_config={"privileged": True},
        place={"all_devices": [FUSE, DISK], "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}},
    ),
    "host-everything": Case(
        config={"hostname": "machine"},
        host_config={
            "network_mode": "host",
            "pid_mode": "host",
            "ipc_mode": "host",
            "uts_mode": "host",
            "cgroupns_mode": "host",
        },
        place={"namespaces": dict.fromkeys(("network", "pid", "ipc", "uts", "cgroup"), "host"), "shm_path": "/dev/shm"},
    ),
    "limits": Case(
        host_config={
            "memory": 64 << 20,
            "nano_cpus": 1_500_000_000,
            "pids_limit": 20,
            "ulimits": [Ulimit(name="nofile", soft=64, hard=128), Ulimit(name="core", soft=-1, hard=-1)],
            "oom_score_adj": 300,
        },
        place={"default_ulimits": [Ulimit(name="nofile", soft=1, hard=2), Ulimit(name="nproc", soft=3, hard=4)]},
    ),
    "mounts": Case(
        host_config={
            "readonly_rootfs": True,
            "tmpfs": {"/run": "size=1m,exec"},
            "shm_size": 1 << 20,
            "mounts": [
                MountSpec(type="tmpfs", target="/cache", tmpfs_options=TmpfsOptions(size_bytes=2 << 20, mode=0o711))
            ],
        },
        place={
            "hosts_path": "/c/hosts",
            "hostname_path": "/c/hostname",
            "mounts": [
                PlacedMount(source="/v/inner", destination="/data/inner"),
                PlacedMount(source="/v/data", destination="/data", read_only=True, recursive_read_only=True),
                PlacedMount(source="/my/hosts", destination="/etc/hosts", recursive=False),
                PlacedMount(source="/h", destination="/host", propagation="rslave"),
            ],
        },
    ),
    "terminal-user-init": Case(
        config={
            "tty": True,
            "user": "web",
            "working_dir": "/srv",
            "env": ["A=1", "TERM=dumb"],
            "entrypoint": ["/entry"],
            "cmd": ["serve", "--now"],
            "domainname": "example.org",
        },
        host_config={
            "init": True,
            "console_size": [24, 80],
            "cap_drop": ["ALL"],
            "cap_add": ["NET_BIND_SERVICE"],
            "security_opt": ["no-new-privileges"],
            "sysctls": {"net.core.somaxconn": "99"},
            "annotations": {"a": "b"},
        },
        place={"user": ResolvedUser(1000, 1000, (1000, 44), "/home/web"), "init_path": "/usr/bin/tini-static"},
    ),
    "devices": Case(
        host_config={
            "devices": [
                DeviceMapping(path_on_host="/dev/fuse", path_in_container="/dev/fuse", cgroup_permissions="rw"),
                DeviceMapping(path_on_host="/dev/disks", path_in_container="/dev/d"),
            ],
            "device_cgroup_rules": ["c 13:* r"],
        },
        place={
            "devices": [
                (
                    DeviceMapping(path_on_host="/dev/fuse", path_in_container="/dev/fuse", cgroup_permissions="rw"),
                    [FUSE],
                ),
                (
                    DeviceMapping(path_on_host="/dev/disks", path_in_container="/dev/d"),
                    [HostDevice(path="/dev/disks/a/b", type="b", major=8, minor=1, mode=0o600)],
                ),
            ]
        },
    ),
    "security-modules": Case(facts={"apparmor": True, "apparmor_profile": "wharfd-default", "selinux": True}),
}


@pytest.mark.parametrize("name", CASES)
def test_the_whole_document(name: str, update_golden: bool) -> None:
    case = CASES[name]
    subject = record(case.config, **case.host_config)
    if name == "security-modules":
        subject = replace(subject, process_label="p", mount_label="m")
    outcome = plan(subject, place(**case.place), facts(**case.facts))
    text = json.dumps(outcome.spec, indent=1) + "\n"
    path = GOLDEN / f"{name}.json"
    if update_golden:
        path.write_text(text)
    assert json.loads(text) == json.loads(path.read_text())


def test_no_golden_document_is_without_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)


# rules


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ([], ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=box", "HOME=/root"]),
        (["PATH=/x", "B=2", "B=3"], ["PATH=/x", "HOSTNAME=box", "B=3", "HOME=/root"]),
        (["PATH", "HOSTNAME"], ["HOME=/root"]),
        (
            ["HOME=/mine"],
            ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=box", "HOME=/mine"],
        ),
        (["PATH", "PATH=/back"], ["PATH=/back", "HOSTNAME=box", "HOME=/root"]),
        (
            ["EMPTY="],
            [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOSTNAME=box",
                "EMPTY=",
                "HOME=/root",
            ],
        ),
    ],
)
def test_environment(env: list[str], expected: list[str]) -> None:
    assert environment(record({"env": env}), "/root") == expected


def test_home_of_a_user_without_an_entry_is_the_root() -> None:
    assert environment(record(), "")[-1] == "HOME=/"


def limits(outcome: Plan) -> list[Any]:
    listed: list[Any] = outcome.spec["process"].get("rlimits", [])
    return listed


def test_limits_have_the_kernels_names() -> None:
    asked = record(ulimits=[Ulimit(name="NoFile", soft=1, hard=2), Ulimit(name="as", soft=3, hard=4)])
    assert [each["type"] for each in limits(plan(asked, place(), facts()))] == ["RLIMIT_NOFILE", "RLIMIT_AS"]
    with pytest.raises(InvalidParameter, match="wrong rlimit value: RLIMIT_X"):
        plan(record(ulimits=[Ulimit(name="x", soft=1, hard=1)]), place(), facts())


def test_a_limit_above_the_engines_own_is_left_out() -> None:
    asked = record(ulimits=[Ulimit(name="nofile", soft=10, hard=2000), Ulimit(name="nproc", soft=-1, hard=-1)])
    bound = facts(can_raise_rlimits=False, hard_limits={"nofile": 1000, "nproc": -1})
    outcome = plan(asked, place(), bound)
    assert limits(outcome) == [{"type": "RLIMIT_NPROC", "soft": UNLIMITED, "hard": UNLIMITED}]
    assert outcome.warnings == ["ulimit nofile=10:2000 discarded"]
    free = facts(can_raise_rlimits=True, hard_limits={"nofile": 1000})
    assert len(limits(plan(asked, place(), free))) == 2


def test_without_the_right_the_oom_score_is_left_alone_unless_asked_for() -> None:
    bound = facts(can_raise_rlimits=False)
    assert "oomScoreAdj" not in plan(record(), place(), bound).spec["process"]
    assert plan(record(oom_score_adj=5), place(), bound).spec["process"]["oomScoreAdj"] == 5
    assert plan(record(), place(), facts()).spec["process"]["oomScoreAdj"] == 0


def test_an_init_needs_a_process_namespace_of_its_own() -> None:
    joined = made(at={"init_path": "/init", "namespaces": {"pid": "host"}}, init=True)
    assert joined["process"]["args"] == ["true"]
    assert made(at={"init_path": ""}, init=True)["process"]["args"] == ["true"]
    assert made(at={"init_path": "/init"}, init=None)["process"]["args"] == ["true"]
    assert made(at={"init_path": "/init"}, init=True)["process"]["args"] == ["/sbin/docker-init", "--", "true"]


def test_given_path_lists_replace_the_defaults_and_empty_ones_count() -> None:
    assert made()["linux"]["maskedPaths"] == list(DEFAULT_MASKED_PATHS)
    assert made(masked_paths=["/x"])["linux"]["maskedPaths"] == ["/x"]
    assert made(masked_paths=[])["linux"]["maskedPaths"] == []
    assert made(security_opt=["systempaths=unconfined"])["linux"]["readonlyPaths"] == []


def namespaces(spec: dict[str, Any]) -> dict[str, str]:
    return {entry["type"]: entry.get("path", "") for entry in spec["linux"]["namespaces"]}


def test_namespaces_private_joined_and_the_hosts() -> None:
    spec = made(at={"namespaces": {"pid": "host", "ipc": "/proc/7/ns/ipc"}}, cgroupns_mode="private")
    assert namespaces(spec) == {"mount": "", "network": "", "uts": "", "ipc": "/proc/7/ns/ipc", "cgroup": ""}


def test_network_sysctls_only_where_the_namespace_is_its_own() -> None:
    assert made()["linux"]["sysctl"]["net.ipv4.ip_unprivileged_port_start"] == "0"
    assert "sysctl" not in made(network_mode="host", at={"namespaces": {"network": "host"}})["linux"]
    assert "sysctl" not in made(network_mode="container:x", at={"namespaces": {"network": "/proc/1/ns/net"}})["linux"]
    assert (
        made(sysctls={"net.ipv4.ip_unprivileged_port_start": "80"})["linux"]["sysctl"][
            "net.ipv4.ip_unprivileged_port_start"
        ]
        == "80"
    )


@pytest.mark.parametrize(
    ("propagations", "expected"),
    [(["rprivate"], None), (["rslave"], "rslave"), (["slave", "rshared"], "shared"), (["shared"], "shared")],
)
def test_the_roots_propagation_follows_its_mounts(propagations: list[str], expected: str | None) -> None:
    mounts = [PlacedMount(source="/s", destination=f"/{n}", propagation=each) for n, each in enumerate(propagations)]
    assert made(at={"mounts": mounts})["linux"].get("rootfsPropagation") == expected


def destinations(spec: dict[str, Any]) -> list[str]:
    return [mount["destination"] for mount in spec["mounts"]]


def test_taking_dev_takes_what_lies_below_it() -> None:
    listed = destinations(made(at={"mounts": [PlacedMount(source="/dev", destination="/dev")]}))
    assert [each for each in listed if each.startswith("/dev")] == ["/dev"]


def test_a_mount_of_ones_own_replaces_the_standard_one() -> None:
    spec = made(tmpfs={"/dev/shm": "size=1k"})
    assert destinations(spec).count("/dev/shm") == 1


def test_without_ipc_there_is_no_shm() -> None:
    assert "/dev/shm" in destinations(made(ipc_mode="private"))
    assert "/dev/shm" not in destinations(made(ipc_mode="none"))


def test_outer_mounts_come_first() -> None:
    mounts = [PlacedMount(source="/s", destination=each) for each in ("/a/b/c", "/a", "/a/b")]
    assert destinations(made(at={"mounts": mounts}))[-3:] == ["/a", "/a/b", "/a/b/c"]


@pytest.mark.parametrize(
    ("host_config", "of_the_host", "wanted"),
    [
        ({}, {"apparmor": True, "apparmor_profile": "ours"}, "ours"),
        ({}, {"apparmor": True}, None),
        ({"privileged": True}, {"apparmor": True, "apparmor_profile": "ours"}, "unconfined"),
        ({"security_opt": ["apparmor=unconfined"]}, {"apparmor": True, "apparmor_profile": "ours"}, "unconfined"),
        ({"security_opt": ["apparmor=mine"]}, {"apparmor": True, "apparmor_profile": "ours"}, "mine"),
        ({"security_opt": ["apparmor=mine"], "privileged": True}, {"apparmor": True}, "mine"),
        ({"security_opt": ["apparmor=mine"]}, {"apparmor": False}, None),
    ],
)
def test_apparmor(host_config: Any, of_the_host: Any, wanted: str | None) -> None:
    spec = plan(record(**host_config), place(), facts(**of_the_host)).spec
    assert spec["process"].get("apparmorProfile") == wanted


def test_no_seccomp_for_privileged() -> None:
    profile = {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}}
    assert "seccomp" in made(at=profile)["linux"]
    assert "seccomp" not in made(at=profile, privileged=True)["linux"]


def test_the_engines_default_for_new_privileges_yields_to_the_container() -> None:
    assert made(at={"no_new_privileges": True})["process"]["noNewPrivileges"] is True
    assert (
        "noNewPrivileges"
        not in made(at={"no_new_privileges": True}, security_opt=["no-new-privileges=false"])["process"]
    )


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda: made(cap_add=["NO_SUCH"]), 'unknown capability: "CAP_NO_SUCH"'),
        (lambda: made(security_opt=["x=y"]), 'invalid --security-opt 2: "x=y"'),
        (lambda: made(device_cgroup_rules=["x"]), "invalid device cgroup rule format: 'x'"),
        (
            lambda: made(at={"devices": [(DeviceMapping(path_on_host="/dev/nope"), [])]}),
            'error gathering device information while adding custom device "/dev/nope": no such file or directory',
        ),
        (lambda: made(tmpfs={"/x": "bogus"}), 'invalid tmpfs option ["bogus"]'),
    ],
)
def test_what_cannot_be_carried_out_is_refused(broken: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        broken()
    assert caught.value.message == message
