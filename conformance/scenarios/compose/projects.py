"""docker compose: projects that go up, are used, and go down."""

import json
import re
import signal
import time
import urllib.request

from conformance.checks import Mismatch, eventually, has, holds, same
from conformance.compose import Compose, scenario

WEB = """
services:
  web:
    image: IMAGE
    init: true
    command: sh -c 'mkdir -p /www; hostname > /www/name; exec httpd -f -p 80 -h /www'
    ports: ["127.0.0.1:18180:80"]
"""
SLEEP = """
services:
  web:
    image: IMAGE
    init: true
    command: sleep 1000
"""
TWO = """
services:
  web:
    image: IMAGE
    init: true
    command: sleep 1000
  db:
    image: IMAGE
    init: true
    command: sleep 1000
"""
THREE_TIERS = """
services:
  front:
    image: IMAGE
    init: true
    depends_on: {app: {condition: service_healthy}}
    command:
      - sh
      - -c
      - |
        mkdir -p /www/cgi-bin
        printf '#!/bin/sh\\necho; wget -qO- http://app:8080/cgi-bin/count\\n' > /www/cgi-bin/count
        chmod +x /www/cgi-bin/count
        exec httpd -f -p 80 -h /www
    ports: ["127.0.0.1:18181:80"]
    networks: [outside, inside]
  app:
    image: POSTGRES
    init: true
    depends_on:
      cache: {condition: service_healthy}
      db: {condition: service_healthy}
    environment: {PGPASSWORD: secret}
    entrypoint:
      - sh
      - -c
      - |
        mkdir -p /www/cgi-bin
        cat > /www/cgi-bin/count <<'CGI'
        #!/bin/sh
        echo
        hits=$$(printf 'INCR hits\\r\\n' | nc -w 2 cache 6379 | tr -d ':\\r')
        psql -qtA -h db -U postgres -d shop -c "INSERT INTO visits VALUES ($$hits)" -c "SELECT count(*), max(n) FROM visits"
        CGI
        chmod +x /www/cgi-bin/count
        exec busybox httpd -f -p 8080 -h /www
    healthcheck: {test: "netstat -ltn | grep -q :8080", interval: 500ms, retries: 60, start_period: 30s, start_interval: 300ms}
    networks: [inside]
  cache:
    image: REDIS
    volumes: ["cache:/data"]
    healthcheck: {test: ["CMD", "redis-cli", "ping"], interval: 500ms, retries: 60, start_period: 30s, start_interval: 300ms}
    networks: [inside]
  db:
    image: POSTGRES
    environment: {POSTGRES_PASSWORD_FILE: /run/secrets/password, POSTGRES_PASSWORD: secret, POSTGRES_DB: shop}
    volumes:
      - db:/var/lib/postgresql/data
      - ./init:/docker-entrypoint-initdb.d:ro
    healthcheck: {test: ["CMD-SHELL", "pg_isready -h 127.0.0.1 -U postgres"], interval: 1s, retries: 90, start_period: 90s}
    networks: [inside]
networks:
  outside: {}
  inside: {internal: true}
volumes:
  cache: {}
  db: {}
"""


def fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except OSError as e:
        raise Mismatch(f"{url}: {e}") from e


# up and down


@scenario("up", "up -d, ps, down: nothing is left", smoke=True)
def _(compose: Compose) -> None:
    compose.project(WEB)
    compose("up -d")
    same(compose.names(), ["web-1"])
    eventually(lambda: holds(len(fetch("http://127.0.0.1:18180/name")) == 13, "no name"))
    compose("down")
    same(compose.names("-a"), [])
    compose.docker(f"network ls -q --filter name={compose.name}", out="")


@scenario("up", "up in the foreground: prefixed lines, and the end with the last service")
def _(compose: Compose) -> None:
    compose.project(
        "services: {one: {image: IMAGE, command: 'echo first'}, two: {image: IMAGE, command: 'echo second'}}"
    )
    done = compose("up --no-color")
    holds(re.search(r"^one-1 +\| first$", done.out, re.M) is not None, f"output: {done.out!r}")
    holds(re.search(r"^two-1 +\| second$", done.out, re.M) is not None, f"output: {done.out!r}")
    holds("one-1 exited with code 0" in done.out + done.err, f"output: {done.out + done.err!r}")


@scenario("up", "--abort-on-container-exit and --exit-code-from")
def _(compose: Compose) -> None:
    compose.project(
        "services: {test: {image: IMAGE, command: sh -c 'sleep 0.5; exit 7'}, web: {image: IMAGE, command: sleep 1000, init: true}}"
    )
    compose("up --abort-on-container-exit --exit-code-from test", code=7)
    same(compose.names(), [])


