"""docker compose: volumes, binds, configs and secrets."""

from conformance.checks import has, holds
from conformance.compose import Compose, scenario
from conformance.projects import SLEEP


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
