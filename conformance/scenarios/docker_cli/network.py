"""Networks: modes, names, addresses, published ports."""

import re
import socket
import urllib.request

from conformance.checks import Mismatch, eventually, has, holds, same
from conformance.docker_cli import ANY, Cli, scenario

HTTPD = "sh -c 'mkdir /www; hostname > /www/name; httpd -f -p 80 -h /www'"


def fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            text: str = answer.read().decode()
            return text
    except OSError as e:
        raise Mismatch(f"{url}: {e}") from e


@scenario("network", "none has only lo, host has the host's, container: shares", smoke=True)
def _(docker: Cli) -> None:
    docker("run --rm --network none IMAGE ls /sys/class/net", out="lo\n")
    docker("run -d --name @a -h box IMAGE sleep 1000")
    address = docker("exec @a sh -c 'ip -o -4 addr show eth0'").out.split()[3]
    docker(
        "run --rm --network container:@a IMAGE sh -c 'hostname; ip -o -4 addr show eth0'",
        out=re.compile(f"box\n.*{address} .*\n"),
    )
    docker("run --rm --network host IMAGE hostname", out=f"{docker.target.info['Name']}\n")


@scenario("network", "a published port is reached; it is given back afterwards")
def _(docker: Cli) -> None:
    for _ in range(2):
        docker(f"run -d --name @web -h web -p 127.0.0.1:18085:80 IMAGE {HTTPD}")
        eventually(lambda: same(fetch("http://127.0.0.1:18085/name"), "web\n"))
        docker("rm -f @web")
    with socket.socket() as other:
        other.settimeout(3)
        same(other.connect_ex(("127.0.0.1", 18085)) != 0, True, "refused")


@scenario("network", "a random port, both families, -P")
def _(docker: Cli) -> None:
    docker(f"run -d --name @web -h web -p 80 IMAGE {HTTPD}")
    ports = docker.inspect("@web")["NetworkSettings"]["Ports"]["80/tcp"]
    same(sorted(each["HostIp"] for each in ports), ["0.0.0.0", "::"], "HostIp")
    eventually(lambda: same(fetch(f"http://127.0.0.1:{ports[0]['HostPort']}/name"), "web\n"))
    docker("run -d --name @p -P --expose 81 IMAGE sleep 1000")
    holds(docker.inspect("@p")["NetworkSettings"]["Ports"]["81/tcp"][0]["HostPort"] != "", "no port")


@scenario("network", "a port that is taken: 125, and the text that clients know")
def _(docker: Cli) -> None:
    docker("run -d --name @a -p 127.0.0.1:18086:80 IMAGE sleep 1000")
    done = docker("run -d --name @b -p 127.0.0.1:18086:80 IMAGE sleep 1000", code=125)
    holds("Bind for 127.0.0.1:18086 failed: port is already allocated" in done.err, f"errors: {done.err!r}")
    has(docker.state("@b"), {"Status": "created", "Running": False})
    docker("rm -f @a")
    docker("start @b", out="@b\n")


@scenario("network", "a range of ports")
def _(docker: Cli) -> None:
    docker("run -d --name @a -p 127.0.0.1:18090-18092:80-82 IMAGE sleep 1000")
    docker("port @a", out="80/tcp -> 127.0.0.1:18090\n81/tcp -> 127.0.0.1:18091\n82/tcp -> 127.0.0.1:18092\n")
    docker("run -d --name @b -p 127.0.0.1:18090-18095:80 IMAGE sleep 1000")
    docker("port @b", out="80/tcp -> 127.0.0.1:18093\n")


@scenario("network", "inspect of a running and of a stopped one")
def _(docker: Cli) -> None:
    docker("run -d --name @c IMAGE sleep 1000")
    settings = docker.inspect("@c")["NetworkSettings"]
    bridge = settings["Networks"]["bridge"]
    has(
        bridge,
        {"IPAMConfig": None, "Links": None, "Aliases": None, "DriverOpts": None, "GwPriority": 0, "DNSNames": None}
        | {"IPAddress": re.compile(r"\d+\.\d+\.\d+\.\d+"), "IPPrefixLen": int(bridge["IPPrefixLen"])}
        | {"MacAddress": re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}"), "EndpointID": re.compile("[0-9a-f]{64}")},
        "bridge",
    )
    docker("stop -t 0 @c")
    has(
        docker.inspect("@c")["NetworkSettings"]["Networks"]["bridge"],
        {"IPAddress": "", "Gateway": "", "EndpointID": ""},
    )