@scenario("up", "ctrl-c stops what up has started")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    client = compose.begin("up")
    eventually(lambda: same(compose.names(), ["web-1"]), 30)
    time.sleep(0.5)
    client.signal(signal.SIGINT)
    client.wait(code=None, within_s=40)
    eventually(lambda: same(compose.names(), []))


@scenario("up", "up again changes nothing that is as it should be")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    before = compose("ps -q").out
    compose("up -d")
    same(compose("ps -q").out, before, "ids")


@scenario("up", "a changed service is made anew, the others stay")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    web, db = compose("ps -q web").out, compose("ps -q db").out
    compose.project(TWO.replace("  web:\n", "  web:\n    environment: {A: '1'}\n"))
    compose("up -d")
    holds(compose("ps -q web").out != web, "web is the old one")
    same(compose("ps -q db").out, db, "db")
    same(compose.names("-a"), ["db-1", "web-1"])


@scenario("up", "a service that is made anew keeps its anonymous volume")
def _(compose: Compose) -> None:
    text = SLEEP + "    volumes: [/data]\n"
    compose.project(text)
    compose("up -d")
    compose("exec web sh -c 'echo kept > /data/f'")
    compose.project(text + "    environment: {A: '1'}\n")
    compose("up -d")
    compose("exec web cat /data/f", out="kept\n")
    compose("up -d --force-recreate -V")
    compose("exec web cat /data/f", code=1)


@scenario("up", "--no-deps, a single service, --no-start, start")
def _(compose: Compose) -> None:
    compose.project(TWO.replace("  web:\n", "  web:\n    depends_on: [db]\n"))
    compose("up -d --no-deps web")
    same(compose.names(), ["web-1"])
    compose("up --no-start")
    same(compose.names("-a"), ["db-1", "web-1"])
    compose("start")
    same(compose.names(), ["db-1", "web-1"])


@scenario("up", "--remove-orphans")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    compose.project(SLEEP)
    holds("orphan" in compose("up -d").err.lower(), "no word of the orphan")
    compose("up -d --remove-orphans")
    same(compose.names("-a"), ["web-1"])


@scenario("up", "--scale, up and down")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d --scale web=3")
    same(compose.names(), ["web-1", "web-2", "web-3"])
    compose("up -d --scale web=1")
    same(compose.names("-a"), ["web-1"])
    compose("scale web=2")
    same(compose.names(), ["web-1", "web-2"])


@scenario("up", "deploy.replicas")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    deploy: {replicas: 2}\n")
    compose("up -d")
    same(compose.names(), ["web-1", "web-2"])


@scenario("up", "down -v removes named and anonymous volumes, down leaves named ones")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    volumes: ['data:/data', /anonymous]\nvolumes: {data: {}}\n")
    compose("up -d")
    compose("down")
    compose.docker(f"volume ls -q --filter name={compose.name}", out=f"{compose.name}_data\n")
    compose("up -d")
    compose("down -v")
    compose.docker(f"volume ls -q --filter name={compose.name}", out="")


@scenario("up", "down --rmi local, -t 0")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: IMAGE, command: sleep 1000}}")
    compose("up -d")
    began = time.monotonic()
    compose("down -t 0")
    holds(time.monotonic() - began < 9, "it waits")


@scenario("up", "an image that cannot be had fails, nothing runs")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: '@nothing:1', pull_policy: never}}")
    done = compose("up -d", code=1)
    holds("No such image: " in done.err, f"errors: {done.err!r}")
    same(compose.names(), [])


@scenario("up", "a command that is not there fails with its text")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: IMAGE, command: nothing-like-it}}")
    done = compose("up -d", code=1)
    holds("executable file not found in $PATH" in done.err, f"errors: {done.err!r}")


@scenario("up", "a port that is taken fails with its text")
def _(compose: Compose) -> None:
    compose.docker("run -d --name @other -p 127.0.0.1:18180:80 IMAGE sleep 1000")
    compose.project(WEB)
    done = compose("up -d", code=1)
    holds("port is already allocated" in done.err, f"errors: {done.err!r}")


# conditions


