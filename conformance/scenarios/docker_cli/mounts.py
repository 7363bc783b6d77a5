"""Volumes, binds, tmpfs and --mount."""

import re

from conformance.checks import eventually, has, holds, same
from conformance.docker_cli import ANY, Cli, scenario


@scenario("mounts", "a named volume keeps what is written", smoke=True)
def _(docker: Cli) -> None:
    docker("run --rm -v @v:/data IMAGE sh -c 'echo kept > /data/f'")
    docker("run --rm -v @v:/data:ro IMAGE cat /data/f", out="kept\n")
    done = docker("run --rm -v @v:/data:ro IMAGE touch /data/g", code=1)
    holds("Read-only file system" in done.err, f"errors: {done.err!r}")


@scenario("mounts", "an empty volume is filled from the image, with owners and modes")
def _(docker: Cli) -> None:
    docker("run --name @c IMAGE sh -c 'mkdir -m 2750 /d; echo x > /d/f; chown 12:34 /d /d/f; chmod 600 /d/f'")
    docker("commit @c @image", out=ANY)
    docker("run --rm -v @v:/d @image stat -c '%n %a %u:%g' /d /d/f", out="/d 2750 12:34\n/d/f 600 12:34\n")
    docker("run --rm -v @v:/other IMAGE cat /other/f", out="x\n")
    docker("run --rm -v @w:/d:nocopy @image ls /d", out="")
    docker("run --rm --mount type=volume,src=@x,dst=/d,volume-nocopy @image ls /d", out="")


@scenario("mounts", "a bind: both ways, ro, a file")
def _(docker: Cli) -> None:
    docker.file("d/in", "from outside\n")
    docker("run --rm -v DIR/d:/d IMAGE sh -c 'cat /d/in; echo from inside > /d/out'", out="from outside\n")
    same((docker.directory / "d/out").read_text(), "from inside\n")
    docker("run --rm -v DIR/d:/d:ro IMAGE touch /d/x", code=1)
    docker("run --rm -v DIR/d/in:/etc/one IMAGE cat /etc/one", out="from outside\n")


@scenario("mounts", "-v makes the host's directory, --mount refuses without it")
def _(docker: Cli) -> None:
    docker("run --rm -v DIR/made/here:/d IMAGE touch /d/f")
    holds((docker.directory / "made/here/f").exists(), "the directory is not made")
    done = docker("run --rm --mount type=bind,src=DIR/nothing,dst=/d IMAGE true", code=125)
    holds(f"bind source path does not exist: {docker.directory}/nothing" in done.err, f"errors: {done.err!r}")
    docker("run --rm --mount type=bind,src=DIR/nothing,dst=/d,bind-create-src IMAGE true", code=None, err=ANY)


@scenario("mounts", "--mount in its forms")
def _(docker: Cli) -> None:
    docker.file("d/f", "x")
    docker("run --rm --mount type=bind,source=DIR/d,target=/d,readonly IMAGE cat /d/f", out="x")
    docker("run --rm --mount type=volume,src=@v,dst=/v IMAGE touch /v/f")
    docker("run --rm --mount type=volume,src=@v,dst=/v,readonly IMAGE ls /v", out="f\n")
    docker("run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 IMAGE stat -c %a /t", out="1770\n")
    docker("run --rm --mount type=volume,dst=/anonymous IMAGE touch /anonymous/f")
    done = docker("run --rm --mount type=nothing,dst=/x IMAGE true", code=125)
    holds("nothing" in done.err, f"errors: {done.err!r}")


@scenario("mounts", "--tmpfs: options, size and default mode")
def _(docker: Cli) -> None:
    docker(
        "run --rm --tmpfs /t IMAGE sh -c 'grep \" /t \" /proc/mounts'",
        out=re.compile(r"tmpfs /t tmpfs rw,nosuid,nodev,noexec,relatime.*\n"),
    )
    docker(
        "run --rm --tmpfs /t:size=1m,exec,mode=700 IMAGE sh -c 'stat -c %a /t; head -c 2000000 /dev/zero > /t/f'",
        out="700\n",
        code=1,
    )


