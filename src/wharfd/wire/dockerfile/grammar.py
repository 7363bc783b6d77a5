"""What each instruction's arguments may be: one function per instruction, statement in, typed instruction out.

Functions raise `DockerfileError` with BuildKit's words, without saying where: `parse.py` adds that.
"""

import re
from collections.abc import Callable, Sequence

from wharfd.model.config import HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.wire.dockerfile.arguments import json_list, name_values, plain_words, quoted_words
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.flags import Flags, Known, parse_flags
from wharfd.wire.dockerfile.heredocs import Heredoc, parse_heredoc
from wharfd.wire.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    Command,
    CommandLine,
    Copy,
    Definition,
    Entrypoint,
    Env,
    Expose,
    From,
    HealthCheck,
    Label,
    Maintainer,
    OnBuild,
    Pair,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from wharfd.wire.dockerfile.mounts import check_mount
from wharfd.wire.dockerfile.quoting import quote
from wharfd.wire.dockerfile.statements import Statement, split_command
from wharfd.wire.dockerfile.suggest import hint
from wharfd.wire.dockerfile.words import SPACES
from wharfd.wire.timestamps import parse_duration

MILLISECOND = 1_000_000  # ns

_STAGE_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("insecure", "sandbox")


# --- stages and variables -----------------------------------------------------------------------------------------------------------


def parse_from(statement: Statement, escape: str) -> From:
    words = plain_words(statement.arguments)
    name = keyword = written = ""
    if len(words) == 3 and words[1].lower() == "as":
        _, keyword, written = words
        name = written.lower()
        if not _STAGE_NAME.fullmatch(name):
            raise DockerfileError(
                f"invalid name for build stage: {quote(written)}, name can't start with a number or contain symbols"
            )
    elif len(words) != 1:
        raise DockerfileError("FROM requires either one or three arguments")
    flags = parse_flags(statement.flags, Known(texts=("platform",)))
    return From(
        name=statement.name,
        source=statement.source,
        lines=statement.lines,
        base=words[0],
        stage_name=name,
        platform=flags.text("platform"),
        keyword_as=keyword,
        written_name=written,
        comment=described(statement.comments, name),
        comments=statement.comments,
    )


def parse_arg(statement: Statement, escape: str) -> Arg:
    words = quoted_words(statement.arguments, escape)
    if not words:
        raise DockerfileError("ARG requires at least one argument")
    definitions = []
    for word in words:
        name, equals, default = word.partition("=")
        if not name:
            raise DockerfileError("ARG names can not be blank")
        comment = described(statement.comments, name)
        definitions.append(Definition(name, default if equals else None, comment))
    return Arg(
        name=statement.name,
        source=statement.source,
        lines=statement.lines,
        definitions=tuple(definitions),
        comments=statement.comments,
    )


def described(comments: Sequence[str], name: str) -> str:
    """What a comment `name what it is for` says."""
    for comment in comments if name else ():
        if comment.startswith(f"{name} "):
            return comment[len(name) + 1 :]
    return ""


def parse_env(statement: Statement, escape: str) -> Env:
    found = pairs("ENV", statement, escape)
    return Env(name=statement.name, source=statement.source, lines=statement.lines, pairs=found)


def parse_label(statement: Statement, escape: str) -> Label:
    found = pairs("LABEL", statement, escape)
    return Label(name=statement.name, source=statement.source, lines=statement.lines, pairs=found)


def pairs(instruction: str, statement: Statement, escape: str) -> tuple[Pair, ...]:
    found = name_values(instruction, statement.arguments, escape)
    parse_flags(statement.flags)
    if not found:
        raise DockerfileError(f"{instruction} requires at least one argument")
    if not all(name for name, _, _ in found):
        raise DockerfileError(f"{instruction} names can not be blank")
    return tuple(Pair(*each) for each in found)


# --- what runs ----------------------------------------------------------------------------------------------------------------------


def parse_run(statement: Statement, escape: str) -> Run:
    command = command_line(statement)
    flags = parse_flags(statement.flags, Known(lists=("mount", "device"), texts=("network", "security")))
    network, security = flags.text("network"), flags.text("security")
    if "network" in flags.texts and network not in _NETWORKS:
        raise DockerfileError(f"invalid network mode {quote(network)}{hint(network, _NETWORKS)}")
    if "security" in flags.texts and security not in _SECURITIES:
        raise DockerfileError(f"security {quote(security)} is not valid{hint(security, _SECURITIES)}")
    for mount in flags.all("mount"):
        check_mount(mount)
    return Run(
        name=statement.name,
        source=statement.source,
        lines=statement.lines,
        command=command,
        mounts=flags.all("mount"),
        devices=flags.all("device"),
        network=network,
        security=security,
    )


def command_line(statement: Statement) -> CommandLine:
    words = json_list(statement.arguments)
    is_shell = words is None
    if words is None:
        words = (statement.arguments,) if statement.arguments else ()
    return CommandLine(words=words, is_shell=is_shell, heredocs=statement.heredocs)