@scenario("conditions", "--wait returns when all are healthy")
def _(compose: Compose) -> None:
    check = "{test: ['CMD', 'test', '-e', '/ok'], interval: 300ms, retries: 50}"
    compose.project(
        f"services: {{web: {{image: IMAGE, init: true, command: sh -c 'sleep 1; touch /ok; sleep 1000', healthcheck: {check}}}}}"
    )
    compose("up -d --wait", timeout=60)
    compose("ps --format '{{.Health}}'", out="healthy\n")


@scenario("conditions", "--wait fails when one becomes unhealthy")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    healthcheck: {test: 'exit 1', interval: 200ms, retries: 2}\n")
    done = compose("up -d --wait", code=1, timeout=60)
    holds("is unhealthy" in done.err, f"errors: {done.err!r}")


@scenario("conditions", "--wait fails when one exits")
def _(compose: Compose) -> None:
    compose.project("services: {web: {image: IMAGE, command: sh -c 'exit 3'}}")
    done = compose("up -d --wait", code=1, timeout=60)
    holds("exited (3)" in done.err, f"errors: {done.err!r}")


@scenario("conditions", "depends_on service_healthy: the order of starts")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web: {image: IMAGE, init: true, command: sleep 1000, depends_on: {db: {condition: service_healthy}}}
  db:
    image: IMAGE
    init: true
    command: sh -c 'sleep 1; touch /ok; sleep 1000'
    healthcheck: {test: "test -e /ok", interval: 300ms, retries: 50}
"""
    )
    compose("up -d", timeout=60)
    db, web = (compose.docker.inspect(f"{compose.name}-{name}-1")["State"] for name in ("db", "web"))
    same(db["Health"]["Status"], "healthy")
    after_s = (float(web["StartedAt"][17:-1]) - float(db["StartedAt"][17:-1])) % 60
    holds(after_s >= 1, f"web is started {after_s:.1f} s after db")


@scenario("conditions", "depends_on service_completed_successfully")
def _(compose: Compose) -> None:
    text = """
services:
  web: {image: IMAGE, command: ls /data, volumes: ['data:/data'], depends_on: {seed: {condition: service_completed_successfully}}}
  seed: {image: IMAGE, command: sh -c 'sleep 0.5; touch /data/seeded; exit 0', volumes: ['data:/data']}
volumes: {data: {}}
"""
    compose.project(text)
    compose("up -d", timeout=60)
    eventually(lambda: compose("logs --no-log-prefix web", out="seeded\n"))
    compose("down -v")
    compose.project(text.replace("exit 0", "exit 5"))
    done = compose("up -d", code=1, timeout=60)
    holds('service "seed" didn\'t complete successfully: exit 5' in done.err, f"errors: {done.err!r}")


@scenario("conditions", "depends_on restart: a dependent is restarted with it")
def _(compose: Compose) -> None:
    compose.project(
        TWO.replace("  web:\n", "  web:\n    depends_on: {db: {condition: service_started, restart: true}}\n")
    )
    compose("up -d")
    before = compose.docker.inspect(f"{compose.name}-web-1")["State"]["StartedAt"]
    compose("restart db", timeout=60)
    holds(compose.docker.inspect(f"{compose.name}-web-1")["State"]["StartedAt"] > before, "web is not restarted")


# three tiers


@scenario("three tiers", "httpd, a program, Redis and PostgreSQL: counted in both", smoke=False)
def _(compose: Compose) -> None:
    compose.file("init/1.sql", "CREATE TABLE visits (n int);\n")
    compose.project(THREE_TIERS)
    compose("up -d --wait", timeout=180)
    for number in (1, 2, 3):
        same(fetch("http://127.0.0.1:18181/cgi-bin/count").strip(), f"{number}|{number}", "answer")
    compose("down", timeout=120)
    compose("up -d --wait", timeout=180)
    same(fetch("http://127.0.0.1:18181/cgi-bin/count").strip(), "4|4", "answer after down and up")
    compose("down -v", timeout=120)


@scenario("three tiers", "a tier that dies is healed by its restart policy and found again by name")
def _(compose: Compose) -> None:
    compose.project(
        "services: {cache: {image: REDIS, restart: always}, web: {image: IMAGE, init: true, command: sleep 1000}}"
    )
    compose("up -d")
    ask = "exec web sh -c \"printf 'PING\\r\\n' | nc -w 2 cache 6379\""
    eventually(lambda: compose(ask, out=re.compile(r"\+PONG\r?\n")))
    compose("exec cache redis-cli DEBUG SEGFAULT", code=None)
    compose("exec cache sh -c 'kill -9 1'", code=None)
    compose.docker(f"exec {compose.name}-cache-1 redis-cli SHUTDOWN NOSAVE", code=None, err=None)
    eventually(lambda: compose(ask, out=re.compile(r"\+PONG\r?\n")), 30)


@scenario("three tiers", "PostgreSQL: data survive down and up, psql over the network")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  db:
    image: POSTGRES
    environment: {POSTGRES_PASSWORD: secret, POSTGRES_DB: shop}
    volumes: ['db:/var/lib/postgresql/data']
    healthcheck: {test: pg_isready -h 127.0.0.1 -U postgres, interval: 1s, retries: 90}
  client: {image: POSTGRES, entrypoint: sleep 1000, init: true, environment: {PGPASSWORD: secret}}
volumes: {db: {}}
"""
    )
    compose("up -d --wait", timeout=180)
    sql = "exec client psql -qtA -h db -U postgres -d shop -c"
    compose(f"{sql} 'CREATE TABLE t AS SELECT generate_series(1, 1000) n'")
    compose(f"{sql} 'SELECT sum(n) FROM t'", out="500500\n")
    compose("down", timeout=60)
    compose("up -d --wait", timeout=180)
    compose(f"{sql} 'SELECT sum(n) FROM t'", out="500500\n")