@scenario("mounts", "--volume-subpath", since="1.45")
def _(docker: Cli) -> None:
    docker("run --rm -v @v:/d IMAGE sh -c 'mkdir -p /d/a/b; echo deep > /d/a/b/f'")
    docker("run --rm --mount type=volume,src=@v,dst=/x,volume-subpath=a/b IMAGE cat /x/f", out="deep\n")
    done = docker("run --rm --mount type=volume,src=@v,dst=/x,volume-subpath=nothing IMAGE true", code=None)
    holds(done.code in (125, 127) and "no such file or directory" in done.err, f"{done.code} {done.err!r}")


@scenario("mounts", "type=image", since="1.48")
def _(docker: Cli) -> None:
    docker(
        "run --rm --mount type=image,src=IMAGE,dst=/i IMAGE sh -c 'ls /i/bin/busybox; touch /i/x'",
        out="/i/bin/busybox\n",
        code=1,
        err=ANY,
    )


@scenario("mounts", "--volumes-from, also read-only")
def _(docker: Cli) -> None:
    docker.file("d/f", "bind\n")
    docker("create --name @a -v @v:/vol -v DIR/d:/bind:ro IMAGE true")
    docker("run --rm --volumes-from @a IMAGE sh -c 'echo volume > /vol/f; cat /vol/f /bind/f'", out="volume\nbind\n")
    docker("run --rm --volumes-from @a:ro IMAGE touch /vol/g", code=1)
    done = docker("run --rm --volumes-from @nothing IMAGE true", code=125)
    holds("No such container: " in done.err, f"errors: {done.err!r}")


@scenario("mounts", "one inside the other, in any order")
def _(docker: Cli) -> None:
    docker.file("outer/f", "outer\n")
    docker.file("inner/f", "inner\n")
    docker("run --rm -v DIR/inner:/a/b -v DIR/outer:/a IMAGE cat /a/f /a/b/f", out="outer\ninner\n")


@scenario("mounts", "two at one place are refused")
def _(docker: Cli) -> None:
    done = docker("run --rm -v @v:/d -v @w:/d IMAGE true", code=125)
    holds("Duplicate mount point: /d" in done.err, f"errors: {done.err!r}")


@scenario("mounts", "wrong forms of -v")
def _(docker: Cli) -> None:
    done = docker("run --rm -v @v:relative IMAGE true", code=125)
    holds("mount path must be absolute" in done.err, f"errors: {done.err!r}")
    done = docker("run --rm -v @v:/d:nothing IMAGE true", code=125)
    holds("invalid mode: nothing" in done.err, f"errors: {done.err!r}")
    done = docker("run --rm -v DIR:/ IMAGE true", code=125)
    holds("destination can't be '/'" in done.err, f"errors: {done.err!r}")
    done = docker("run --rm -v 'a b:/d' IMAGE true", code=125)
    holds("includes invalid characters for a local volume name" in done.err, f"errors: {done.err!r}")


@scenario("mounts", "propagation: private by default, rshared lets a mount through")
def _(docker: Cli) -> None:
    (docker.directory / "d").mkdir()
    docker(
        "run --rm -v DIR/d:/d IMAGE sh -c 'grep \" /d \" /proc/self/mountinfo | grep -c -e shared: -e master:'",
        out="0\n",
        code=1,
    )
    docker("create --name @c -v DIR/d:/d:rslave IMAGE true")
    has(docker.inspect("@c")["Mounts"][0], {"Propagation": "rslave"})
    done = docker("run --rm -v @v:/d:rshared IMAGE true", code=125)
    holds("invalid" in done.err, f"errors: {done.err!r}")


@scenario("mounts", "Mounts of inspect: bind, volume, anonymous, tmpfs")
def _(docker: Cli) -> None:
    (docker.directory / "d").mkdir()
    docker("create --name @c -v DIR/d:/b:ro -v @v:/v -v /anon --mount type=tmpfs,dst=/t IMAGE true")
    mounts = {mount["Destination"]: mount for mount in docker.inspect("@c")["Mounts"]}
    has(
        mounts["/b"],
        {"Type": "bind", "Source": f"{docker.directory}/d", "Mode": "ro", "RW": False, "Propagation": "rprivate"},
        "/b",
    )
    has(
        mounts["/v"],
        {
            "Type": "volume",
            "Name": docker.target.expand("@v"),
            "Driver": "local",
            "Mode": "z",
            "RW": True,
            "Propagation": "",
        },
        "/v",
    )
    has(mounts["/anon"], {"Type": "volume", "Driver": "local", "Mode": "", "RW": True}, "/anon")
    same(len(mounts["/anon"]["Name"]), 64, "length of the anonymous name")
    has(mounts["/t"], {"Type": "tmpfs", "Source": "", "Mode": "", "RW": True, "Propagation": ""}, "/t")


