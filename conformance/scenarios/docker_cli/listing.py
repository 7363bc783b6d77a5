"""docker ps, inspect, events, info, system df: what is told, and how it is chosen."""

import re
import time

from conformance.checks import eventually, has, holds, same
from conformance.docker_cli import ANY, Cli, scenario

PS = "ps -a --format '{{.Names}}' --filter name=PREFIX"


@scenario("listing", "ps shows what runs, -a everything, newest first", smoke=True)
def _(docker: Cli) -> None:
    docker("create --name @a IMAGE true")
    docker("run -d --name @b IMAGE sleep 1000")
    docker("run -d --name @c IMAGE sleep 1000")
    docker("ps --format '{{.Names}}' --filter name=PREFIX", out="@c\n@b\n")
    docker(PS, out="@c\n@b\n@a\n")
    docker("ps -q --no-trunc --filter name=@a", out="")
    docker("ps -n 2 --format '{{.Names}}'", out=ANY)


@scenario("listing", "ps: columns of one")
def _(docker: Cli) -> None:
    identifier = docker("run -d --name @c -l k=v IMAGE sleep 1000").word
    row = docker("ps --filter name=@c --format json").json
    has(
        row,
        {
            "Command": '"sleep 1000"',
            "ID": identifier[:12],
            "Image": docker.target.image,
            "LocalVolumes": "0",
            "Mounts": "",
            "Names": docker.target.expand("@c"),
            "Networks": "bridge",
            "Ports": "",
            "State": "running",
            "Status": re.compile(r"Up (Less than a second|\d+ seconds?|About a minute)"),
            "RunningFor": re.compile(r".* ago"),
            "Size": re.compile(r"0B( \(virtual .*\))?"),
        },
    )
    holds("k=v" in row["Labels"].split(","), f"Labels {row['Labels']!r}")


@scenario("listing", "ps -s: size of what was written, and of all")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'head -c 500000 /dev/zero > /f'")
    docker("ps -as --filter name=@c --format '{{.Size}}'", out=re.compile(r"500kB \(virtual \d\.\d+MB\)\n"))


@scenario("listing", "filters: status, exited, label, id, name as a pattern")
def _(docker: Cli) -> None:
    docker("run --name @one -l tier=web -l color=red IMAGE sh -c 'exit 3'", code=3)
    docker("run --name @two -l tier=web IMAGE true")
    three = docker("run -d --name @three -l tier=db IMAGE sleep 1000").word
    docker(f"{PS} --filter status=exited", out="@two\n@one\n")
    docker(f"{PS} --filter status=running --filter status=created", out="@three\n")
    docker(f"{PS} --filter exited=3", out="@one\n")
    docker(f"{PS} --filter label=tier=web", out="@two\n@one\n")
    docker(f"{PS} --filter label=tier=web --filter label=color=red", out="@one\n")
    docker(f"ps -a --format '{{{{.Names}}}}' --filter id={three[:20]}", out="@three\n")
    docker("ps -a --format '{{.Names}}' --filter 'name=^/?@t.*o$'", out="@two\n")


@scenario("listing", "filters: before, since, ancestor, volume, network, publish, expose")
def _(docker: Cli) -> None:
    docker("create --name @a IMAGE true")
    docker("create --name @b -v @v:/data IMAGE true")
    docker("network create @n", out=ANY)
    docker("create --name @c --network @n -p 8081:80 --expose 90 IMAGE true")
    docker(f"{PS} --filter before=@b", out="@a\n")
    docker(f"{PS} --filter since=@b", out="@c\n")
    docker(f"{PS} --filter ancestor=IMAGE", out="@c\n@b\n@a\n")
    docker(f"{PS} --filter volume=@v", out="@b\n")
    docker(f"{PS} --filter volume=/data", out="@b\n")
    docker(f"{PS} --filter network=@n", out="@c\n")
    docker(f"{PS} --filter network=bridge", out="@b\n@a\n")
    docker("run -d --name @d -p 127.0.0.1::80 --expose 90 IMAGE sleep 1000", out=ANY)
    docker(f"{PS} --filter publish=80", out=ANY)
    docker(f"{PS} --filter expose=90", out="@d\n")


