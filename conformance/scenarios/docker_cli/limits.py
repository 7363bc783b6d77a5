"""Resource limits, seen from inside the container or in inspect, and docker update."""

import re

from conformance.checks import eventually, has, holds, same
from conformance.docker_cli import ANY, Cli, scenario

NO_RESOURCE = "raising a limit needs CAP_SYS_RESOURCE, which this machine may not give"


def cgroup(v2: str, v1: str) -> str:
    """A command that shows the file, whichever hierarchy is mounted."""
    return f"sh -c 'cat /sys/fs/cgroup/{v2} 2>/dev/null || cat /sys/fs/cgroup/{v1}'"


MEMORY = cgroup("memory.max", "memory/memory.limit_in_bytes")
SOFT = cgroup("memory.low", "memory/memory.soft_limit_in_bytes")
PIDS = cgroup("pids.max", "pids/pids.max")
CPUS = cgroup("cpuset.cpus", "cpuset/cpuset.cpus")
QUOTA = "sh -c 'cd /sys/fs/cgroup; cat cpu.max 2>/dev/null || echo $(cat cpu/cpu.cfs_quota_us) $(cat cpu/cpu.cfs_period_us)'"
SHARES = "sh -c 'cd /sys/fs/cgroup; cat cpu.weight 2>/dev/null || cat cpu/cpu.shares'"


@scenario("limits", "-m", smoke=True)
def _(docker: Cli) -> None:
    docker(f"run --rm -m 64m IMAGE {MEMORY}", out=f"{64 << 20}\n", err=ANY)


@scenario("limits", "-m below 6 MiB is refused")
def _(docker: Cli) -> None:
    done = docker("run --rm -m 5m IMAGE true", code=125)
    holds("Minimum memory limit allowed is 6MB" in done.err, f"errors: {done.err!r}")


@scenario("limits", "--memory-swap below -m, and without -m, is refused")
def _(docker: Cli) -> None:
    done = docker("run --rm -m 64m --memory-swap 32m IMAGE true", code=125)
    holds("Minimum memoryswap limit should be larger than memory limit, see usage" in done.err, f"errors: {done.err!r}")
    done = docker("run --rm --memory-swap 32m IMAGE true", code=125)
    holds("You should always set the Memory limit when using Memoryswap limit, see usage" in done.err, done.err)


@scenario("limits", "--memory-reservation")
def _(docker: Cli) -> None:
    docker(f"run --rm --memory-reservation 32m IMAGE {SOFT}", out=f"{32 << 20}\n")
    done = docker("run --rm -m 32m --memory-reservation 64m IMAGE true", code=125)
    holds("Minimum memory limit can not be less than memory reservation limit, see usage" in done.err, done.err)


@scenario("limits", "more memory than allowed: killed, OOMKilled, 137")
def _(docker: Cli) -> None:
    docker(
        "run --name @c -m 16m --memory-swap 16m IMAGE sh -c 'tail -c 200000000 /dev/zero | wc -c; true'",
        code=None,
        err=ANY,
    )
    docker("run --name @d -m 16m --memory-swap 16m IMAGE tail -c 200000000 /dev/zero", code=137, err=ANY, timeout=120)
    has(docker.state("@d"), {"OOMKilled": True, "ExitCode": 137}, "State")


@scenario("limits", "--pids-limit holds")
def _(docker: Cli) -> None:
    docker(f"run --rm --pids-limit 20 IMAGE {PIDS}", out="20\n")
    script = "n=0; while [ $n -lt 40 ]; do sleep 5 & n=$((n+1)); done; echo all"
    done = docker(f"run --rm --init --pids-limit 20 IMAGE sh -c '{script}'", code=None, err=ANY)
    holds("all" not in done.out and "fork" in done.err, f"{done.out!r} {done.err[-100:]!r}")
    docker(f"run --rm --pids-limit -1 IMAGE {PIDS}", out="max\n")


@scenario("limits", "--cpus")
def _(docker: Cli) -> None:
    docker(f"run --rm --cpus 0.5 IMAGE {QUOTA}", out="50000 100000\n")
    docker("run -d --name @c --cpus 1.25 IMAGE sleep 1000")
    same(docker.inspect("@c")["HostConfig"]["NanoCpus"], 1_250_000_000, "NanoCpus")


@scenario("limits", "--cpus beyond those of the host, and with a quota, is refused")
def _(docker: Cli) -> None:
    done = docker("run --rm --cpus 4096 IMAGE true", code=125)
    holds("range of CPUs is from 0.01 to" in done.err, f"errors: {done.err!r}")
    done = docker("run --rm --cpus 1 --cpu-quota 1000 IMAGE true", code=125)
    holds("Conflicting options: Nano CPUs and CPU Quota cannot both be set" in done.err, f"errors: {done.err!r}")


