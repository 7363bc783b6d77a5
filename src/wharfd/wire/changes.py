"""Instructions of a Dockerfile that change an image's config without running anything: the `changes` of import and commit.

    CMD ["sh"]          CMD echo hello          ENV A=1 B="two words"       ENV A the rest
    EXPOSE 80 53/udp    LABEL k=v               VOLUME /data                WORKDIR sub

They are those of a Dockerfile, read by the same code; several changes count as the lines of one file.
"""

from collections.abc import Iterable

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.image import RunConfig
from wharfd.wire.dockerfile.config import changed, environment
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.expansion import CONTENT_RULES, Expand, expanded
from wharfd.wire.dockerfile.instructions import Cmd, Command, Entrypoint, Expose, From
from wharfd.wire.dockerfile.parse import parse_instruction, read_statements
from wharfd.wire.dockerfile.statements import StatementReader
from wharfd.wire.dockerfile.words import Rules, expand

ALLOWED = frozenset(
    ("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
)
MAX_CONFIG = 1 << 20  # characters that values made of variables may have together


def apply_changes(config: RunConfig, lines: Iterable[str]) -> RunConfig:
    """The config after the instructions.  No lines at all change nothing.

    Raises:
        InvalidParameter: with dockerd's text.
    """
    text = "\n".join(lines)
    if not text:
        return config
    try:
        return changed_by(config, read(text), text)
    except DockerfileError as e:
        raise InvalidParameter(str(e)) from e


def read(text: str) -> tuple[list[Command], str]:
    """The instructions, and the escape character."""
    reader = StatementReader(text)
    statements = read_statements(reader)
    for statement in statements:
        if statement.name.upper() not in ALLOWED:
            raise DockerfileError(f"{statement.name} is not a valid change command")
    commands = [parse_instruction(statement, reader.escape, prefix="") for statement in statements]
    return [command for command in commands if not isinstance(command, From)], reader.escape


def changed_by(config: RunConfig, found: tuple[list[Command], str], text: str) -> RunConfig:
    commands, escape = found
    has_cmd = False
    for command in commands:
        config = one_change(config, command, Rules(escape=escape))
        if isinstance(command, Entrypoint) and not has_cmd:
            config = msgspec.structs.replace(config, cmd=None)  # what the old entrypoint was given
        has_cmd = has_cmd or isinstance(command, Cmd)
        if size_of(config) > MAX_CONFIG + len(text):
            raise DockerfileError("the result is too long")
    return config


def one_change(config: RunConfig, command: Command, rules: Rules) -> RunConfig:
    env = environment(config.env)

    def with_rules(rules: Rules) -> Expand:
        return lambda word: expand(word, env, rules)

    try:
        return changed(config, expanded(command, with_rules(rules), with_rules(CONTENT_RULES)))
    except DockerfileError as e:
        if not isinstance(command, Expose):
            raise
        # Docker: the library that reads ports here begins its sentences with a capital
        message = str(e).rpartition('": ')[2]
        raise DockerfileError(message[:1].upper() + message[1:]) from e


def size_of(config: RunConfig) -> int:
    return sum(map(len, config.env or ())) + sum(map(len, (config.labels or {}).values()))