def parse_cmd(statement: Statement, escape: str) -> Cmd:
    command = command_line(statement)
    parse_flags(statement.flags)
    return Cmd(name=statement.name, source=statement.source, lines=statement.lines, command=command)


def parse_entrypoint(statement: Statement, escape: str) -> Entrypoint:
    command = command_line(statement)
    parse_flags(statement.flags)
    return Entrypoint(name=statement.name, source=statement.source, lines=statement.lines, command=command)


def parse_shell(statement: Statement, escape: str) -> Shell:
    command = command_line(statement)
    parse_flags(statement.flags)
    if not command.words:
        raise DockerfileError("SHELL requires at least one argument")
    if command.is_shell:
        raise DockerfileError("SHELL requires the arguments to be in JSON form")
    return Shell(name=statement.name, source=statement.source, lines=statement.lines, words=command.words)


def parse_healthcheck(statement: Statement, escape: str) -> HealthCheck:
    kind, rest = health_words(statement.arguments)
    words = json_list(rest)
    if not kind:
        raise DockerfileError("HEALTHCHECK requires at least one argument")
    if kind == "NONE":
        if rest:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments")
        config = HealthConfig(test=["NONE"])
    else:
        config = probe(kind, rest, words, parse_flags(statement.flags, _HEALTH_FLAGS))
    return HealthCheck(name=statement.name, source=statement.source, lines=statement.lines, config=config)


def health_words(arguments: str) -> tuple[str, str]:
    """The kind, in capitals, and the rest."""
    kind, _, rest = arguments.partition(next(filter(str.isspace, arguments), " "))
    return kind.upper(), rest.lstrip(SPACES)


_HEALTH_FLAGS = Known(texts=("interval", "timeout", "start-period", "start-interval", "retries"))


def probe(kind: str, line: str, words: tuple[str, ...] | None, flags: Flags) -> HealthConfig:
    if kind != "CMD":
        raise DockerfileError(f"Unknown type {quote(kind)} in HEALTHCHECK (try CMD)")
    if not (line if words is None else words):
        raise DockerfileError("Missing command after HEALTHCHECK CMD")
    return HealthConfig(
        test=["CMD-SHELL", line] if words is None else ["CMD", *words],
        interval=interval(flags, "interval"),
        timeout=interval(flags, "timeout"),
        start_period=interval(flags, "start-period"),
        start_interval=interval(flags, "start-interval"),
        retries=retries(flags.text("retries")),
    )


def interval(flags: Flags, name: str) -> int:
    text = flags.text(name)
    if not text:
        return 0
    try:
        duration = parse_duration(text)
    except InvalidParameter as e:
        raise DockerfileError(str(e)) from e
    if duration and duration < MILLISECOND:
        raise DockerfileError(f"Interval {quote(name)} cannot be less than 1ms")
    return duration


def retries(text: str) -> int:
    if not text:
        return 0
    number = int(text) if _INTEGER.fullmatch(text) and len(text) < 20 else None
    if number is None and not _INTEGER.fullmatch(text):
        raise DockerfileError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
    if number is None or not -(2**31) <= number < 2**31:
        raise DockerfileError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    if number < 0:
        raise DockerfileError(f"--retries cannot be negative ({number})")
    return number


# --- files --------------------------------------------------------------------------------------------------------------------------


def parse_copy(statement: Statement, escape: str) -> Copy:
    words = transfer_words("COPY", statement)
    flags = parse_flags(statement.flags, _COPY_FLAGS)
    sources, inline, destination = ends("COPY", words, statement.heredocs)
    return Copy(
        name=statement.name,
        source=statement.source,
        lines=statement.lines,
        sources=sources,
        inline=inline,
        destination=destination,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.is_on("link"),
        excludes=flags.all("exclude"),
        source_stage=flags.text("from"),
        parents=flags.is_on("parents"),
    )


def parse_add(statement: Statement, escape: str) -> Add:
    words = transfer_words("ADD", statement)
    flags = parse_flags(statement.flags, _ADD_FLAGS)
    sources, inline, destination = ends("ADD", words, statement.heredocs)
    return Add(
        name=statement.name,
        source=statement.source,
        lines=statement.lines,
        sources=sources,
        inline=inline,
        destination=destination,
        chown=flags.text("chown"),
        chmod=flags.text("chmod"),
        link=flags.is_on("link"),
        excludes=flags.all("exclude"),
        keep_git_dir=flags.switches.get("keep-git-dir"),
        checksum=flags.text("checksum"),
        unpack=flags.switches.get("unpack"),
    )


_COPY_FLAGS = Known(texts=("chown", "chmod", "from"), lists=("exclude",), switches=("link", "parents"))
_ADD_FLAGS = Known(
    texts=("chown", "chmod", "checksum"), lists=("exclude",), switches=("link", "keep-git-dir", "unpack")
)