@scenario("limits", "--cpu-quota and --cpu-period")
def _(docker: Cli) -> None:
    docker(f"run --rm --cpu-quota 30000 --cpu-period 60000 IMAGE {QUOTA}", out="30000 60000\n")
    done = docker("run --rm --cpu-period 10 IMAGE true", code=125)
    holds("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)" in done.err, done.err)


@scenario("limits", "--cpu-shares")
def _(docker: Cli) -> None:
    docker(f"run --rm -c 512 IMAGE {SHARES}", out="20\n" if docker.has_cgroup_v2() else "512\n")


@scenario("limits", "--cpuset-cpus")
def _(docker: Cli) -> None:
    docker(f"run --rm --cpuset-cpus 0 IMAGE {CPUS}", out="0\n")
    docker("run --rm --cpuset-cpus 0 IMAGE nproc", out="1\n")
    done = docker("run --rm --cpuset-cpus 1000 IMAGE true", code=125)
    holds("Requested CPUs are not available - requested 1000, available: " in done.err, f"errors: {done.err!r}")
    done = docker("run --rm --cpuset-cpus a-b IMAGE true", code=125)
    holds("Invalid value a-b for cpuset cpus" in done.err, f"errors: {done.err!r}")


@scenario("limits", "--cpuset-mems")
def _(docker: Cli) -> None:
    docker(f"run --rm --cpuset-mems 0 IMAGE {cgroup('cpuset.mems', 'cpuset/cpuset.mems')}", out="0\n")


@scenario("limits", "--ulimit, soft and hard")
def _(docker: Cli) -> None:
    docker(
        "run --rm --ulimit nofile=100:200 --ulimit core=0 IMAGE sh -c 'ulimit -n; ulimit -Hn; ulimit -c'",
        out="100\n200\n0\n",
    )
    done = docker("run --rm --ulimit nothing=1 IMAGE true", code=125)
    holds("invalid ulimit type: nothing" in done.err, f"errors: {done.err!r}")


@scenario("limits", "--shm-size, 64 MiB without it")
def _(docker: Cli) -> None:
    size = "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2"
    docker(f'run --rm IMAGE sh -c "{size}"', out="65536\n")
    docker(f'run --rm --shm-size 8m IMAGE sh -c "{size}"', out="8192\n")


@scenario("limits", "--oom-score-adj", machine=NO_RESOURCE)
def _(docker: Cli) -> None:
    docker("run --rm --oom-score-adj 500 IMAGE cat /proc/self/oom_score_adj", out="500\n")
    done = docker("run --rm --oom-score-adj 5000 IMAGE true", code=125)
    holds("range for oom score adj is [-1000, 1000]" in done.err, f"errors: {done.err!r}")


@scenario("limits", "--oom-kill-disable", machine="cgroup v2 has no such thing and dockerd discards it with a warning")
def _(docker: Cli) -> None:
    docker("run -d --name @c -m 32m --oom-kill-disable IMAGE sleep 1000", err=ANY)
    if not docker.has_cgroup_v2():
        done = docker("exec @c cat /sys/fs/cgroup/memory/memory.oom_control")
        holds("oom_kill_disable 1" in done.out, f"output: {done.out!r}")


@scenario("limits", "--sysctl")
def _(docker: Cli) -> None:
    docker(
        "run --rm --sysctl net.core.somaxconn=1234 --sysctl kernel.msgmax=4321 IMAGE "
        "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax",
        out="1234\n4321\n",
    )
    done = docker("run --rm --sysctl kernel.hostname=x IMAGE true", code=125)
    holds("kernel.hostname" in done.err, f"errors: {done.err!r}")


@scenario("limits", "--device-write-bps and --device-read-iops in inspect")
def _(docker: Cli) -> None:
    docker("create --name @c --device-write-bps /dev/null:1mb --device-read-iops /dev/null:50 IMAGE true", err=ANY)
    has(
        docker.inspect("@c")["HostConfig"],
        {
            "BlkioDeviceWriteBps": [{"Path": "/dev/null", "Rate": 1048576}],
            "BlkioDeviceReadIOps": [{"Path": "/dev/null", "Rate": 50}],
        },
        "HostConfig",
    )


@scenario("limits", "update of memory, cpu and pids of a running one")
def _(docker: Cli) -> None:
    docker("run -d --name @c -m 64m --memory-swap 64m --pids-limit 100 IMAGE sleep 1000", err=ANY)
    docker("update -m 128m --memory-swap 128m --cpus 0.25 --pids-limit 50 --cpuset-cpus 0 @c", out="@c\n", err=ANY)
    docker(f"exec @c {MEMORY}", out=f"{128 << 20}\n")
    docker(f"exec @c {PIDS}", out="50\n")
    docker(f"exec @c {QUOTA}", out="25000 100000\n")
    docker(f"exec @c {CPUS}", out="0\n")
    has(
        docker.inspect("@c")["HostConfig"],
        {"Memory": 128 << 20, "NanoCpus": 250_000_000, "PidsLimit": 50},
        "HostConfig",
    )


