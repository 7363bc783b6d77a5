"""Capabilities, privileges, devices and namespaces, seen from inside."""

import re

from conformance.checks import holds, same
from conformance.docker_cli import ANY, Cli, scenario

CAPS = "IMAGE sh -c 'grep -E ^Cap /proc/self/status | tr -d \"\\t\"'"
DEFAULT = "00000000a80425fb"


def caps(effective: str, *, permitted: str = "", bounding: str = "", inheritable: str = "0000000000000000") -> str:
    permitted = permitted or effective
    return f"CapInh:{inheritable}\nCapPrm:{permitted}\nCapEff:{effective}\nCapBnd:{bounding or permitted}\nCapAmb:{'0' * 16}\n"


@scenario("security", "capabilities of root, and of another user", smoke=True)
def _(docker: Cli) -> None:
    docker(f"run --rm {CAPS}", out=caps(DEFAULT))
    docker(f"run --rm -u 1000 {CAPS}", out=caps("0" * 16, bounding=DEFAULT))


@scenario("security", "--cap-add and --cap-drop, with and without CAP_, any case")
def _(docker: Cli) -> None:
    docker(f"run --rm --cap-drop ALL {CAPS}", out=caps("0" * 16))
    docker(f"run --rm --cap-drop ALL --cap-add CAP_NET_RAW --cap-add chown {CAPS}", out=caps("0000000000002001"))
    docker(f"run --rm --cap-drop MKNOD {CAPS}", out=caps("00000000a00425fb"))
    docker(f"run --rm --cap-add NET_ADMIN --cap-add SYS_TIME {CAPS}", out=caps("00000000aa0435fb"))


@scenario("security", "a capability that is none")
def _(docker: Cli) -> None:
    done = docker("run --rm --cap-add NOTHING IMAGE true", code=125)
    holds('invalid CapAdd: unknown capability: "CAP_NOTHING"' in done.err, f"errors: {done.err!r}")


@scenario("security", "capabilities as inspect shows them")
def _(docker: Cli) -> None:
    docker("create --name @c --cap-add net_admin --cap-drop CAP_CHOWN IMAGE true")
    config = docker.inspect("@c")["HostConfig"]
    same((config["CapAdd"], config["CapDrop"]), (["CAP_NET_ADMIN"], ["CAP_CHOWN"]))


@scenario("security", "--privileged: all capabilities, devices, a writable /sys, no seccomp")
def _(docker: Cli) -> None:
    docker(
        "run --rm --privileged IMAGE grep CapEff /proc/self/status", out=re.compile("CapEff:\t000001f[ef]f[ef]ffffff\n")
    )
    docker("run --rm --privileged IMAGE grep Seccomp: /proc/self/status", out="Seccomp:\t0\n")
    docker(
        "run --rm --privileged IMAGE sh -c 'ls /dev | wc -l; grep \" /sys \" /proc/mounts'",
        out=re.compile(r"\d\d+\nsysfs /sys sysfs rw,.*\n"),
    )
    docker("run --rm IMAGE sh -c 'grep \" /sys \" /proc/mounts'", out=re.compile(r"sysfs /sys sysfs ro,.*\n"))


@scenario("security", "seccomp: on by default, unconfined, a profile of one's own")
def _(docker: Cli) -> None:
    docker("run --rm IMAGE grep Seccomp: /proc/self/status", out="Seccomp:\t2\n")
    docker("run --rm --security-opt seccomp=unconfined IMAGE grep Seccomp: /proc/self/status", out="Seccomp:\t0\n")
    docker.file(
        "profile.json",
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}',
    )
    done = docker("run --rm --security-opt seccomp=DIR/profile.json IMAGE mkdir /x", code=1)
    holds("Operation not permitted" in done.err, f"errors: {done.err!r}")
    docker("run --rm --security-opt seccomp=DIR/profile.json IMAGE touch /x")


@scenario("security", "seccomp: the default profile forbids what it must, a capability opens it")
def _(docker: Cli) -> None:
    done = docker("run --rm IMAGE unshare -m true", code=1)
    holds("Operation not permitted" in done.err, f"errors: {done.err!r}")
    docker("run --rm --cap-add SYS_ADMIN --security-opt apparmor=unconfined IMAGE unshare -m true")