# networks


@scenario("networks", "services find each other by name, and by the container's")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    for name in ("db", f"{compose.name}-db-1"):
        compose(f"exec web ping -c 1 -W 2 {name}")


@scenario("networks", "aliases, several networks, isolation between them")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web: {image: IMAGE, init: true, command: sleep 1000, networks: [front]}
  app:
    image: IMAGE
    init: true
    command: sleep 1000
    networks: {front: {aliases: [api]}, back: {}}
  db: {image: IMAGE, init: true, command: sleep 1000, networks: {back: {aliases: [store]}}}
networks: {front: {}, back: {}}
"""
    )
    compose("up -d")
    compose("exec web ping -c 1 -W 2 api")
    compose("exec app ping -c 1 -W 2 store")
    compose("exec web ping -c 1 -W 2 db", code=1)
    compose("exec app ls /sys/class/net", out="eth0\neth1\nlo\n")


@scenario("networks", "static addresses of both families")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web:
    image: IMAGE
    command: ip -o addr show eth0 scope global
    networks: {n: {ipv4_address: 10.124.3.9, ipv6_address: 'fd00:cf:3::9'}}
networks:
  n: {enable_ipv6: true, ipam: {config: [{subnet: 10.124.3.0/24, gateway: 10.124.3.1}, {subnet: 'fd00:cf:3::/64'}]}}
"""
    )
    done = compose("run --rm web", code=None)
    compose("up", code=0)
    text = compose("logs --no-log-prefix web").out
    holds("10.124.3.9/24" in text and "fd00:cf:3::9/64" in text, f"{text!r} {done.out!r}")


@scenario("networks", "a scaled service is found under one name with all its addresses")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d --scale db=3")
    done = compose("exec web nslookup -type=a db 127.0.0.11", code=None)
    same(len(re.findall(r"^Address: \d", done.out, re.M)), 3, f"addresses in {done.out!r}")


@scenario("networks", "an external network, and one that is missing")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    networks: [n]\nnetworks: {n: {external: true, name: '@ext'}}\n")
    done = compose("up -d", code=1)
    holds("declared as external, but could not be found" in done.err, f"errors: {done.err!r}")
    compose.docker("network create @ext")
    compose("up -d")
    compose("down")
    compose.docker("network inspect @ext")


@scenario("networks", "network_mode: none, host, service:")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  none: {image: IMAGE, command: ls /sys/class/net, network_mode: none}
  web: {image: IMAGE, init: true, command: sleep 1000, hostname: box}
  side: {image: IMAGE, command: hostname, network_mode: 'service:web'}
"""
    )
    compose("up -d")
    eventually(lambda: compose("logs --no-log-prefix none", out="lo\n"))
    eventually(lambda: compose("logs --no-log-prefix side", out="box\n"))


@scenario("networks", "a changed network is made anew with its containers")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "networks: {default: {ipam: {config: [{subnet: 10.124.4.0/24}]}}}\n")
    compose("up -d")
    compose("exec web sh -c 'ip -o -4 addr show eth0'", out=re.compile(r".*10\.124\.4\.\d+/24.*\n"))
    compose.project(SLEEP + "networks: {default: {ipam: {config: [{subnet: 10.124.5.0/24}]}}}\n")
    compose("up -d", timeout=60)
    compose("exec web sh -c 'ip -o -4 addr show eth0'", out=re.compile(r".*10\.124\.5\.\d+/24.*\n"))


@scenario("networks", "extra_hosts, dns, hostname, domainname, links")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web:
    image: IMAGE
    command:
      - sh
      - -c
      - hostname; grep -c "10.0.0.9.*store" /etc/hosts; ping -c 1 -W 2 other >/dev/null && echo linked
    hostname: box
    extra_hosts: ["store:10.0.0.9"]
    dns: 10.1.1.1
    links: ["db:other"]
  db: {image: IMAGE, init: true, command: sleep 1000}
"""
    )
    compose("up -d")
    eventually(lambda: compose("logs --no-log-prefix web", out="box\n1\nlinked\n"))


