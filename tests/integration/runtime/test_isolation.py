"""What a container's process sees of itself and of the host, looked at from inside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.runtime.lab import Lab, needs
from wharfd.engine.containers.plan import capabilities
from wharfd.engine.containers.plan_mounts import PlacedMount
from wharfd.model.config import DeviceMapping, Ulimit
from wharfd.ports.host import HostDevice
from wharfd.sys.host import hard_limits
from wharfd.sys.mount import mount, unmount
from wharfd.wire.limits import ALL_CAPABILITIES, DEFAULT_CAPABILITIES

pytestmark = needs()


@pytest.fixture(params=["crun", "crun as it comes", "runc"])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    plain = request.param == "crun as it comes"
    runtime = request.param.split(" ")[0]
    async with Lab.open(tmp_path, runtime, joins_cgroups=not plain, compiles_seccomp=not plain) as lab:
        yield lab


def mask(names: list[str]) -> str:
    return f"{sum(1 << ALL_CAPABILITIES.index(name) for name in names):016x}"


async def test_capabilities_are_the_default_fourteen(lab: Lab) -> None:
    result = await lab.run("grep ^Cap /proc/self/status | tr -d '\\t'")
    expected = mask(list(DEFAULT_CAPABILITIES))
    assert result.stdout.split() == [
        "CapInh:0000000000000000",
        f"CapPrm:{expected}",
        f"CapEff:{expected}",
        f"CapBnd:{expected}",
        "CapAmb:0000000000000000",
    ]


async def test_capabilities_are_added_and_dropped(lab: Lab) -> None:
    result = await lab.run("grep ^CapEff /proc/self/status", cap_add=["net_admin"], cap_drop=["CAP_CHOWN", "MKNOD"])
    wanted = [*(set(DEFAULT_CAPABILITIES) - {"CAP_CHOWN", "CAP_MKNOD"}), "CAP_NET_ADMIN"]
    assert result.stdout.split()[-1] == mask(wanted)


async def test_privileged_has_all_that_the_engine_has(lab: Lab) -> None:
    record = lab.record("true", privileged=True)
    result = await lab.run("grep ^CapEff /proc/self/status; grep Seccomp: /proc/self/status", privileged=True)
    assert result.stdout.split()[1] == mask(capabilities(record.host_config, lab.facts))
    assert result.stdout.split()[-1] == "0"


async def test_another_user_has_no_capabilities_and_its_groups(lab: Lab) -> None:
    result = await lab.run("id; grep ^CapEff /proc/self/status; echo $HOME", config={"user": "web"}, group_add=["7"])
    lines = result.stdout.splitlines()
    assert lines[0].startswith("uid=1000(web) gid=1000(web) groups=")
    assert {"44(media)", "7", "1000(web)"} <= set(lines[0].split("groups=")[1].split(","))
    assert lines[1].split()[-1] == "0" * 16
    assert lines[2] == "/home/web"


async def test_the_default_seccomp_profile_is_in_force(lab: Lab) -> None:
    result = await lab.run("grep ^Seccomp: /proc/self/status")
    assert result.stdout.split() == ["Seccomp:", "2"]


async def test_a_profile_denies_what_it_says(lab: Lab) -> None:
    rule = {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [rule]}
    result = await lab.run("mkdir /tmp/x || touch /tmp/y && echo the rest works", place={"seccomp": profile})
    assert "Operation not supported" in result.stderr
    assert result.stdout == "the rest works\n"


async def test_without_a_profile_nothing_is_filtered(lab: Lab) -> None:
    result = await lab.run("grep ^Seccomp: /proc/self/status", place={"seccomp": None})
    assert result.stdout.split() == ["Seccomp:", "0"]


async def test_no_new_privileges(lab: Lab) -> None:
    result = await lab.run("grep NoNewPrivs /proc/self/status", security_opt=["no-new-privileges"])
    assert result.stdout.split() == ["NoNewPrivs:", "1"]
    result = await lab.run("grep NoNewPrivs /proc/self/status")
    assert result.stdout.split() == ["NoNewPrivs:", "0"]


async def test_namespaces_are_its_own(lab: Lab) -> None:
    script = "echo $$; hostname; for n in pid mnt uts ipc net; do readlink /proc/self/ns/$n; done"
    result = await lab.run(script)
    first, second, *own = result.stdout.split()
    assert (first, second) == ("1", "box")
    hosts = [str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("pid", "mnt", "uts", "ipc", "net")]
    assert all(mine != theirs for mine, theirs in zip(own, hosts, strict=True))


async def test_host_namespaces_are_the_hosts(lab: Lab) -> None:
    kinds = ("network", "uts", "pid", "ipc")
    result = await lab.run(
        "for n in net uts pid ipc; do readlink /proc/self/ns/$n; done",
        place={"namespaces": dict.fromkeys(kinds, "host")},
    )
    assert result.stdout.split() == [
        str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("net", "uts", "pid", "ipc")
    ]


async def test_a_namespace_of_another_container_is_joined(lab: Lab) -> None:
    first = await lab.begin("readlink /proc/self/ns/net; exec sleep 60")
    await first.says("net:")
    path = f"/proc/{first.launched.pid}/ns/net"
    second = await lab.run(
        "readlink /proc/self/ns/net", place={"namespaces": {"network": path}}, network_mode="container:x"
    )
    assert second.stdout.encode() == first.log()[0][1]


async def test_masked_and_read_only_paths(lab: Lab) -> None:
    script = (
        "cat /proc/kcore | head -c 1 | wc -c; ls /sys/firmware | wc -l; echo 1 >/proc/sys/vm/panic_on_oom; echo end"
    )
    result = await lab.run(script)
    assert result.stdout.split() == ["0", "0", "end"]
    assert "Read-only file system" in result.stderr


async def test_empty_path_lists_leave_them_open(lab: Lab) -> None:
    result = await lab.run("mount | grep -c ' /proc/sys '", masked_paths=[], readonly_paths=[])
    assert result.stdout.split() == ["0"]


async def test_sysfs_is_read_only_unless_privileged(lab: Lab) -> None:
    script = "mount | grep ' on /sys ' | cut -d'(' -f2 | cut -d, -f1"
    assert (await lab.run(script)).stdout == "ro\n"
    assert (await lab.run(script, privileged=True)).stdout == "rw\n"


async def test_a_read_only_root(lab: Lab) -> None:
    script = "touch /x; touch /etc/x; touch /dev/shm/x /tmp/x && echo written"
    result = await lab.run(script, readonly_rootfs=True, tmpfs={"/tmp": ""})
    assert result.stderr.count("Read-only file system") == 2
    assert result.stdout == "written\n"


async def test_tmpfs_with_its_options(lab: Lab) -> None:
    result = await lab.run(
        "mount | grep ' /scratch '; stat -c %a /scratch", tmpfs={"/scratch": "size=1m,mode=711,exec"}
    )
    options = set(result.stdout.split("(")[1].split(")")[0].split(","))
    assert {"rw", "nosuid", "nodev", "size=1024k"} <= options
    assert "noexec" not in options
    assert result.stdout.split()[-1] == "711"


async def test_the_size_of_shared_memory(lab: Lab) -> None:
    result = await lab.run("df -k /dev/shm | tail -n 1", shm_size=5 << 20)
    assert result.stdout.split()[1] == "5120"


async def test_default_devices_and_no_others(lab: Lab) -> None:
    result = await lab.run(
        "ls /dev; echo ---; for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done"
    )
    listed, missing = result.stdout.split("---\n")
    assert missing == ""
    assert not {"sda", "vda", "kmsg", "mem", "fuse"} & set(listed.split())


# Nodes are made in /dev: the directory of the test may lie on a file system mounted nodev.


async def test_a_device_that_was_not_given_cannot_be_used(lab: Lab) -> None:
    result = await lab.run("mknod /dev/log0 c 1 11 && head -c 1 /dev/log0")
    assert "Operation not permitted" in result.stderr


async def test_a_device_cgroup_rule_opens_one(lab: Lab) -> None:
    script = "mknod /dev/log0 c 1 11 && : </dev/log0 && echo opened"
    result = await lab.run(script, device_cgroup_rules=["c 1:11 r"], cap_add=["SYSLOG"])
    assert result.stdout == "opened\n", result.stderr


async def test_a_mapped_device_is_there_under_its_name(lab: Lab) -> None:
    mapping = DeviceMapping(path_on_host="/dev/null", path_in_container="/dev/sink", cgroup_permissions="rw")
    node = HostDevice(path="/dev/null", type="c", major=1, minor=3, mode=0o640, gid=44)
    result = await lab.run(
        "stat -c '%a %g %t:%T' /dev/sink; echo x >/dev/sink && echo written",
        devices=[mapping],
        place={"devices": [(mapping, [node])]},
    )
    assert result.stdout.split() == ["640", "44", "1:3", "written"]


async def test_privileged_may_use_every_device(lab: Lab) -> None:
    result = await lab.run("mknod /dev/log0 c 1 11 && : </dev/log0 && echo opened", privileged=True)
    assert result.stdout == "opened\n", result.stderr


async def test_sysctls_are_the_namespaces_own(lab: Lab) -> None:
    script = (
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax"
    )
    result = await lab.run(script, sysctls={"kernel.msgmax": "4321"})
    assert result.stdout.split() == ["0", "0", "2147483647", "4321"]


async def test_the_domain_name(lab: Lab) -> None:
    result = await lab.run("cat /proc/sys/kernel/domainname", config={"domainname": "example.org"})
    assert result.stdout == "example.org\n"


async def test_ulimits(lab: Lab) -> None:
    own = hard_limits()["nofile"]
    result = await lab.run("grep 'open files' /proc/self/limits", ulimits=[Ulimit(name="nofile", soft=64, hard=128)])
    assert result.stdout.split()[3:5] == ["64", "128"]
    assert own == -1 or own > 128


async def test_working_directory_is_made_and_entered(lab: Lab) -> None:
    result = await lab.run("pwd", config={"working_dir": "/srv/deep/down"})
    assert result.stdout == "/srv/deep/down\n"


async def test_environment(lab: Lab) -> None:
    result = await lab.run("env | grep -v -e ^PWD= -e ^SHLVL=", config={"env": ["A=1", "PATH=/bin", "HOME"]})
    assert sorted(result.stdout.split()) == ["A=1", "HOME=/root", "HOSTNAME=box", "PATH=/bin"]


async def test_binds_with_their_modes(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "data"
    (source / "inner").mkdir(parents=True)
    (source / "file").write_text("from the host\n")
    mounts = [
        PlacedMount(source=str(source), destination="/a"),
        PlacedMount(source=str(source), destination="/b", read_only=True),
        PlacedMount(source=str(source / "file"), destination="/etc/motd"),
    ]
    result = await lab.run("cat /a/file /etc/motd; echo x >/a/new; echo x >/b/new", place={"mounts": mounts})
    assert result.stdout == "from the host\n" * 2
    assert "Read-only file system" in result.stderr
    assert (source / "new").read_text() == "x\n"


async def test_read_only_binds_with_what_is_mounted_below(lab: Lab, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    mount("tmpfs", str(source / "inner"), "tmpfs")
    try:
        mounts = [
            PlacedMount(source=str(source), destination="/all", read_only=True, recursive_read_only=True),
            PlacedMount(source=str(source), destination="/top", read_only=True),
            PlacedMount(source=str(source), destination="/flat", recursive=False),
        ]
        script = "for p in all top flat; do touch /$p/inner/$p; done; touch /flat/here"
        result = await lab.run(script, place={"mounts": mounts})
        assert result.stderr.count("Read-only file system") == 1
        assert [each.name for each in (source / "inner").iterdir()] == ["top"]
    finally:
        unmount(str(source / "inner"))
    assert {each.name for each in (source / "inner").iterdir()} == {"flat"}


async def test_nested_mounts_do_not_hide_each_other(lab: Lab, tmp_path: Path) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    (outer / "in").mkdir(parents=True)
    inner.mkdir()
    (inner / "deep").write_text("deep\n")
    mounts = [
        PlacedMount(source=str(inner), destination="/o/in"),
        PlacedMount(source=str(outer), destination="/o"),
    ]
    result = await lab.run("cat /o/in/deep", place={"mounts": mounts})
    assert result.stdout == "deep\n"


async def test_files_of_the_engine_are_bound(lab: Lab, tmp_path: Path) -> None:
    files = {}
    for name in ("hostname", "hosts", "resolv.conf"):
        (tmp_path / name).write_text(f"{name} of the engine\n")
        files[name.replace(".", "_") + "_path"] = str(tmp_path / name)
    result = await lab.run("cat /etc/hostname /etc/hosts /etc/resolv.conf", place=files)
    assert result.stdout == "hostname of the engine\nhosts of the engine\nresolv.conf of the engine\n"


async def test_an_init_is_the_first_process(lab: Lab) -> None:
    if not lab.driver.init_path:
        pytest.skip("not installed: a static init")
    result = await lab.run("cat /proc/1/cmdline | tr '\\0' ' '", init=True, place={"init_path": lab.driver.init_path})
    assert result.stdout.startswith("/sbin/docker-init -- sh -c ")


async def test_its_cgroup_is_the_root_of_what_it_sees(lab: Lab) -> None:
    result = await lab.run("cat /proc/self/cgroup | cut -d: -f3", cgroupns_mode="private")
    assert set(result.stdout.split()) == {"/"}


async def test_the_hosts_cgroup_namespace_shows_where_it_is(lab: Lab) -> None:
    record_seen = await lab.run("cat /proc/self/cgroup", cgroupns_mode="host")
    assert "wharfd" in record_seen.stdout
