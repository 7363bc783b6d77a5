"""What the instructions that run nothing do to an image's config.  Their variables are replaced already.

    ENV  LABEL  CMD  ENTRYPOINT  SHELL  HEALTHCHECK  EXPOSE  USER  WORKDIR  VOLUME  STOPSIGNAL  ONBUILD

`created_by` is how BuildKit writes the same into the image's history.
"""

import posixpath
from collections.abc import Sequence

import msgspec

from wharfd.model.config import HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import RunConfig
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.instructions import (
    Cmd,
    Command,
    CommandLine,
    Entrypoint,
    Env,
    Expose,
    HealthCheck,
    Label,
    OnBuild,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from wharfd.wire.dockerfile.ports import exposed_ports
from wharfd.wire.dockerfile.quoting import quote, quote_all
from wharfd.wire.limits import parse_signal
from wharfd.wire.timestamps import format_duration

DEFAULT_SHELL = ("/bin/sh", "-c")

_replace = msgspec.structs.replace


def changed(config: RunConfig, instruction: Command) -> RunConfig:
    """Raises DockerfileError."""
    match instruction:
        case Env(pairs=pairs):
            return _replace(config, env=with_env(config.env or [], [(pair.name, pair.value) for pair in pairs]))
        case Label(pairs=pairs):
            return _replace(config, labels={**(config.labels or {}), **{pair.name: pair.value for pair in pairs}})
        case Cmd(command=command):
            return _replace(config, cmd=command_words(config, command))
        case Entrypoint(command=command):
            return _replace(config, entrypoint=command_words(config, command) or None)
        case Shell(words=words):
            return _replace(config, shell=list(words))
        case HealthCheck(config=health):
            return _replace(config, healthcheck=health)
        case Expose(ports=ports):
            added: dict[str, dict[str, str]] = {port: {} for port in exposed_ports(ports)}
            return _replace(config, exposed_ports={**(config.exposed_ports or {}), **added})
        case User(user=user):
            return _replace(config, user=user)
        case Workdir(path=path):
            return _replace(config, working_dir=joined(config.working_dir, path))
        case Volume(paths=paths):
            if not all(paths):
                raise DockerfileError("VOLUME specified can not be an empty string")
            return _replace(config, volumes={**(config.volumes or {}), **{path: {} for path in paths}})
        case StopSignal(signal=signal):
            try:
                parse_signal(signal)
            except InvalidParameter as e:
                raise DockerfileError(str(e)) from e
            return _replace(config, stop_signal=signal)
        case OnBuild(trigger=trigger):
            return _replace(config, on_build=[*(config.on_build or []), trigger])
    return config


def created_by(config: RunConfig, instruction: Command) -> str:
    """`config` is the one after the instruction.  Empty for what leaves no trace in the history."""
    match instruction:
        case Env(pairs=pairs):
            return " ".join(["ENV", *map(str, pairs)])
        case Label(pairs=pairs):
            return " ".join(["LABEL", *map(str, pairs)])
        case Cmd():
            return f"CMD {quote_all(config.cmd or [])}"
        case Entrypoint():
            return f"ENTRYPOINT {quote_all(config.entrypoint or [])}"
        case Shell(words=words):
            return f"SHELL [{' '.join(words)}]"
        case HealthCheck(config=health):
            return f"HEALTHCHECK {health_text(health)}"
        case Expose(ports=ports):
            return f"EXPOSE [{' '.join(exposed_ports(ports))}]"
        case User(user=user):
            return f"USER {user}"
        case Workdir():
            return f"WORKDIR {config.working_dir}"
        case Volume(paths=paths):
            return f"VOLUME [{' '.join(paths)}]"
        case StopSignal(signal=signal):
            return f"STOPSIGNAL {signal}"
    return ""


def command_words(config: RunConfig, command: CommandLine) -> list[str]:
    if not command.is_shell:
        return list(command.words)
    return [*(config.shell or DEFAULT_SHELL), " ".join(command.words)]


def with_env(env: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[str]:
    """`NAME=value` entries with some set anew, each at its old place."""
    merged = environment(env)
    merged.update(pairs)
    return [f"{name}={value}" for name, value in merged.items()]


def environment(env: Sequence[str] | None) -> dict[str, str]:
    split = (entry.partition("=") for entry in env or ())
    return {name: value for name, _, value in split}


def joined(directory: str, path: str) -> str:
    """A path relative to a directory, from the root, in its shortest form."""
    return "/" + posixpath.normpath(posixpath.join("/", directory, path)).lstrip("/")


def health_text(health: HealthConfig) -> str:
    """As Go's `%q` prints the struct: numbers as characters."""
    numbers = (health.interval, health.timeout, health.start_period, health.start_interval)
    durations = " ".join(quote(format_duration(number)) for number in numbers)
    return "&{" + f"{quote_all(health.test or [])} {durations} {rune(health.retries)}" + "}"


def rune(number: int) -> str:
    char = chr(number) if 0 <= number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\ufffd"
    escaped = quote(char)[1:-1]
    return "'" + {'\\"': '"', "'": "\\'"}.get(escaped, escaped) + "'"