@scenario("networks", "expose, ports in the long form, a range, port")
def _(compose: Compose) -> None:
    compose.project(
        SLEEP
        + """    expose: ["90"]
    ports:
      - {target: 80, published: "18190", host_ip: 127.0.0.1, protocol: tcp}
      - "127.0.0.1:18191-18192:81-82"
"""
    )
    compose("up -d")
    compose("port web 80", out="127.0.0.1:18190\n")
    compose("port web 82", out="127.0.0.1:18192\n")
    rows = json.loads(compose("ps --format json").out)["Publishers"]
    same(sorted(row["TargetPort"] for row in rows if row["PublishedPort"]), [80, 81, 82])


# volumes, configs, secrets


@scenario("volumes", "named: labels, shared by two services")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  a: {image: IMAGE, command: sh -c 'echo shared > /data/f', volumes: ['data:/data']}
  b:
    image: IMAGE
    init: true
    command: sleep 1000
    volumes: ['data:/data:ro']
    depends_on: {a: {condition: service_completed_successfully}}
volumes: {data: {labels: {k: v}}}
"""
    )
    compose("up -d", timeout=60)
    compose("exec b cat /data/f", out="shared\n")
    compose("exec b touch /data/g", code=1)
    labels = compose.docker.inspect(f"{compose.name}_data", "volume")["Labels"]
    has(labels, {"k": "v", "com.docker.compose.project": compose.name, "com.docker.compose.volume": "data"})


@scenario("volumes", "binds relative to the project, made when they are missing")
def _(compose: Compose) -> None:
    compose.file("src/f", "from the project\n")
    compose.project(SLEEP + "    volumes: ['./src:/src:ro', './made:/made']\n")
    compose("up -d")
    compose("exec web cat /src/f", out="from the project\n")
    holds((compose.directory / "made").is_dir(), "the directory is not made")


@scenario("volumes", "tmpfs, and the long form with a subpath and nocopy")
def _(compose: Compose) -> None:
    compose.project(
        SLEEP
        + """    tmpfs: ["/scratch:size=1m"]
    volumes:
      - {type: volume, source: data, target: /data, volume: {nocopy: true}}
      - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0o1770}}
volumes: {data: {}}
"""
    )
    compose("up -d")
    compose(
        'exec web sh -c \'grep -c -e " /scratch tmpfs" -e " /t tmpfs" /proc/mounts; stat -c %a /t\'', out="2\n1770\n"
    )


@scenario("volumes", "external, and one that is missing")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    volumes: ['data:/data']\nvolumes: {data: {external: true, name: '@ext'}}\n")
    done = compose("up -d", code=1)
    holds(
        'external volume "PREFIXext" not found'.replace("PREFIX", compose.target.prefix) in done.err,
        f"errors: {done.err!r}",
    )
    compose.docker("volume create @ext")
    compose("up -d")
    compose("down -v")
    compose.docker("volume inspect @ext")


@scenario("volumes", "configs: from a file, from content, with mode and target")
def _(compose: Compose) -> None:
    compose.file("settings", "from a file\n")
    compose.project(
        SLEEP
        + """    configs:
      - plain
      - {source: given, target: /etc/given.conf, mode: 0o440}
configs:
  plain: {file: ./settings}
  given: {content: "from content\\n"}
"""
    )
    compose("up -d")
    compose("exec web cat /plain /etc/given.conf", out="from a file\nfrom content\n")
    compose("exec web stat -c %a /etc/given.conf", out="440\n")


@scenario("volumes", "secrets: from a file and from the environment")
def _(compose: Compose) -> None:
    compose.file("password", "s3cret")
    compose.project(
        SLEEP
        + """    secrets:
      - password
      - {source: token, target: /run/secrets/other}
secrets:
  password: {file: ./password}
  token: {environment: TOKEN}