@scenario("listing", "filters that are none, values that are none")
def _(docker: Cli) -> None:
    docker("ps --filter nothing=1", code=1, err="Error response from daemon: invalid filter 'nothing'")
    done = docker("ps --filter status=sleeping", code=1)
    holds("invalid value for state (sleeping)" in done.err, f"errors: {done.err!r}")
    done = docker("ps --filter before=@nothing", code=1)
    holds("No such container: " in done.err, f"errors: {done.err!r}")


@scenario("listing", "inspect: paths, arguments, image, platform, drivers")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE sh -c 'exit 0' extra")
    one = docker.inspect("@c")
    has(
        one,
        {
            "Path": "sh",
            "Args": ["-c", "exit 0", "extra"],
            "Image": docker.inspect("IMAGE", "image")["Id"],
            "Name": "/" + docker.target.expand("@c"),
            "RestartCount": 0,
            "Platform": "linux",
            "MountLabel": "",
            "ProcessLabel": "",
            "ExecIDs": None,
            "Created": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"),
            "ResolvConfPath": "",
            "HostnamePath": "",
            "HostsPath": "",
            "LogPath": "",
        },
    )


@scenario("listing", "inspect: the whole HostConfig of a plain container")
def _(docker: Cli) -> None:
    docker("create --name @c IMAGE true")
    config = docker.inspect("@c")["HostConfig"]
    has(
        config,
        {
            "Binds": None,
            "ContainerIDFile": "",
            "LogConfig": {"Type": "json-file", "Config": {}},
            "NetworkMode": "bridge",
            "PortBindings": {},
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "AutoRemove": False,
            "VolumeDriver": "",
            "VolumesFrom": None,
            "ConsoleSize": [0, 0],
            "CapAdd": None,
            "CapDrop": None,
            "Dns": [],
            "DnsOptions": [],
            "DnsSearch": [],
            "ExtraHosts": None,
            "GroupAdd": None,
            "IpcMode": "private",
            "Cgroup": "",
            "Links": None,
            "OomScoreAdj": 0,
            "PidMode": "",
            "Privileged": False,
            "PublishAllPorts": False,
            "ReadonlyRootfs": False,
            "SecurityOpt": None,
            "UTSMode": "",
            "UsernsMode": "",
            "ShmSize": 67108864,
            "Isolation": "",
            "CpuShares": 0,
            "Memory": 0,
            "NanoCpus": 0,
            "CgroupParent": "",
            "BlkioWeight": 0,
            "BlkioWeightDevice": [],
            "BlkioDeviceReadBps": [],
            "CpuPeriod": 0,
            "CpuQuota": 0,
            "CpuRealtimePeriod": 0,
            "CpusetCpus": "",
            "Devices": [],
            "DeviceCgroupRules": None,
            "DeviceRequests": None,
            "MemoryReservation": 0,
            "MemorySwap": 0,
            "MemorySwappiness": None,
            "OomKillDisable": None if docker.has_cgroup_v2() else False,
            "PidsLimit": None,
            "CpuCount": 0,
        },
        "HostConfig",
    )
    holds("/proc/kcore" in config["MaskedPaths"], "MaskedPaths")
    holds("/proc/sys" in config["ReadonlyPaths"], "ReadonlyPaths")


@scenario("listing", "inspect: the whole Config of a plain container")
def _(docker: Cli) -> None:
    identifier = docker("create --name @c IMAGE true").word
    config = docker.inspect("@c")["Config"]
    labels = config.pop("Labels")
    same(labels, {"conformance.run": docker.target.prefix}, "Labels")
    same(
        config,
        {
            "Hostname": identifier[:12],
            "Domainname": "",
            "User": "",
            "AttachStdin": False,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
            "OpenStdin": False,
            "StdinOnce": False,
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Cmd": ["true"],
            "Image": docker.target.image,
            "Volumes": None,
            "WorkingDir": "",
            "Entrypoint": None,
        }
        | {key: None for key in ("OnBuild",) if key in config},
        "Config",
    )


