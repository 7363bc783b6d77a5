"""Flags of instructions: `--from=x`, `--link`, `--mount=…` (which may come several times)."""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.suggest import hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The flags that an instruction has: with one value, with many, with none (or `=true`, `=false`)."""

    texts: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flags:
    texts: dict[str, str]
    lists: dict[str, list[str]]
    switches: dict[str, bool]

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(self.lists.get(name, ()))

    def is_on(self, name: str) -> bool:
        return self.switches.get(name, False)


NO_FLAGS = Flags({}, {}, {})
_NONE_KNOWN = Known()


def parse_flags(words: Sequence[str], known: Known = _NONE_KNOWN) -> Flags:
    if not words:
        return NO_FLAGS
    flags = Flags({}, {}, {})
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if name in known.lists:
            if not equals:
                raise DockerfileError(f"missing a value on flag: --{name}")
            flags.lists.setdefault(name, []).append(value)
            continue
        if name in flags.texts or name in flags.switches:
            raise DockerfileError(f"duplicate flag specified: --{name}")
        if name in known.texts:
            if not equals:
                raise DockerfileError(f"missing a value on flag: --{name}")
            flags.texts[name] = value
        elif name in known.switches:
            flags.switches[name] = switch(name, value, bool(equals))
        else:
            every = (*known.texts, *known.lists, *known.switches)
            raise DockerfileError(f"unknown flag: --{name}{hint(name, every)}")
    return flags


def switch(name: str, value: str, is_given: bool) -> bool:
    if is_given and not value:
        raise DockerfileError(f"missing a value on flag: --{name}")
    if value.lower() not in ("", "true", "false"):
        raise DockerfileError(f"expecting boolean value for flag --{name}, not: {value}")
    return value.lower() != "false"