@scenario("limits", "update of a stopped one holds at the next start")
def _(docker: Cli) -> None:
    docker(f"create --name @c IMAGE {MEMORY}")
    docker("update -m 32m --memory-swap 32m @c", out="@c\n", err=ANY)
    docker("start -a @c", out=f"{32 << 20}\n")


@scenario("limits", "update of the restart policy, also to stop a loop")
def _(docker: Cli) -> None:
    docker("run -d --name @c --restart always IMAGE sh -c 'sleep 0.2; exit 1'")
    docker("update --restart no @c", out="@c\n")
    eventually(lambda: has(docker.state("@c"), {"Status": "exited"}), 20)
    has(docker.inspect("@c")["HostConfig"]["RestartPolicy"], {"Name": "no", "MaximumRetryCount": 0}, "RestartPolicy")
    docker("run -d --rm --name @d IMAGE sleep 1000")
    done = docker("update --restart always @d", code=1)
    holds("Restart policy cannot be updated because AutoRemove is enabled for the container" in done.err, done.err)


@scenario("limits", "update without a flag is the client's refusal, of nothing the engine's")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    docker("update @c", code=1)
    done = docker("update -m 64m @nothing", code=1, err=ANY)
    holds("No such container: " in done.err, f"errors: {done.err!r}")


@scenario("limits", "update to memory below what is refused at create")
def _(docker: Cli) -> None:
    docker("run -d --name @c -m 64m --memory-swap 64m IMAGE sleep 1000", err=ANY)
    done = docker("update -m 1m @c", code=1)
    holds("Minimum memory limit allowed is 6MB" in done.err, f"errors: {done.err!r}")
    done = docker("update -m 128m @c", code=1)
    holds("Memory limit should be smaller than already set memoryswap limit" in done.err, f"errors: {done.err!r}")


@scenario("limits", "stats of one: the columns")
def _(docker: Cli) -> None:
    docker("run -d --name @c -m 64m IMAGE sleep 1000", err=ANY)
    row = docker("stats --no-stream --format json @c", timeout=30).json
    same(row["Name"], docker.target.expand("@c"), "Name")
    holds(row["MemUsage"].endswith(" / 64MiB"), f"MemUsage {row['MemUsage']!r}")
    same(row["PIDs"], "1", "PIDs")
    for key, form in (
        ("CPUPerc", r"\d+\.\d\d%"),
        ("MemPerc", r"\d+\.\d\d%"),
        ("NetIO", r"\S+B / \S+B"),
        ("BlockIO", r"\S+B / \S+B"),
    ):
        same(row[key], re.compile(form), key)


@scenario("limits", "stats of a busy one, of a stopped one and of none")
def _(docker: Cli) -> None:
    docker("run -d --name @busy IMAGE sh -c 'while :; do :; done'")
    docker("create --name @idle IMAGE true")
    percent = float(docker("stats --no-stream --format '{{.CPUPerc}}' @busy", timeout=30).word.rstrip("%"))
    holds(5 < percent < 1000, f"CPUPerc {percent}")
    docker("stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.PIDs}}' @idle", out="@idle 0.00% 0\n", timeout=30)
    done = docker("stats --no-stream @nothing", code=1, timeout=30)
    holds("No such container" in done.err, f"errors: {done.err!r}")


@scenario("limits", "a stream of stats goes on and ends with the client")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    client = docker.begin("stats --format '{{.Name}} {{.PIDs}}' @c")
    name = docker.target.expand("@c")

    def twice() -> None:
        holds(client.text.count(f"{name} 1") >= 3, f"output: {client.text[-300:]!r}")

    eventually(twice, 20)


@scenario("limits", "top: ps' columns, or those asked for")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sh -c 'sleep 999 & sleep 1000; true'")

    def two() -> None:
        same(len(docker("top @c").lines), 4, "lines")

    eventually(two)
    head, *rows = docker("top @c").lines
    same(head.split(), ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], "head")
    holds(any(row.endswith("sleep 999") for row in rows), f"rows: {rows}")
    head, *rows = docker("top @c -o pid,comm").lines
    same((head.split(), sorted(row.split()[1] for row in rows)), (["PID", "COMMAND"], ["sh", "sleep", "sleep"]))


@scenario("limits", "top of a stopped one, and with nonsense")
def _(docker: Cli) -> None:
    identifier = docker("create --name @c IMAGE true").word
    docker("top @c", code=1, err=f"Error response from daemon: container {identifier} is not running")
    docker("run -d --name @d IMAGE sleep 1000")
    docker("top @d --no-such-option", code=1)