"""
    )
    compose("up -d", env={"TOKEN": "t0ken"})
    compose("exec web cat /run/secrets/password /run/secrets/other", out="s3crett0ken")


# day to day


@scenario("use", "exec: output, code, user, environment, workdir, -T and input")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d --scale db=2")
    compose("exec web sh -c 'echo out; exit 4'", out="out\n", code=4)
    compose("exec -u nobody -w /tmp -e A=1 web sh -c 'id -u; pwd; echo $A'", out="65534\n/tmp\n1\n")
    compose("exec -T web cat", stdin="given", out="given")
    compose("exec --index 2 db hostname", out=re.compile("[0-9a-f]{12}\n"))
    done = compose("exec nothing true", code=1)
    holds('service "nothing" is not running' in done.err, f"errors: {done.err!r}")


@scenario("use", "run: one-off containers with their code, and --rm")
def _(compose: Compose) -> None:
    compose.project(TWO.replace("  web:\n", "  web:\n    depends_on: [db]\n    environment: {A: one}\n"))
    compose("run --rm web sh -c 'echo $A; exit 6'", out="one\n", code=6)
    same(compose.names("-a"), ["db-1"])
    compose("run --rm -T --no-deps -e A=two --entrypoint sh web -c 'cat; echo $A'", stdin="given\n", out="given\ntwo\n")
    compose("run -d --name @oneoff web sleep 1000")
    compose.docker("inspect -f '{{index .Config.Labels \"com.docker.compose.oneoff\"}}' @oneoff", out="True\n")


@scenario("use", "logs: prefixed, of one service, --tail, -f, --since")
def _(compose: Compose) -> None:
    compose.project(
        "services: {a: {image: IMAGE, command: seq 3}, b: {image: IMAGE, command: sh -c 'for n in 1 2 3; do echo b$$n; sleep 0.3; done'}}"
    )
    compose("up -d")
    client = compose.begin("logs -f --no-log-prefix b")
    client.until("b3")
    wanted = ["a-1|1", "a-1|2", "a-1|3", "b-1|b1", "b-1|b2", "b-1|b3"]
    same(sorted(compose("logs --no-color").out.replace(" ", "").splitlines()), wanted)
    compose("logs --no-log-prefix --tail 1 a", out="3\n")
    compose("logs --no-log-prefix --since 1h a", out="1\n2\n3\n")
    holds(compose("logs -t --no-log-prefix --tail 1 a").out.endswith("Z 3\n"), "no timestamp")


@scenario("use", "logs -f follows a service that comes later and one that restarts")
def _(compose: Compose) -> None:
    compose.project(SLEEP.replace("sleep 1000", "sh -c 'echo begun; sleep 1000'"))
    compose("up -d")
    client = compose.begin("logs -f --no-log-prefix")
    client.until("begun")
    compose("restart -t 0 web")
    eventually(lambda: same(client.text.count("begun"), 2, client.text), 20)


@scenario("use", "cp in and out")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d")
    compose.file("f", "copied")
    compose(f"cp {compose.directory}/f web:/tmp/f")
    compose("exec web cat /tmp/f", out="copied")
    compose(f"cp web:/tmp/f {compose.directory}/back")
    same((compose.directory / "back").read_text(), "copied")


@scenario("use", "stop, start, restart, kill, pause, unpause, rm")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d")
    compose("stop web")
    same(compose.names(), ["db-1"])
    compose("start web")
    compose("pause db")
    same(json.loads(compose("ps --format json db").out)["State"], "paused")
    compose("unpause db")
    compose("restart -t 0", timeout=60)
    compose("kill -s KILL web")
    eventually(lambda: same(compose.names(), ["db-1"]))
    compose("rm -f web")
    same(compose.names("-a"), ["db-1"])


@scenario("use", "ps: json, filters, exited ones with -a")
def _(compose: Compose) -> None:
    compose.project(
        "services: {job: {image: IMAGE, command: sh -c 'exit 3'}, web: {image: IMAGE, init: true, command: sleep 1000}}"
    )
    compose("up -d")
    eventually(lambda: same(compose.names("--status exited"), ["job-1"]))
    rows = [json.loads(line) for line in compose("ps -a --format json").out.splitlines()]
    has(
        {row["Service"]: row for row in rows},
        {
            "job": {"State": "exited", "ExitCode": 3, "Project": compose.name, "Image": compose.target.image},
            "web": {"State": "running", "ExitCode": 0, "Health": "", "Command": re.compile('"sleep 1000"|"/.*')},
        },
    )
    compose("ps --services", out="web\n")


@scenario("use", "ls, images, top, events, wait, version")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d")
    done = compose.docker("compose ls --format json")
    holds(any(row["Name"] == compose.name and row["Status"] == "running(1)" for row in done.json), f"ls: {done.out!r}")
    (row,) = json.loads(compose("images --format json").out)
    same(f"{row['Repository']}:{row['Tag']}", compose.target.image)
    holds("sleep 1000" in compose("top").out, "top")
    client = compose.begin("events --json")
    time.sleep(0.7)
    compose("kill web")
    text = client.until('"die"')
    has(json.loads(text.splitlines()[0]), {"type": "container", "service": "web"})


@scenario("use", "wait: the code of the service that ends first")
def _(compose: Compose) -> None:
    compose.project("services: {job: {image: IMAGE, command: sh -c 'sleep 1; exit 5'}}")
    compose("up -d")
    compose("wait job", code=5)


@scenario("use", "profiles")
def _(compose: Compose) -> None:
    compose.project(TWO.replace("  db:\n", "  db:\n    profiles: [extra]\n"))
    compose("up -d")
    same(compose.names(), ["web-1"])
    compose("--profile extra up -d")
    same(compose.names(), ["db-1", "web-1"])
    compose("--profile extra down")
    same(compose.names("-a"), [])


@scenario("use", "variables, .env, env_file, defaults")
def _(compose: Compose) -> None:
    compose.file(".env", "WHO=dotenv\n")
    compose.file("more.env", "FILE=from file\nOVER=file\n")
    compose.project(
        """