@scenario("network", "a network of one's own: names, aliases, short id")
def _(docker: Cli) -> None:
    docker("network create @n", out=re.compile("[0-9a-f]{64}\n"))
    identifier = docker("run -d --name @a --network @n --network-alias db IMAGE sleep 1000").word
    address = docker.inspect("@a")["NetworkSettings"]["Networks"][docker.target.expand("@n")]["IPAddress"]
    for name in ("@a", "db", identifier[:12]):
        docker(
            f"run --rm --network @n IMAGE sh -c 'ping -c 1 -W 2 {name} | head -1'",
            out=f"PING {name} ({address}): 56 data bytes\n",
        )
    docker("run --rm --network @n IMAGE ping -c 1 -W 2 nothing", code=1)


@scenario("network", "the default bridge has no names but --link")
def _(docker: Cli) -> None:
    docker("run -d --name @a IMAGE sleep 1000")
    docker(
        "run --rm --link @a:mail IMAGE sh -c 'grep -c mail /etc/hosts; ping -c 1 -W 2 mail > /dev/null && echo reached'",
        out="1\nreached\n",
    )
    docker("run --rm IMAGE ping -c 1 -W 1 @a", code=1)


@scenario("network", "--ip, --ip6, --mac-address")
def _(docker: Cli) -> None:
    docker("network create --subnet 10.123.45.0/24 --gateway 10.123.45.254 --ipv6 --subnet fd00:cf:1::/64 @n")
    docker(
        "run --rm --network @n --ip 10.123.45.77 --ip6 fd00:cf:1::77 --mac-address 02:42:0a:00:00:01 IMAGE "
        'sh -c \'ip -o addr show eth0 scope global | tr -s " " | cut -d" " -f4; cat /sys/class/net/eth0/address; ip route | grep default\'',
        out=re.compile("10.123.45.77/24\nfd00:cf:1::77/64\n02:42:0a:00:00:01\ndefault via 10.123.45.254 dev eth0 *\n"),
    )
    docker("run -d --name @a --network @n --ip 10.123.45.78 IMAGE sleep 1000")
    done = docker("run -d --name @b --network @n --ip 10.123.45.78 IMAGE sleep 1000", code=125)
    holds("Address already in use" in done.err, f"errors: {done.err!r}")
    done = docker("run --rm --network @n --ip 10.9.9.9 IMAGE true", code=125)
    holds(
        "no configured subnet contains IP address 10.9.9.9" in done.err or "subnet" in done.err, f"errors: {done.err!r}"
    )


@scenario("network", "--ip on a network whose subnet nobody chose is refused")
def _(docker: Cli) -> None:
    docker("network create @n")
    done = docker("run --rm --network @n --ip 10.1.2.3 IMAGE true", code=125)
    holds(
        "user specified IP address is supported only when connecting to networks with user configured subnets"
        in done.err,
        done.err,
    )
    done = docker("run --rm --ip 172.17.0.99 IMAGE true", code=125)
    holds("user specified IP address is supported on user defined networks only" in done.err, f"errors: {done.err!r}")


@scenario("network", "connect and disconnect while it runs")
def _(docker: Cli) -> None:
    docker("network create @n")
    docker("run -d --name @c IMAGE sleep 1000")
    docker("network connect --alias extra @n @c", out="")
    docker("exec @c ls /sys/class/net", out="eth0\neth1\nlo\n")
    docker("run --rm --network @n IMAGE ping -c 1 -W 2 extra", out=ANY)
    docker("network disconnect @n @c", out="")
    docker("exec @c ls /sys/class/net", out="eth0\nlo\n")
    done = docker("network disconnect @n @c", code=1)
    holds("is not connected to" in done.err, f"errors: {done.err!r}")
    docker("network connect @n @c")
    done = docker("network connect @n @c", code=1)
    holds("already exists in network" in done.err or "already attached to network" in done.err, f"errors: {done.err!r}")


@scenario("network", "connect before the start, two networks at run")
def _(docker: Cli) -> None:
    docker("network create @m")
    docker("network create @n")
    docker("create --name @c --network @m IMAGE ls /sys/class/net")
    docker("network connect @n @c")
    docker("start -a @c", out="eth0\neth1\nlo\n")
    docker("run --rm --network @m --network @n IMAGE ls /sys/class/net", out="eth0\neth1\nlo\n")