def transfer_words(instruction: str, statement: Statement) -> tuple[str, ...]:
    words = json_list(statement.arguments)
    if words is None:
        words = plain_words(statement.arguments)
    if len(words) < 2:
        raise DockerfileError(
            f"{instruction} requires at least two arguments, but only one was provided. "
            "Destination could not be determined"
        )
    return words


def ends(
    instruction: str, words: tuple[str, ...], heredocs: tuple[Heredoc, ...]
) -> tuple[tuple[str, ...], tuple[Heredoc, ...], str]:
    """Paths to copy from, here-documents to copy, and where to."""
    *sources, destination = words
    if announces_heredoc(destination):
        raise DockerfileError(f"{instruction} cannot accept a heredoc as a destination")
    contents = {heredoc.name: heredoc for heredoc in heredocs}
    paths: list[str] = []
    inline: list[Heredoc] = []
    for source in sources:
        found = announces_heredoc(source)
        if found is None:
            paths.append(source)
        else:
            known = contents.get(found.name)
            inline.append(found if known is None else found.with_content(known.content))
    return tuple(paths), tuple(inline), destination


def announces_heredoc(word: str) -> Heredoc | None:
    try:
        return parse_heredoc(word)
    except DockerfileError:
        return None


# --- what the image says of itself --------------------------------------------------------------------------------------------------


def parse_expose(statement: Statement, escape: str) -> Expose:
    ports = plain_words(statement.arguments)
    if not ports:
        raise DockerfileError("EXPOSE requires at least one argument")
    parse_flags(statement.flags)
    return Expose(name=statement.name, source=statement.source, lines=statement.lines, ports=tuple(sorted(ports)))


def parse_volume(statement: Statement, escape: str) -> Volume:
    words = json_list(statement.arguments)
    if words is None:
        words = plain_words(statement.arguments)
    if not words:
        raise DockerfileError("VOLUME requires at least one argument")
    parse_flags(statement.flags)
    paths = tuple(word.strip(SPACES) for word in words)
    if not all(paths):
        raise DockerfileError("VOLUME specified can not be an empty string")
    return Volume(name=statement.name, source=statement.source, lines=statement.lines, paths=paths)


def single(instruction: str, statement: Statement) -> str:
    """All of the rest as one argument, whatever blanks there are in it."""
    if not statement.arguments:
        raise DockerfileError(f"{instruction} requires exactly one argument")
    parse_flags(statement.flags)
    return statement.arguments


def parse_user(statement: Statement, escape: str) -> User:
    user = single("USER", statement)
    return User(name=statement.name, source=statement.source, lines=statement.lines, user=user)


def parse_workdir(statement: Statement, escape: str) -> Workdir:
    path = single("WORKDIR", statement)
    return Workdir(name=statement.name, source=statement.source, lines=statement.lines, path=path)


def parse_stop_signal(statement: Statement, escape: str) -> StopSignal:
    # Docker: flags before it, and before ARG's arguments, are not looked at
    if not statement.arguments:
        raise DockerfileError("STOPSIGNAL requires exactly one argument")
    signal = statement.arguments
    return StopSignal(name=statement.name, source=statement.source, lines=statement.lines, signal=signal)


def parse_maintainer(statement: Statement, escape: str) -> Maintainer:
    maintainer = single("MAINTAINER", statement)
    return Maintainer(name=statement.name, source=statement.source, lines=statement.lines, maintainer=maintainer)


def parse_onbuild(statement: Statement, escape: str) -> OnBuild:
    if not statement.arguments:
        raise DockerfileError("ONBUILD requires at least one argument")
    parse_flags(statement.flags)
    trigger = split_command(statement.arguments, escape)[0].upper()
    if trigger == "ONBUILD":
        raise DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in {"MAINTAINER", "FROM"}:
        raise DockerfileError(f"{trigger} isn't allowed as an ONBUILD trigger")
    heredocs = [f"\n{heredoc.content}{heredoc.name}" for heredoc in statement.heredocs]
    text = "".join([statement.arguments, *heredocs])
    return OnBuild(name=statement.name, source=statement.source, lines=statement.lines, trigger=text)


PARSERS: dict[str, Callable[[Statement, str], From | Command]] = {
    "ADD": parse_add,
    "ARG": parse_arg,
    "CMD": parse_cmd,
    "COPY": parse_copy,
    "ENTRYPOINT": parse_entrypoint,
    "ENV": parse_env,
    "EXPOSE": parse_expose,
    "FROM": parse_from,
    "HEALTHCHECK": parse_healthcheck,
    "LABEL": parse_label,
    "MAINTAINER": parse_maintainer,
    "ONBUILD": parse_onbuild,
    "RUN": parse_run,
    "SHELL": parse_shell,
    "STOPSIGNAL": parse_stop_signal,
    "USER": parse_user,
    "VOLUME": parse_volume,
    "WORKDIR": parse_workdir,
}