services:
  web:
    image: IMAGE
    command: sh -c 'echo "$$A,$$B,$$FILE,$$OVER"'
    env_file: more.env
    environment: {A: "${WHO}", B: "${NOT_THERE:-default}", OVER: given}
"""
    )
    compose("up")
    compose("logs --no-log-prefix", out="dotenv,default,from file,given\n")


@scenario("use", "labels, container_name, what compose writes on its containers")
def _(compose: Compose) -> None:
    compose.project(SLEEP + "    container_name: '@named'\n    labels: {k: v}\n")
    compose("up -d")
    labels = compose.docker.inspect("@named")["Config"]["Labels"]
    has(
        labels,
        {
            "k": "v",
            "com.docker.compose.project": compose.name,
            "com.docker.compose.service": "web",
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.image": compose.docker.inspect("IMAGE", "image")["Id"],
        },
    )


@scenario("use", "restart policies and stop_grace_period")
def _(compose: Compose) -> None:
    compose.project(
        "services: {web: {image: IMAGE, command: sh -c 'sleep 0.2; exit 1', restart: 'on-failure:2', stop_grace_period: 1s}}"
    )
    compose("up -d")
    name = f"{compose.name}-web-1"
    eventually(lambda: has(compose.docker.inspect(name), {"RestartCount": 2, "State": {"Status": "exited"}}), 30)
    same(compose.docker.inspect(name)["Config"]["StopTimeout"], 1)


@scenario("use", "limits, capabilities, ulimits, sysctls, read_only, user")
def _(compose: Compose) -> None:
    compose.project(
        """
services:
  web:
    image: IMAGE
    command:
      - sh
      - -c
      - id -u; ulimit -n; cat /proc/sys/net/core/somaxconn; grep CapEff /proc/self/status; touch /x 2>/dev/null || echo read-only
    user: "65534"
    read_only: true
    cap_drop: [ALL]
    ulimits: {nofile: {soft: 100, hard: 200}}
    sysctls: {net.core.somaxconn: 1024}
    mem_limit: 64m
    memswap_limit: 64m
    pids_limit: 50
    cpus: 0.5