@scenario("network", "network inspect: its containers, its addresses")
def _(docker: Cli) -> None:
    docker("network create --subnet 10.99.7.0/24 --label a=1 -o com.docker.network.bridge.enable_icc=true @n")
    identifier = docker("run -d --name @c --network @n IMAGE sleep 1000").word
    network = docker.inspect("@n", "network")
    has(
        network,
        {
            "Name": docker.target.expand("@n"),
            "Scope": "local",
            "Driver": "bridge",
            "EnableIPv6": False,
            "IPAM": {"Driver": "default", "Options": {}, "Config": [{"Subnet": "10.99.7.0/24"}]},
            "Internal": False,
            "Attachable": False,
            "Ingress": False,
            "ConfigFrom": {"Network": ""},
            "ConfigOnly": False,
            "Options": {"com.docker.network.bridge.enable_icc": "true"},
            "Labels": {"a": "1"},
        },
    )
    has(
        network["Containers"],
        {identifier: {"Name": docker.target.expand("@c"), "IPv4Address": "10.99.7.2/24", "IPv6Address": ""}},
    )


@scenario("network", "ls with filters, rm, prune")
def _(docker: Cli) -> None:
    docker("network create --label @l @a")
    docker("network create --label @l @b")
    docker("run -d --name @c --network @b IMAGE sleep 1000")
    docker(
        "network ls --filter label=@l --format '{{.Name}} {{.Driver}} {{.Scope}}'",
        out="@a bridge local\n@b bridge local\n",
    )
    docker("network ls -q --filter name=@a --filter driver=null", out="")
    docker("network prune -f --filter label=@l", out="Deleted Networks:\n@a\n\n")
    done = docker("network rm @b", code=1)
    holds("has active endpoints" in done.err, f"errors: {done.err!r}")
    docker("rm -f @c")
    docker("network rm @b", out="@b\n")
    docker("network rm @b", code=1)


@scenario("network", "names that are taken or not allowed, drivers that are none")
def _(docker: Cli) -> None:
    docker("network create @n")
    docker(
        "network create @n",
        code=1,
        err=f"Error response from daemon: network with name {docker.target.prefix}n already exists",
    )
    docker("network rm bridge", code=1)
    docker("network create bridge", code=1)
    done = docker("network create -d nothing @m", code=1)
    holds('plugin "nothing" not found' in done.err, f"errors: {done.err!r}")


@scenario("network", "subnets that overlap are refused")
def _(docker: Cli) -> None:
    docker("network create --subnet 10.99.8.0/24 @a")
    done = docker("network create --subnet 10.99.8.128/25 @b", code=1)
    holds("Pool overlaps with other one on this address space" in done.err, f"errors: {done.err!r}")
    done = docker("network create --subnet 10.99.8 @c", code=1)
    holds("invalid" in done.err.lower(), f"errors: {done.err!r}")


@scenario("network", "--internal: no way out, but to each other")
def _(docker: Cli) -> None:
    docker("network create --internal @n")
    docker("run -d --name @a --network @n IMAGE sleep 1000")
    docker(
        "run --rm --network @n IMAGE sh -c 'ip route | grep -c default; ping -c 1 -W 2 @a >/dev/null && echo reached'",
        out="0\nreached\n",
    )


@scenario("network", "two networks do not reach each other")
def _(docker: Cli) -> None:
    docker("network create @m")
    docker("network create @n")
    docker("run -d --name @a --network @m IMAGE sleep 1000")
    address = docker("inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' @a").word
    docker(f"run --rm --network @m IMAGE ping -c 1 -W 2 {address}", out=ANY)
    docker(f"run --rm --network @n IMAGE ping -c 1 -W 1 {address}", code=1)


@scenario("network", "--dns, --dns-search, --dns-option, --add-host")
def _(docker: Cli) -> None:
    docker(
        "run --rm --dns 10.1.1.1 --dns 10.1.1.2 --dns-search example.test --dns-option ndots:3 IMAGE grep -v ^# /etc/resolv.conf",
        out=re.compile("\n?nameserver 10.1.1.1\nnameserver 10.1.1.2\nsearch example.test\noptions ndots:3\n\n?"),
    )
    docker(
        "run --rm --add-host db:10.0.0.9 --add-host six:fd00::9 IMAGE grep -E '(db|six)$' /etc/hosts",
        out="10.0.0.9\tdb\nfd00::9\tsix\n",
    )
    docker("run --rm --add-host gw:host-gateway IMAGE grep gw /etc/hosts", out=re.compile(r"\d+\.\d+\.\d+\.\d+\tgw\n"))