@scenario("listing", "inspect of several, of none, -s")
def _(docker: Cli) -> None:
    docker("create --name @a IMAGE true")
    docker("create --name @b IMAGE true")
    names = [each["Name"] for each in docker("inspect @a @b").json]
    same(names, [f"/{docker.target.prefix}a", f"/{docker.target.prefix}b"], "names")
    docker("inspect @nothing", code=1, out="[]\n")
    size = docker("inspect -s --type container @a").json[0]
    holds(size["SizeRw"] == 0 and size["SizeRootFs"] > 1_000_000, f"{size['SizeRw']} {size['SizeRootFs']}")


@scenario("listing", "events of a life, in order")
def _(docker: Cli) -> None:
    since = time.time() - 0.001
    docker("run --name @c -l k=v IMAGE sh -c 'exit 3'", code=3)
    docker("rm @c")
    done = docker(f"events --since {since:.3f} --until {time.time():.3f} --filter container=@c --format json")
    import json

    events = [json.loads(line) for line in done.lines]
    same([event["Action"] for event in events], ["create", "attach", "start", "die", "destroy"], "actions")
    has(events[0]["Actor"]["Attributes"], {"image": docker.target.image, "k": "v", "name": docker.target.expand("@c")})
    die = events[3]
    has(die["Actor"]["Attributes"], {"exitCode": "3", "execDuration": re.compile(r"\d+")}, "die")
    has(die, {"Type": "container", "scope": "local"})
    holds(abs(die["timeNano"] / 1e9 - die["time"]) < 1, "time and timeNano differ")


@scenario("listing", "events of kill, stop, pause, rename, update, exec, restart")
def _(docker: Cli) -> None:
    docker("run -d --init --name @c IMAGE sleep 1000")
    since = time.time()
    docker("pause @c")
    docker("unpause @c")
    docker("exec @c true")
    docker("rename @c @d")
    docker("update --cpu-shares 100 @d", err=ANY)
    docker("restart @d")
    docker("kill -s WINCH @d")
    docker("stop @d")
    done = docker(
        f"events --since {since:.3f} --until {time.time():.3f} --filter type=container "
        f"--filter label=conformance.run={docker.target.prefix} --format '{{{{.Action}}}}'"
    )
    actions = [line.partition(": ")[0] for line in done.lines]
    # The order of stop and die is left open: dockerd gives either.
    actions = [action for action in actions if action != "stop"]
    same(
        actions,
        "pause unpause exec_create exec_start exec_die rename update kill die start restart kill kill die".split(),
        "actions",
    )


@scenario("listing", "events of volumes and networks")
def _(docker: Cli) -> None:
    since = time.time()
    docker("network create @n")
    docker("run --rm --name @c --network @n -v @v:/d IMAGE true")
    docker("network rm @n")
    docker("volume rm @v")
    until = f"--since {since:.3f} --until {time.time():.3f} --format '{{{{.Action}}}}'"
    docker(f"events {until} --filter volume=@v", out="create\nmount\nunmount\ndestroy\n")
    docker(f"events {until} --filter network=@n", out="create\nconnect\ndisconnect\ndestroy\n")


@scenario("listing", "events as they come, and the plain form")
def _(docker: Cli) -> None:
    client = docker.begin("events --filter container=@c --filter event=create --filter event=destroy")
    time.sleep(0.7)
    identifier = docker("create --name @c IMAGE true").word
    docker("rm @c")
    text = client.until("destroy")
    line = text.splitlines()[0]
    name = docker.target.expand("@c")
    same(
        line,
        re.compile(
            rf"\d{{4}}-\d\d-\d\dT[\d:.]+Z container create {identifier} \(.*image={docker.target.image}, name={name}\)"
        ),
        "line",
    )


@scenario("listing", "version and info name the engine's side")
def _(docker: Cli) -> None:
    version = docker("version --format json").json["Server"]
    for key in ("Version", "ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion", "GoVersion", "GitCommit"):
        holds(isinstance(version.get(key), str), f"Server.{key} is missing")
    info = docker("info --format json", err=ANY).json
    for key in ("ID", "Name", "Driver", "CgroupDriver", "CgroupVersion", "DefaultRuntime", "OSType", "ServerVersion"):
        holds(bool(info.get(key)), f"{key} is missing")
    same((info["OSType"], info["LoggingDriver"]), ("linux", "json-file"))