"""
    )
    compose("up")
    compose("logs --no-log-prefix", out="65534\n100\n1024\nCapEff:\t0000000000000000\nread-only\n")
    has(
        compose.docker.inspect(f"{compose.name}-web-1")["HostConfig"],
        {"Memory": 64 << 20, "PidsLimit": 50, "NanoCpus": 500_000_000},
    )


@scenario("use", "extends, several files, anchors")
def _(compose: Compose) -> None:
    compose.file("base.yaml", "services: {common: {image: IMAGE, environment: {A: base, B: base}}}")
    compose.project(
        "services: {web: {extends: {file: base.yaml, service: common}, environment: {B: own}, command: sh -c 'echo $$A $$B'}}"
    )
    compose("up")
    compose("logs --no-log-prefix", out="base own\n")


@scenario("use", "post_start and pre_stop hooks")
def _(compose: Compose) -> None:
    compose.project(
        SLEEP
        + "    volumes: ['./out:/out']\n    post_start: [{command: touch /out/started}]\n    pre_stop: [{command: touch /out/stopping}]\n"
    )
    compose("up -d")
    eventually(lambda: holds((compose.directory / "out/started").exists(), "post_start has not run"))
    compose("down")
    holds((compose.directory / "out/stopping").exists(), "pre_stop has not run")


@scenario("use", "up --wait after a crash of a service: up mends it")
def _(compose: Compose) -> None:
    compose.project(TWO)
    compose("up -d --wait")
    compose.docker(f"rm -f {compose.name}-db-1")
    compose("up -d --wait")
    same(compose.names(), ["db-1", "web-1"])


@scenario("use", "10 services at once")
def _(compose: Compose) -> None:
    services = "".join(f"  s{n}: {{image: IMAGE, init: true, command: sleep 1000}}\n" for n in range(10))
    compose.project(f"services:\n{services}")
    compose("up -d --wait", timeout=90)
    same(len(compose.names()), 10)
    compose("down -t 1", timeout=90)
    same(compose.names("-a"), [])


@scenario("use", "commit and export of a service")
def _(compose: Compose) -> None:
    compose.project(SLEEP)
    compose("up -d")
    compose("exec web touch /made")
    compose("commit web @made:1")
    compose.docker("run --rm @made:1 ls /made", out="/made\n")
    compose(f"export -o {compose.directory}/web.tar web")
    holds((compose.directory / "web.tar").stat().st_size > 1_000_000, "the archive is empty")


@scenario("use", "attach, stats, volumes")
def _(compose: Compose) -> None:
    compose.project(
        "services: {web: {image: IMAGE, command: sh -c 'sleep 1; echo out; exit 3', volumes: ['data:/data']}}\nvolumes: {data: {}}"
    )
    compose("up -d")
    compose("attach --no-stdin web", out="out\n", code=None)
    compose("volumes -q", out=f"{compose.name}_data\n")


# build


DOCKERFILE = 'FROM IMAGE\nARG WHO=nobody\nRUN echo built for $WHO > /made\nCOPY f /f\nCMD ["cat", "/made", "/f"]\n'


@scenario("build", "build and up --build with arguments")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", DOCKERFILE)
    compose.file("f", "copied\n")
    compose.project("services: {web: {image: '@built:1', build: {context: ., args: {WHO: me}}}}")
    compose("up --build", timeout=120)
    compose("logs --no-log-prefix", out="built for me\ncopied\n")
    compose("down --rmi all")
    compose.docker("image inspect @built:1", code=1)


@scenario("build", "build alone, a target, --no-cache")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", "FROM IMAGE AS one\nRUN echo one > /stage\nFROM one AS two\nRUN echo two > /stage\n")
    compose.project("services: {web: {image: '@built:1', build: {context: ., target: one}, command: cat /stage}}")
    compose("build --no-cache", timeout=120)
    compose("run --rm web", out="one\n")


@scenario("build", "dockerfile_inline, and a step that fails")
def _(compose: Compose) -> None:
    compose.project(
        'services: {web: {image: "@built:1", build: {dockerfile_inline: "FROM IMAGE\\nRUN echo inline > /made\\nCMD cat /made\\n"}}}'
    )
    compose("up --build", timeout=120)
    compose("logs --no-log-prefix", out="inline\n")
    compose.project('services: {web: {image: "@built:2", build: {dockerfile_inline: "FROM IMAGE\\nRUN exit 7\\n"}}}')
    done = compose("build", code=None, timeout=120)
    holds(done.code != 0 and "exit code: 7" in done.err + done.out, f"{done.code} {done.err[-300:]!r}")


@scenario("build", "watch: sync, and a rebuild")
def _(compose: Compose) -> None:
    compose.file("Dockerfile", "FROM IMAGE\nCOPY src /src\nCMD sleep 1000\n")
    compose.file("src/f", "old\n")
    compose.project(
        "services: {web: {image: '@built:1', init: true, build: ., develop: {watch: [{action: sync, path: ./src, target: /src}]}}}"
    )
    compose("up -d --build", timeout=120)
    compose.begin("watch --no-up")
    time.sleep(2)
    compose.file("src/f", "new\n")
    eventually(lambda: compose("exec web cat /src/f", out="new\n"), 20)
