"""A Dockerfile's text as stages of instructions.

    FROM [--platform=p] base [AS name]                 ARG name[=default] …               ENV name=value …       LABEL name=value …
    RUN [--mount=…] [--network=…] [--security=…] line  COPY [--from=…] source … target    ADD source … target
    CMD line|["a"]   ENTRYPOINT line|["a"]   SHELL ["a"]   HEALTHCHECK [--interval=…] CMD line | NONE
    EXPOSE 80 53/udp   USER u[:g]   WORKDIR path   VOLUME path …   STOPSIGNAL s   ONBUILD instruction   MAINTAINER who

Grammar and messages are those of BuildKit's frontend; where it looks at a whole instruction its messages begin with
`dockerfile parse error on line N: `.
"""

from wharfd.wire.dockerfile.arguments import json_list, name_values
from wharfd.wire.dockerfile.errors import DockerfileError, Malformed
from wharfd.wire.dockerfile.grammar import PARSERS, health_words
from wharfd.wire.dockerfile.instructions import Arg, Command, Dockerfile, From, Stage
from wharfd.wire.dockerfile.statements import Statement, StatementReader, split_command
from wharfd.wire.dockerfile.suggest import hint

MAX_INSTRUCTIONS = 20_000


def parse_dockerfile(data: bytes | str) -> Dockerfile:
    """Bytes that are no UTF-8 count as U+FFFD.

    Raises:
        DockerfileError: and nothing else.
    """
    text = data if isinstance(data, str) else data.decode(errors="replace")
    if not text:
        raise DockerfileError("the Dockerfile cannot be empty")
    reader = StatementReader(text)
    statements = read_statements(reader)
    global_args: list[Arg] = []
    stages: list[tuple[From, list[Command]]] = []
    for statement in statements:
        instruction = parse_instruction(statement, reader.escape)
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            global_args.append(instruction)
        else:
            raise DockerfileError("no build stage in current context", statement.lines)
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build")
    return Dockerfile(
        stages=tuple(Stage(start=start, commands=tuple(commands)) for start, commands in stages),
        global_args=tuple(global_args),
        escape=reader.escape,
        syntax=reader.directives.get("syntax"),
        check=reader.directives.get("check"),
        empty_continuations=tuple(each.warned_line for each in statements if each.warned_line),
    )


def parse_trigger(text: str) -> Command:
    """An ONBUILD trigger, as an image's config holds it.  Lines in errors and in the result are those of the trigger."""
    reader = StatementReader(text)
    statements = read_statements(reader)
    if len(statements) != 1:
        raise DockerfileError("onbuild trigger should be a single expression")
    instruction = parse_instruction(statements[0], reader.escape, prefix="")
    if isinstance(instruction, From):
        raise DockerfileError("FROM isn't allowed as an ONBUILD trigger")
    return instruction


def read_statements(reader: StatementReader) -> list[Statement]:
    """All of them.  Whatever has no form is said before any instruction is looked at.

    Raises:
        DockerfileError: mostly `Malformed`.
    """
    statements = []
    for statement in reader:
        try:
            check_form(statement.name, statement.arguments, reader.escape)
        except DockerfileError as e:
            e.at(statement.lines)
            raise
        statements.append(statement)
        if len(statements) > MAX_INSTRUCTIONS:
            raise Malformed(f"more than {MAX_INSTRUCTIONS} instructions", statement.lines)
    if not statements:
        raise Malformed("file with no instructions")
    return statements


def check_form(name: str, arguments: str, escape: str) -> None:
    """Raises Malformed."""
    match name.upper():
        case "ENV" | "LABEL" as instruction:
            name_values(instruction, arguments, escape)
        case "ADD" | "CMD" | "COPY" | "ENTRYPOINT" | "RUN" | "SHELL" | "VOLUME":
            json_list(arguments)
        case "HEALTHCHECK":
            json_list(health_words(arguments)[1])
        case "ONBUILD":
            trigger, _, arguments = split_command(arguments, escape)
            if trigger.upper() != "ONBUILD":
                check_form(trigger, arguments, escape)


def parse_instruction(statement: Statement, escape: str, prefix: str | None = None) -> From | Command:
    parser = PARSERS.get(statement.name.upper())
    try:
        if parser is None:
            names = PARSERS if statement.name.isupper() else map(str.lower, PARSERS)
            near = hint(statement.name, names, ignore_case=True)
            raise DockerfileError(f"unknown instruction: {statement.name}{near}")
        return parser(statement, escape)
    except Malformed as e:
        e.at(statement.lines)
        raise
    except DockerfileError as e:
        if prefix is None:
            prefix = f"dockerfile parse error on line {statement.lines.start}: "
        e.prefixed(prefix).at(statement.lines)
        raise