@scenario("security", "--security-opt no-new-privileges")
def _(docker: Cli) -> None:
    docker("run --rm IMAGE grep NoNewPrivs /proc/self/status", out="NoNewPrivs:\t0\n")
    docker("run --rm --security-opt no-new-privileges IMAGE grep NoNewPrivs /proc/self/status", out="NoNewPrivs:\t1\n")
    docker(
        "run --rm --security-opt no-new-privileges:false IMAGE grep NoNewPrivs /proc/self/status",
        out="NoNewPrivs:\t0\n",
    )


@scenario("security", "a --security-opt that is none")
def _(docker: Cli) -> None:
    done = docker("run --rm --security-opt nothing=1 IMAGE true", code=125)
    holds('invalid --security-opt 2: "nothing=1"' in done.err, f"errors: {done.err!r}")


@scenario("security", "masked and read-only paths, and systempaths=unconfined")
def _(docker: Cli) -> None:
    docker("run --rm IMAGE sh -c 'cat /proc/keys /proc/timer_list /sys/firmware/* 2>/dev/null | wc -c'", out="0\n")
    done = docker("run --rm IMAGE sh -c 'echo x > /proc/sys/kernel/shmmax'", code=1)
    holds("Read-only file system" in done.err, f"errors: {done.err!r}")
    docker("create --name @c --security-opt systempaths=unconfined IMAGE true")
    config = docker.inspect("@c")["HostConfig"]
    holds(
        not config["MaskedPaths"] and not config["ReadonlyPaths"], f"{config['MaskedPaths']} {config['ReadonlyPaths']}"
    )


@scenario("security", "--device: there, with its rights, under another name")
def _(docker: Cli) -> None:
    docker("run --rm --device /dev/full IMAGE sh -c 'stat -c %t:%T /dev/full'", out="1:7\n")
    docker(
        "run --rm --device /dev/full:/dev/other:r IMAGE sh -c 'stat -c %t:%T /dev/other; head -c 3 /dev/other | wc -c'",
        out="1:7\n3\n",
    )
    done = docker("run --rm --device /dev/no-such-device IMAGE true", code=127)
    holds('error gathering device information while adding custom device "/dev/no-such-device"' in done.err, done.err)


@scenario("security", "--device-cgroup-rule lets a node of one's own be used")
def _(docker: Cli) -> None:
    script = "mknod /n c 1 9 && head -c 3 /n | wc -c"
    docker(f"run --rm --device-cgroup-rule 'c 1:9 rmw' IMAGE sh -c '{script}'", out="3\n")
    done = docker("create --device-cgroup-rule 'x 1:9 rmw' IMAGE true", code=None)
    holds(done.code in (1, 125) and "invalid device cgroup format" in done.err, f"{done.code} {done.err!r}")


@scenario("security", "a device that is not given cannot be opened")
def _(docker: Cli) -> None:
    done = docker("run --rm IMAGE sh -c 'mknod /loop b 7 0; head -c 1 /loop'", code=1)
    holds("Operation not permitted" in done.err, f"errors: {done.err!r}")


@scenario("security", "the nodes of /dev")
def _(docker: Cli) -> None:
    nodes = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"
    # crun makes a link `core`, which runc has given up.
    same([line for line in docker("run --rm IMAGE ls /dev").lines if line != "core"], nodes.split())
    same([line for line in docker("run --rm -t IMAGE ls -1 /dev").lines if line != "core"], ["console", *nodes.split()])


@scenario("security", "--pid host and container:")
def _(docker: Cli) -> None:
    docker("run --rm --pid host IMAGE sh -c 'test $(ls -d /proc/[0-9]* | wc -l) -gt 5 && echo many'", out="many\n")
    docker("run -d --name @a IMAGE sleep 987")
    done = docker("run --rm --pid container:@a IMAGE ps -o args")
    holds("sleep 987" in done.out, f"output: {done.out!r}")
    done = docker("run --rm --pid container:@nothing IMAGE true", code=125)
    holds("No such container: " in done.err, f"errors: {done.err!r}")