@scenario("mounts", "anonymous volumes carry a label and go with rm -v")
def _(docker: Cli) -> None:
    docker("create --name @c -v /anon IMAGE true")
    name = docker.inspect("@c")["Mounts"][0]["Name"]
    same(docker.inspect(name, "volume")["Labels"], {"com.docker.volume.anonymous": ""}, "Labels")


@scenario("mounts", "volume create, ls, inspect, rm")
def _(docker: Cli) -> None:
    docker("volume create --label a=1 @v", out="@v\n")
    docker("volume create @v", out="@v\n")
    volume = docker.inspect("@v", "volume")
    has(
        volume,
        {
            "Name": docker.target.expand("@v"),
            "Driver": "local",
            "Scope": "local",
            "Labels": {"a": "1"},
            "Options": None,
        },
    )
    same(sorted(volume), ["CreatedAt", "Driver", "Labels", "Mountpoint", "Name", "Options", "Scope"], "keys")
    docker("volume ls -q --filter name=@v --filter label=a=1", out="@v\n")
    docker("volume rm @v", out="@v\n")
    docker("volume inspect @v", code=1, err="Error response from daemon: get @v: no such volume")
    docker("volume rm @v", code=1, err="Error response from daemon: get @v: no such volume")
    docker("volume rm -f @v", out="@v\n")


@scenario("mounts", "a volume in use cannot be removed")
def _(docker: Cli) -> None:
    identifier = docker("create --name @c -v @v:/d IMAGE true").word
    docker(
        "volume rm @v",
        code=1,
        err=f"Error response from daemon: remove @v: volume is in use - [{identifier}]",
    )
    docker("volume ls -q --filter dangling=true --filter name=@v", out="")
    docker("rm @c")
    docker("volume ls -q --filter dangling=true --filter name=@v", out="@v\n")


@scenario("mounts", "a volume's options: tmpfs, bind, and those that are none")
def _(docker: Cli) -> None:
    docker("volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=1000 @t", out="@t\n")
    docker("run --rm -v @t:/t IMAGE sh -c 'stat -c %u /t; grep -c \"tmpfs /t tmpfs\" /proc/mounts'", out="1000\n1\n")
    (docker.directory / "d").mkdir()
    docker("volume create -o type=none -o device=DIR/d -o o=bind @b", out="@b\n")
    docker("run --rm -v @b:/b IMAGE touch /b/f")
    holds((docker.directory / "d/f").exists(), "it is not written through")
    done = docker("volume create -o nothing=1 @n", code=1)
    holds('invalid option: "nothing"' in done.err, f"errors: {done.err!r}")


@scenario("mounts", "volume prune: anonymous ones, with -a named ones too")
def _(docker: Cli) -> None:
    docker("volume create --label @prune @v")
    docker("volume prune -f --filter label=@prune", out="Total reclaimed space: 0B\n")
    docker("volume prune -af --filter label=@prune", out="Deleted Volumes:\n@v\n\nTotal reclaimed space: 0B\n")


@scenario("mounts", "an unknown driver")
def _(docker: Cli) -> None:
    done = docker("volume create -d nothing @v", code=1)
    holds('error looking up volume plugin nothing: plugin "nothing" not found' in done.err, f"errors: {done.err!r}")


@scenario("mounts", "two containers share a volume live")
def _(docker: Cli) -> None:
    docker("run -d --name @a -v @v:/d IMAGE sleep 1000")
    docker("run -d --name @b -v @v:/d IMAGE sleep 1000")
    docker("exec @a sh -c 'echo live > /d/f'")
    eventually(lambda: docker("exec @b cat /d/f", out="live\n"))


@scenario("mounts", "hosts, resolv.conf and hostname are mounts of the engine's")
def _(docker: Cli) -> None:
    docker(
        'run --rm IMAGE sh -c \'grep -c -e " /etc/hosts " -e " /etc/resolv.conf " -e " /etc/hostname " /proc/mounts\'',
        out="3\n",
    )
    docker.file("hosts", "mine\n")
    docker("run --rm -v DIR/hosts:/etc/hosts IMAGE cat /etc/hosts", out="mine\n")