@scenario("listing", "info counts containers by state")
def _(docker: Cli) -> None:
    docker("create --name @a IMAGE true")
    docker("run -d --name @b IMAGE sleep 1000")
    docker("run -d --name @c IMAGE sleep 1000")
    docker("pause @c")
    info = docker("info --format json", err=ANY).json
    same(info["Containers"], info["ContainersRunning"] + info["ContainersPaused"] + info["ContainersStopped"], "sum")
    holds(info["ContainersPaused"] >= 1 and info["ContainersRunning"] >= 1 and info["ContainersStopped"] >= 1, "counts")


@scenario("listing", "system df, and -v")
def _(docker: Cli) -> None:
    docker("run --name @c -v @v:/d IMAGE sh -c 'head -c 100000 /dev/zero > /f; head -c 200000 /dev/zero > /d/f'")
    rows = docker("system df").lines
    same([row.split("  ")[0] for row in rows], ["TYPE", "Images", "Containers", "Local Volumes", "Build Cache"], "rows")
    done = docker("system df -v")
    name = docker.target.expand("@v")
    holds(
        any(line.split() == [name, "1", "200kB"] for line in done.lines),
        f"no row of the volume in {done.out[-1500:]!r}",
    )


@scenario("listing", "port and ps show what is published")
def _(docker: Cli) -> None:
    docker("run -d --name @c -p 127.0.0.1:18080:80 -p 127.0.0.1:18081:81/udp --expose 90 IMAGE sleep 1000")
    docker("port @c", out="80/tcp -> 127.0.0.1:18080\n81/udp -> 127.0.0.1:18081\n")
    docker("port @c 80", out="127.0.0.1:18080\n")
    docker("port @c 81/udp", out="127.0.0.1:18081\n")
    docker("port @c 90", code=1)
    docker(
        "ps --filter name=@c --format '{{.Ports}}'", out="90/tcp, 127.0.0.1:18080->80/tcp, 127.0.0.1:18081->81/udp\n"
    )


@scenario("listing", "health: starting, healthy, in ps and inspect")
def _(docker: Cli) -> None:
    docker("run -d --name @c --health-cmd 'test -e /ok' --health-interval 300ms --health-retries 2 IMAGE sleep 1000")
    docker("ps --filter name=@c --format '{{.Status}}'", out=re.compile(r"Up .* \(health: starting\)\n"))
    eventually(lambda: same(docker.state("@c")["Health"]["Status"], "unhealthy"), 20)
    docker("exec @c touch /ok")
    eventually(lambda: same(docker.state("@c")["Health"]["Status"], "healthy"), 20)
    docker("ps --filter name=@c --filter health=healthy --format '{{.Status}}'", out=re.compile(r"Up .* \(healthy\)\n"))
    health = docker.state("@c")["Health"]
    has(health, {"FailingStreak": 0})
    holds(0 < len(health["Log"]) <= 5, f"{len(health['Log'])} results")
    has(health["Log"][-1], {"ExitCode": 0, "Output": ""})


@scenario("listing", "health: output is kept, --no-healthcheck, events")
def _(docker: Cli) -> None:
    since = time.time()
    docker("run -d --name @c --health-cmd 'echo fine; echo also >&2' --health-interval 300ms IMAGE sleep 1000")
    eventually(lambda: same(docker.state("@c")["Health"]["Status"], "healthy"), 20)
    holds("fine\n" in docker.state("@c")["Health"]["Log"][0]["Output"], "the output is not kept")
    done = docker(
        f"events --since {since:.3f} --until {time.time():.3f} --filter container=@c --filter event=health_status "
        "--format '{{.Action}}'"
    )
    same(done.out, "health_status: healthy\n", "events")
    docker("run -d --name @d --no-healthcheck IMAGE sleep 1000")
    holds("Health" not in docker.state("@d"), "there is Health")


@scenario("listing", "health: a probe that takes too long counts as failed")
def _(docker: Cli) -> None:
    docker(
        "run -d --name @c --health-cmd 'sleep 100' --health-interval 200ms --health-timeout 300ms --health-retries 1 IMAGE sleep 1000"
    )
    eventually(lambda: same(docker.state("@c")["Health"]["Status"], "unhealthy"), 20)
    result = docker.state("@c")["Health"]["Log"][0]
    same(
        (result["ExitCode"], result["Output"].startswith("Health check exceeded timeout (300ms)")),
        (-1, True),
        str(result),
    )