@scenario("network", "/etc/hosts and resolv.conf of a network of one's own")
def _(docker: Cli) -> None:
    docker("network create --subnet 10.99.9.0/24 @n")
    docker(
        "run --rm --network @n -h box --domainname example.test IMAGE cat /etc/hosts",
        out=re.compile("127.0.0.1\tlocalhost\n(::1|ff0|fe0).*\n10.99.9.2\tbox.example.test box\n", re.S),
    )
    docker("run --rm --network @n IMAGE grep nameserver /etc/resolv.conf", out="nameserver 127.0.0.11\n")


@scenario("network", "rename gives the new name in the network's names")
def _(docker: Cli) -> None:
    docker("network create @n")
    docker("run -d --name @a --network @n IMAGE sleep 1000")
    docker("rename @a @b")
    docker("run --rm --network @n IMAGE ping -c 1 -W 2 @b", out=ANY)
    docker("run --rm --network @n IMAGE ping -c 1 -W 2 @a", code=1)


@scenario("network", "an alias of several containers gives all addresses")
def _(docker: Cli) -> None:
    docker("network create @n")
    docker("run -d --name @a --network @n --network-alias all IMAGE sleep 1000")
    docker("run -d --name @b --network @n --network-alias all IMAGE sleep 1000")
    done = docker("run --rm --network @n IMAGE nslookup -type=a all 127.0.0.11", code=None)
    same(len(re.findall(r"^Address: \d", done.out, re.M)), 2, f"addresses in {done.out!r}")


@scenario("network", "a container reaches its own name and its own published port")
def _(docker: Cli) -> None:
    docker("network create @n")
    docker(f"run -d --name @web -h web --network @n -p 18087:80 IMAGE {HTTPD}")
    ask = r"printf 'GET /name HTTP/1.0\r\n\r\n'"
    eventually(lambda: docker("exec @web wget -qO- http://@web/name", out="web\n"))
    gateway = docker("exec @web sh -c 'ip route | grep default | cut -d\" \" -f3'").word
    docker(f'exec @web sh -c "{ask} | nc -w 3 {gateway} 18087 | tail -1"', out="web\n")
    docker(f'run --rm --network @n IMAGE sh -c "{ask} | nc -w 3 {gateway} 18087 | tail -1"', out="web\n")


@scenario("network", "host mode with -p warns, container mode refuses")
def _(docker: Cli) -> None:
    docker(
        "run --rm --network host -p 80:80 IMAGE true",
        err=re.compile("WARNING: Published ports are discarded when using host network mode"),
    )
    docker("run -d --name @a IMAGE sleep 1000")
    done = docker("run --rm --network container:@a -p 80:80 IMAGE true", code=125)
    holds(
        "conflicting options: port publishing and the container type network mode" in done.err, f"errors: {done.err!r}"
    )
    done = docker("run --rm --network container:@a -h box IMAGE true", code=125)
    holds("conflicting options: hostname and the network mode" in done.err, f"errors: {done.err!r}")


@scenario("network", "--sysctl per endpoint and per container namespace")
def _(docker: Cli) -> None:
    docker(
        "run --rm --sysctl net.ipv4.ip_unprivileged_port_start=80 IMAGE cat /proc/sys/net/ipv4/ip_unprivileged_port_start",
        out="80\n",
    )


@scenario(
    "network",
    "macvlan and ipvlan without a parent: an internal link of their own",
    machine="the kernel has no dummy links, macvlan or ipvlan",
)
def _(docker: Cli) -> None:
    for driver in ("macvlan", "ipvlan"):
        docker(f"network create -d {driver} --subnet 10.77.1.0/24 @{driver}", out=ANY)
        docker(f"run -d --name @{driver}1 --network @{driver} IMAGE sleep 1000")
        docker(f"run --rm --network @{driver} IMAGE ping -c 1 -W 2 @{driver}1", out=ANY)
        docker(f"rm -f @{driver}1")
        docker(f"network rm @{driver}", out=ANY)
