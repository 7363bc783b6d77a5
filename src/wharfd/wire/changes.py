"""Instructions of a Dockerfile that change an image's config without running anything: the `changes` of import and commit.

    CMD ["sh"]          CMD echo hello          ENV A=1 B="two words"       ENV A the rest
    EXPOSE 80 53/udp    LABEL k=v               VOLUME /data                WORKDIR sub

Source: dockerd's list of instructions that commit takes.  Every function raises `InvalidParameter` and nothing else.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from wharfd.model.config import HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import RunConfig
from wharfd.wire.ports import parse_exposed
from wharfd.wire.timestamps import parse_duration

SHELL = ["/bin/sh", "-c"]
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_replace = msgspec.structs.replace


def apply_changes(config: RunConfig, lines: Iterable[str]) -> RunConfig:
    """`lines` may hold several instructions each, one a line."""
    for line in "\n".join(lines).split("\n"):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, _, rest = text.partition(" ")
        instruction = _INSTRUCTIONS.get(name.upper())
        if instruction is None:
            raise InvalidParameter(f"{name.upper()} is not a valid change command")
        rest = rest.strip()
        if not rest:
            raise InvalidParameter(f"{name.upper()} requires at least one argument")
        config = instruction(config, rest)
    return config


def words(text: str, env: Mapping[str, str]) -> list[str]:
    """Split at blanks; quotes keep them, a backslash keeps the next character, variables are replaced outside single quotes."""
    found: list[str] = []
    word: list[str] | None = None
    at, quote = 0, ""
    while at < len(text):
        char = text[at]
        if quote == "'":
            if char == "'":
                quote = ""
            else:
                word = [*(word or []), char]
        elif char == "\\" and at + 1 < len(text) and (not quote or text[at + 1] in '"\\$'):
            at += 1
            word = [*(word or []), text[at]]
        elif char == "$" and (match := _VARIABLE.match(text, at)):
            word = [*(word or []), env.get(match[1] or match[2], "")]
            at = match.end() - 1
        elif char == '"' or (char == "'" and not quote):
            quote = "" if quote == char else char
            word = word or []
        elif char.isspace() and not quote:
            if word is not None:
                found.append("".join(word))
                word = None
        else:
            word = [*(word or []), char]
        at += 1
    if quote:
        raise InvalidParameter(f"unexpected end of statement while looking for matching {quote}")
    return found if word is None else [*found, "".join(word)]


def environment(config: RunConfig) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in config.env or [])
    return {name: value for name, _, value in pairs}


def pairs(instruction: str, rest: str, env: Mapping[str, str]) -> list[tuple[str, str]]:
    """`k=v k2=v2`, or the old form `k the rest`."""
    first = rest.split(None, 1)[0]
    if "=" not in first:
        value = rest[len(first) :].strip()
        if not value:
            raise InvalidParameter(f"{instruction} must have two arguments")
        return [(first, " ".join(words(value, env)))]
    found = []
    for word in words(rest, env):
        name, equals, value = word.partition("=")
        if not equals:
            raise InvalidParameter(f"Syntax error - can't find = in {word!r}. Must be of the form: name=value")
        if not name:
            raise InvalidParameter(f"{instruction} names can not be blank")
        found.append((name, value))
    return found


def json_words(rest: str) -> list[str] | None:
    """A JSON array of strings; None if it is none, which makes it a shell line."""
    try:
        return msgspec.json.decode(rest, type=list[str]) if rest.startswith("[") else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def command(rest: str) -> list[str]:
    found = json_words(rest)
    return [*SHELL, rest] if found is None else found


def set_cmd(config: RunConfig, rest: str) -> RunConfig:
    return _replace(config, cmd=command(rest))


def set_entrypoint(config: RunConfig, rest: str) -> RunConfig:
    return _replace(config, entrypoint=command(rest))


def add_env(config: RunConfig, rest: str) -> RunConfig:
    env = environment(config)
    env.update(pairs("ENV", rest, env))
    return _replace(config, env=[f"{name}={value}" for name, value in env.items()])


def add_labels(config: RunConfig, rest: str) -> RunConfig:
    return _replace(config, labels={**(config.labels or {}), **dict(pairs("LABEL", rest, environment(config)))})


def add_ports(config: RunConfig, rest: str) -> RunConfig:
    ports: dict[str, dict[str, str]] = {
        str(port): {} for word in words(rest, environment(config)) for port in parse_exposed(word)
    }
    return _replace(config, exposed_ports={**(config.exposed_ports or {}), **ports})


def add_volumes(config: RunConfig, rest: str) -> RunConfig:
    found = json_words(rest)
    paths = words(rest, environment(config)) if found is None else found
    if any(not path.strip() for path in paths):
        raise InvalidParameter("VOLUME specified can not be an empty string")
    return _replace(config, volumes={**(config.volumes or {}), **{path.strip(): {} for path in paths}})


def set_user(config: RunConfig, rest: str) -> RunConfig:
    return _replace(config, user=single("USER", rest, config))


def set_workdir(config: RunConfig, rest: str) -> RunConfig:
    path = posixpath.join("/", config.working_dir, single("WORKDIR", rest, config))
    normal = posixpath.normpath(path)
    return _replace(config, working_dir="/" + normal.lstrip("/"))


def set_stop_signal(config: RunConfig, rest: str) -> RunConfig:
    return _replace(config, stop_signal=single("STOPSIGNAL", rest, config))


def add_trigger(config: RunConfig, rest: str) -> RunConfig:
    name = rest.split(None, 1)[0].upper()
    if name == "ONBUILD":
        raise InvalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if name in {"MAINTAINER", "FROM"}:
        raise InvalidParameter(f"{name} isn't allowed as an ONBUILD trigger")
    return _replace(config, on_build=[*(config.on_build or []), rest])


def set_healthcheck(config: RunConfig, rest: str) -> RunConfig:
    options: dict[str, int] = {}
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        name, equals, value = flag[2:].partition("=")
        if name not in _HEALTH_OPTIONS or not equals:
            raise InvalidParameter(f"unknown flag: {name}")
        try:
            options[_HEALTH_OPTIONS[name]] = int(value) if name == "retries" else parse_duration(value)
        except ValueError as e:
            raise InvalidParameter(f'strconv.Atoi: parsing "{value}": invalid syntax') from e
        rest = rest.strip()
    kind, _, line = rest.partition(" ")
    match kind.upper():
        case "NONE":
            return _replace(config, healthcheck=HealthConfig(test=["NONE"]))
        case "CMD":
            found = json_words(line.strip())
            test = ["CMD-SHELL", line.strip()] if found is None else ["CMD", *found]
            if len(test) < 2 or not test[1]:
                raise InvalidParameter("Missing command after HEALTHCHECK CMD")
            return _replace(config, healthcheck=HealthConfig(test=test, **options))
    raise InvalidParameter(f"Unknown type {kind!r} in HEALTHCHECK (try CMD)")


def single(instruction: str, rest: str, config: RunConfig) -> str:
    found = words(rest, environment(config))
    if len(found) != 1:
        raise InvalidParameter(f"{instruction} requires exactly one argument")
    return found[0]


_HEALTH_OPTIONS = {
    "interval": "interval",
    "timeout": "timeout",
    "start-period": "start_period",
    "start-interval": "start_interval",
    "retries": "retries",
}

_INSTRUCTIONS: dict[str, Callable[[RunConfig, str], RunConfig]] = {
    "CMD": set_cmd,
    "ENTRYPOINT": set_entrypoint,
    "ENV": add_env,
    "EXPOSE": add_ports,
    "HEALTHCHECK": set_healthcheck,
    "LABEL": add_labels,
    "ONBUILD": add_trigger,
    "STOPSIGNAL": set_stop_signal,
    "USER": set_user,
    "VOLUME": add_volumes,
    "WORKDIR": set_workdir,
}