@scenario("security", "--ipc: private, shareable, container:, host, none")
def _(docker: Cli) -> None:
    docker("run -d --name @a --ipc shareable IMAGE sh -c 'echo x > /dev/shm/f; sleep 1000'")
    docker("exec @a true")
    docker("run --rm --ipc container:@a IMAGE cat /dev/shm/f", out="x\n")
    docker("run -d --name @b IMAGE sleep 1000")
    done = docker("run --rm --ipc container:@b IMAGE true", code=125)
    holds("non-shareable IPC" in done.err, f"errors: {done.err!r}")
    docker("run --rm --ipc none IMAGE sh -c 'grep -c \" /dev/shm \" /proc/mounts'", out="0\n", code=1)
    docker("run --rm --ipc host IMAGE true")


@scenario("security", "--uts host")
def _(docker: Cli) -> None:
    docker("run --rm --uts host IMAGE hostname", out=f"{docker.target.info['Name']}\n")
    done = docker("run --rm --uts host -h box IMAGE hostname", code=125)
    holds("conflicting options: hostname and the UTS mode" in done.err, f"errors: {done.err!r}")


@scenario("security", "--cgroupns private and host")
def _(docker: Cli) -> None:
    docker("run --rm --cgroupns private IMAGE sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u'", out="/\n")
    done = docker("run --rm --cgroupns host IMAGE cat /proc/self/cgroup")
    holds(any(line.split(":", 2)[2] != "/" for line in done.lines), f"output: {done.out!r}")


@scenario("security", "--cgroup-parent")
def _(docker: Cli) -> None:
    if docker.target.info.get("CgroupDriver") == "systemd":
        docker("create --name @c --cgroup-parent conformance.slice IMAGE true")
        return
    done = docker("run --rm --cgroup-parent /conformance --cgroupns host IMAGE cat /proc/self/cgroup")
    holds("/conformance/" in done.out, f"output: {done.out!r}")


@scenario("security", "--userns host, and one that is none")
def _(docker: Cli) -> None:
    docker("run --rm --userns host IMAGE id -u", out="0\n")
    docker("run --rm --userns nothing IMAGE true", code=125, err=ANY)


@scenario("security", "--runtime that is not known")
def _(docker: Cli) -> None:
    done = docker("run --rm --runtime no-such-runtime IMAGE true", code=125)
    holds("unknown or invalid runtime name: no-such-runtime" in done.err, f"errors: {done.err!r}")


@scenario("security", "--runtime runc, by its name", machine="an engine without runc cannot")
def _(docker: Cli) -> None:
    docker("run --rm --runtime runc IMAGE echo hi", out="hi\n")


@scenario("security", "--isolation default, --annotation")
def _(docker: Cli) -> None:
    docker("create --name @c --isolation default --annotation a.b=c IMAGE true")
    same(docker.inspect("@c")["HostConfig"]["Annotations"], {"a.b": "c"}, "Annotations")


@scenario("security", "--gpus where there is none")
def _(docker: Cli) -> None:
    done = docker("run --rm --gpus all IMAGE true", code=125)
    holds('could not select device driver "" with capabilities: [[gpu]]' in done.err, f"errors: {done.err!r}")


@scenario("security", "--storage-opt size where the file system cannot", machine="succeeds on xfs with project quotas")
def _(docker: Cli) -> None:
    done = docker("run --rm --storage-opt size=10M IMAGE true", code=125)
    holds("--storage-opt is supported only for overlay over xfs with 'pquota' mount option" in done.err, done.err)


@scenario("security", "host's files cannot be reached by mknod or mount")
def _(docker: Cli) -> None:
    docker("run --rm IMAGE mount -t tmpfs none /mnt", code=1, err=ANY)
    docker("run --rm IMAGE sh -c 'mount -t proc proc /tmp'", code=1, err=ANY)
    docker("run --rm IMAGE chroot /proc/1/root true")
