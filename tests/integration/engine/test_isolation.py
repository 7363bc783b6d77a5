"""What a container sees of itself and of the host, asked for through the API and looked at from inside."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Engine
from tests.integration.engine.rig import done, script, started
from wharfd.drivers.runtime.driver import find_init
from wharfd.engine.containers.plan import DEFAULT_MASKED_PATHS
from wharfd.sys.host import hard_limits
from wharfd.wire.limits import ALL_CAPABILITIES, DEFAULT_CAPABILITIES


def said(engine: Engine, text: str, config: dict[str, Any] | None = None, **host_config: Any) -> str:
    """What a shell script writes; it must succeed."""
    code, output = engine.run_to_end(*script(text), HostConfig=host_config, **(config or {}))
    assert code == 0, (code, output)
    return output


def mask(names: set[str]) -> str:
    return f"{sum(1 << ALL_CAPABILITIES.index(name) for name in names):016x}"


# Privileges


@pytest.mark.parametrize(
    ("host_config", "wanted"),
    [
        ({}, set(DEFAULT_CAPABILITIES)),
        (
            {"CapAdd": ["net_admin"], "CapDrop": ["CHOWN"]},
            set(DEFAULT_CAPABILITIES) - {"CAP_CHOWN"} | {"CAP_NET_ADMIN"},
        ),
        ({"CapDrop": ["ALL"], "CapAdd": ["CAP_KILL"]}, {"CAP_KILL"}),
    ],
)
def test_capabilities(engine: Engine, host_config: Any, wanted: set[str]) -> None:
    lines = said(engine, "grep ^Cap /proc/self/status", **host_config).split()
    none = "0" * 16
    assert lines[1::2] == [none, mask(wanted), mask(wanted), mask(wanted), none]


def test_a_user_that_is_not_root_has_no_capabilities(engine: Engine) -> None:
    lines = said(engine, "grep ^Cap /proc/self/status", {"User": "nobody"}).split()
    none = "0" * 16
    assert lines[1::2] == [none, none, none, mask(set(DEFAULT_CAPABILITIES)), none]


def test_the_default_seccomp_profile_is_in_force(engine: Engine) -> None:
    output = said(engine, "grep ^Seccomp: /proc/self/status; unshare -U true 2>&1 || echo refused")
    assert output.split()[:2] == ["Seccomp:", "2"]
    assert "Operation not permitted" in output
    assert output.endswith("refused\n")
    # Where AppArmor is on, its profile forbids mounts, as dockerd's does.
    assert said(engine, "unshare -m echo made", CapAdd=["SYS_ADMIN"], SecurityOpt=["apparmor=unconfined"]) == "made\n"


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_either_runtime_carries_it_out(engine: Engine, runtime: str) -> None:
    if runtime not in engine.get("/info").json["Runtimes"]:
        pytest.skip(f"not installed: {runtime}")
    text = "grep ^Seccomp: /proc/self/status; (unshare -U true || mount -t tmpfs x /tmp) 2>&1 | grep -c permitted; ls / >/dev/null"
    assert said(engine, text, Runtime=runtime).split() == ["Seccomp:", "2", "1"]


def test_seccomp_unconfined_and_privileged(engine: Engine) -> None:
    assert said(engine, "grep ^Seccomp: /proc/self/status", SecurityOpt=["seccomp=unconfined"]).split()[1] == "0"
    assert said(engine, "grep ^Seccomp: /proc/self/status", Privileged=True).split()[1] == "0"


def test_a_seccomp_profile_of_ones_own(engine: Engine) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    output = said(engine, "mkdir /tmp/x 2>&1; touch /tmp/y && echo end", SecurityOpt=[f"seccomp={json.dumps(profile)}"])
    assert "Operation not supported" in output
    assert output.endswith("end\n")


def test_no_new_privileges(engine: Engine) -> None:
    assert said(engine, "grep NoNewPrivs /proc/self/status").split()[1] == "0"
    assert said(engine, "grep NoNewPrivs /proc/self/status", SecurityOpt=["no-new-privileges"]).split()[1] == "1"


def test_masked_and_read_only_paths(engine: Engine) -> None:
    masked = [path for path in DEFAULT_MASKED_PATHS if Path(path).exists()]
    output = said(
        engine,
        f"for path in {' '.join(masked)}; do if [ -d $path ]; then ls -A $path; else head -c 1 $path 2>/dev/null; fi; done | wc -c; "
        "echo 60 2>&1 >/proc/sys/vm/swappiness || true",
    )
    assert masked
    assert output.split()[0] == "0"
    assert "Read-only file system" in output


def test_paths_are_masked_as_asked(engine: Engine) -> None:
    output = said(
        engine,
        "head -c 1 /proc/uptime | wc -c; grep -c ' /proc/sys ' /proc/mounts || true; echo 1 2>&1 >/proc/net/x || true",
        MaskedPaths=["/proc/uptime"],
        ReadonlyPaths=[],
    )
    assert output.split()[:2] == ["0", "0"]


def test_namespaces_are_its_own(engine: Engine) -> None:
    own = said(engine, "echo $$; for n in pid mnt uts ipc net; do readlink /proc/self/ns/$n; done").split()
    assert own[0] == "1"
    hosts = [str(Path(f"/proc/{engine.pid}/ns/{name}").readlink()) for name in ("pid", "mnt", "uts", "ipc", "net")]
    assert not set(own[1:]) & set(hosts)


def test_namespaces_of_the_host(engine: Engine) -> None:
    seen = said(
        engine,
        "for n in pid uts ipc net; do readlink /proc/self/ns/$n; done",
        PidMode="host",
        UTSMode="host",
        IpcMode="host",
        NetworkMode="host",
    )
    assert seen.split() == [
        str(Path(f"/proc/{engine.pid}/ns/{name}").readlink()) for name in ("pid", "uts", "ipc", "net")
    ]


def test_namespaces_of_another_container(engine: Engine) -> None:
    first = started(
        engine, *script("readlink /proc/self/ns/net /proc/self/ns/pid; echo up; exec sleep 1000"), says_first="up"
    )
    seen = said(
        engine,
        "readlink /proc/self/ns/net; readlink /proc/self/ns/pid; ps -o pid,args",
        NetworkMode=f"container:{first}",
        PidMode=f"container:{first}",
    )
    hosts = [
        str(Path(f"/proc/{engine.inspect(first)['State']['Pid']}/ns/{name}").readlink()) for name in ("net", "pid")
    ]
    assert seen.split()[:2] == hosts
    assert "1 sleep 1000" in seen


# Devices and limits of the process


def test_devices(engine: Engine) -> None:
    listed = set(said(engine, "ls /dev").split())
    assert listed - {"console"} == set(
        "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split()
    )


def test_a_device_that_was_not_given_cannot_be_used(engine: Engine) -> None:
    assert "Operation not permitted" in said(engine, "mknod /tmp/kmsg c 1 11; head -c 1 /tmp/kmsg 2>&1 || true")


def test_a_device_that_was_given(engine: Engine) -> None:
    device = {"PathOnHost": "/dev/null", "PathInContainer": "/dev/sink", "CgroupPermissions": "rw"}
    output = said(engine, "stat -c %t:%T /dev/sink; echo x >/dev/sink && echo written", Devices=[device])
    assert output.split() == ["1:3", "written"]


def test_a_device_rule_and_privileged_open_devices(engine: Engine) -> None:
    text = "mknod /tmp/kmsg c 1 11; : </tmp/kmsg && echo opened"
    assert said(engine, text, DeviceCgroupRules=["c 1:11 r"], CapAdd=["SYSLOG"]) == "opened\n"
    assert said(engine, text, Privileged=True) == "opened\n"


def test_rlimits(engine: Engine) -> None:
    limits = [{"Name": "nofile", "Soft": 64, "Hard": 128}, {"Name": "core", "Soft": 0, "Hard": 0}]
    rows = said(engine, "grep -e 'open files' -e 'core file' /proc/self/limits", Ulimits=limits).splitlines()
    assert [row.split()[-3:-1] for row in sorted(rows)] == [["0", "0"], ["64", "128"]]


def test_a_ulimit_that_the_engine_may_not_give_draws_a_warning(engine: Engine) -> None:
    own = hard_limits()["nofile"]
    if own < 0:
        pytest.skip("there is no limit on open files here")
    beyond = {"Name": "nofile", "Soft": own + 1, "Hard": own + 1}
    answer = done(
        engine.post("/containers/create", {"Image": "wharfd/busybox:local", "HostConfig": {"Ulimits": [beyond]}}), 201
    )
    may_raise = int(Path(f"/proc/{engine.pid}/status").read_text().split("CapEff:")[1].split()[0], 16) >> 24 & 1
    assert any("nofile" in words for words in answer.json["Warnings"]) is not bool(may_raise)


def test_the_oom_score(engine: Engine) -> None:
    assert said(engine, "cat /proc/self/oom_score_adj", OomScoreAdj=123).strip() == "123"


# Who it is


@pytest.mark.parametrize(
    ("user", "groups", "wanted"),
    [
        ("", [], "uid=0(root) gid=0(root) groups=0(root),10(wheel)"),
        ("www-data", [], "uid=33(www-data) gid=33(www-data)"),
        ("nobody:users", [], "uid=65534(nobody) gid=100(users)"),
        ("1234", [], "uid=1234 gid=0(root)"),
        ("1234:5678", ["disk", "77"], "uid=1234 gid=5678 groups=5678,6(disk),77"),
        ("33", ["users"], "uid=33(www-data) gid=33(www-data) groups=33(www-data),100(users)"),
    ],
)
def test_user_and_groups_are_looked_up_in_the_image(engine: Engine, user: str, groups: list[str], wanted: str) -> None:
    words = said(engine, "id", {"User": user}, GroupAdd=groups).split()
    asked = wanted.split()
    assert words[:2] == asked[:2]
    found = set(words[2].removeprefix("groups=").split(",")) if len(words) > 2 else set()
    extra = set(asked[2].removeprefix("groups=").split(",")) if len(asked) > 2 else set()
    assert found | {words[1].removeprefix("gid=")} == extra | {words[1].removeprefix("gid=")}


def test_a_user_that_is_not_in_the_image(engine: Engine) -> None:
    identifier = engine.create("true", User="nosuch")
    answer = engine.post(f"/containers/{identifier}/start")
    assert (answer.status, answer.message) == (500, "unable to find user nosuch: no matching entries in passwd file")


def test_environment_and_working_directory(engine: Engine) -> None:
    config = {"Env": ["A=1", "EMPTY=", "PATH=/bin", "SPACES=a  b"], "WorkingDir": "/srv/deep/down", "Hostname": "box"}
    lines = said(engine, "pwd; env | grep -v -e ^PWD= -e ^SHLVL=", config).splitlines()
    assert lines[0] == "/srv/deep/down"
    assert sorted(lines[1:]) == ["A=1", "EMPTY=", "HOME=/root", "HOSTNAME=box", "PATH=/bin", "SPACES=a  b"]


def test_home_is_the_users(engine: Engine) -> None:
    assert said(engine, "echo $HOME", {"User": "www-data"}) == "/var/www\n"


def test_entrypoint_and_command(engine: Engine) -> None:
    code, output = engine.run_to_end("b", "c", Entrypoint=["echo", "a"])
    assert (code, output) == (0, "a b c\n")


# Names and network


def test_host_and_domain_name(engine: Engine) -> None:
    text = "hostname; cat /etc/hostname /proc/sys/kernel/domainname"
    assert said(engine, text, {"Hostname": "web", "Domainname": "example.org"}).split() == ["web", "web", "example.org"]
    identifier = engine.run(*script("hostname"))
    engine.wait(identifier)
    assert engine.output(identifier).strip() == identifier[:12]


def test_hosts_and_resolv_conf(engine: Engine) -> None:
    output = said(
        engine,
        "cat /etc/hosts; echo ---; cat /etc/resolv.conf; echo ---; ip -4 -o addr show eth0; ip route",
        {"Hostname": "web"},
        ExtraHosts=["db:10.1.2.3", "up:host-gateway"],
        Dns=["192.0.2.53"],
        DnsSearch=["example.org"],
        DnsOptions=["ndots:2"],
    )
    hosts, resolv, network = output.split("---\n")
    gateway = network.split("default via ")[1].split()[0]
    address = network.split("inet ")[1].split("/")[0]
    rows = [tuple(row.split()) for row in hosts.splitlines()]
    assert ("127.0.0.1", "localhost") in rows
    assert rows[-3:] == [("10.1.2.3", "db"), (gateway, "up"), (address, "web")]
    assert [row for row in resolv.splitlines() if not row.startswith("#")] == [
        "nameserver 192.0.2.53",
        "search example.org",
        "options ndots:2",
    ]


def test_the_bridge_gives_what_inspect_says(engine: Engine) -> None:
    identifier = started(
        engine, *script("ip -o addr show eth0; ip -o link; ip route; exec sleep 1000"), says_first="via"
    )
    output = engine.output(identifier)
    shown = engine.inspect(identifier)["NetworkSettings"]["Networks"]["bridge"]
    assert f"inet {shown['IPAddress']}/{shown['IPPrefixLen']} " in output
    assert f"link/ether {shown['MacAddress']} " in output
    assert f"default via {shown['Gateway']} dev eth0" in output


def test_without_a_network_there_is_only_the_loopback(engine: Engine) -> None:
    assert said(engine, "ls /sys/class/net; ping -c 1 -w 2 127.0.0.1 >/dev/null", NetworkMode="none").split() == ["lo"]


# Its file system


def test_a_read_only_root_with_tmpfs(engine: Engine) -> None:
    output = said(
        engine,
        "touch /x 2>&1; touch /etc/x 2>&1; touch /scratch/x && grep ' /scratch ' /proc/mounts; stat -c %a /scratch",
        ReadonlyRootfs=True,
        Tmpfs={"/scratch": "size=1m,mode=711"},
    )
    assert output.count("Read-only file system") == 2
    options = output.splitlines()[2].split()[3].split(",")
    assert {"rw", "nosuid", "nodev", "noexec", "size=1024k"} <= set(options)
    assert output.split()[-1] == "711"


def test_the_size_of_shared_memory(engine: Engine) -> None:
    assert said(engine, "df -k /dev/shm | tail -n 1", ShmSize=5 << 20).split()[1] == "5120"
    assert said(engine, "df -k /dev/shm | tail -n 1").split()[1] == str(64 << 10)


def test_sysctls(engine: Engine) -> None:
    text = "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start"
    assert said(engine, text, Sysctls={"kernel.msgmax": "4321", "net.ipv4.ip_forward": "1"}).split() == [
        "4321",
        "1",
        "0",
    ]


def test_binds_and_volumes(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    output = said(
        engine,
        "cat /a/file; echo x 2>&1 >/b/new; echo kept >/data/x; ls /c",
        Binds=[f"{tmp_path}:/a", f"{tmp_path}:/b:ro", "named:/data"],
        Mounts=[{"Type": "bind", "Source": str(tmp_path), "Target": "/c", "ReadOnly": True}],
    )
    assert output.startswith("from the host\n")
    assert "Read-only file system" in output
    assert output.endswith("file\n")
    assert said(engine, "cat /data/x", Binds=["named:/data"]) == "kept\n"
    done(engine.delete("/volumes/named"))


def test_an_init_is_the_first_process_and_reaps(engine: Engine) -> None:
    if not find_init():
        pytest.skip("not installed: a static init")
    output = said(
        engine, "tr '\\0' ' ' </proc/1/cmdline; (sleep 0 &); sleep 0.2; ps -o stat | grep -c Z || true", Init=True
    )
    assert output.startswith("/sbin/docker-init -- sh -c ")
    assert output.split()[-1] == "0"


def test_a_vendors_device(tmp_path: Path) -> None:
    vendor = {
        "cdiVersion": "0.6.0",
        "kind": "example.com/device",
        "containerEdits": {"env": ["VENDOR=yes"]},
        "devices": [
            {
                "name": "null",
                "containerEdits": {
                    "deviceNodes": [{"path": "/dev/vendor", "hostPath": "/dev/null"}],
                    "mounts": [{"hostPath": str(tmp_path), "containerPath": "/vendor", "options": ["ro", "rbind"]}],
                },
            }
        ],
    }
    (tmp_path / "vendor.json").write_text(json.dumps(vendor))
    with Engine(tmp_path / "engine", flags=[f"--cdi-spec-dir={tmp_path}"]) as engine:
        engine.load_base_image()
        assert engine.get("/info").json["DiscoveredDevices"] == [{"Source": "cdi", "ID": "example.com/device=null"}]
        request = {"Driver": "cdi", "DeviceIDs": ["example.com/device=null"]}
        look = "echo $VENDOR; echo gone > /dev/vendor && stat -c '%F %t:%T' /dev/vendor; ls /vendor/vendor.json"
        code, text = engine.run_to_end("sh", "-c", look, HostConfig={"DeviceRequests": [request]})
        assert (code, text.split("\n")[:3]) == (0, ["yes", "character special file 1:3", "/vendor/vendor.json"])
        unknown = engine.create("true", HostConfig={"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["a.b/c=d"]}]})
        refused = engine.post(f"/containers/{unknown}/start")
        # Docker: what is wrong with a container's configuration at its start is an error of the system.
        assert refused.status == 500
        assert refused.message == "CDI device injection failed: unresolvable CDI devices a.b/c=d"
