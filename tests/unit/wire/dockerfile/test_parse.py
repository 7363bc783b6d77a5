"""Instructions, and what BuildKit says of wrong ones (texts as dockerd 28.5 gives them, except where a comment says otherwise)."""

import msgspec
import pytest

from wharfd.model.config import HealthConfig
from wharfd.wire.dockerfile import DockerfileError, LineRange, parse_dockerfile, parse_trigger
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

SECOND = 10**9


def only(line: str) -> Command:
    (stage,) = parse_dockerfile(f"FROM x\n{line}\n").stages
    (command,) = stage.commands
    return command


def shell(line: str) -> CommandLine:
    return CommandLine(words=(line,))


def exec_form(*words: str) -> CommandLine:
    return CommandLine(words=words, is_shell=False)


@pytest.mark.parametrize(
    ("line", "kind", "fields"),
    [
        ("ARG a", Arg, {"definitions": (Definition("a"),)}),
        (
            "ARG a= b=1 c='x y'",
            Arg,
            {"definitions": (Definition("a", ""), Definition("b", "1"), Definition("c", "'x y'"))},
        ),
        ('ENV a=1 b="x y" c=x\\ y', Env, {"pairs": (Pair("a", "1"), Pair("b", '"x y"'), Pair("c", "x\\ y"))}),
        ("ENV a  b=c d", Env, {"pairs": (Pair("a", "b=c d", True),)}),
        ('LABEL "a b"=c', Label, {"pairs": (Pair('"a b"', "c"),)}),
        ("RUN echo hi", Run, {"command": shell("echo hi")}),
        ('RUN ["echo", "hi"]', Run, {"command": exec_form("echo", "hi")}),
        ('RUN [ "echo" ] ', Run, {"command": exec_form("echo")}),
        ("RUN []", Run, {"command": exec_form()}),
        ("RUN", Run, {"command": CommandLine()}),
        ("RUN [not json]", Run, {"command": shell("[not json]")}),
        ("RUN ['a']", Run, {"command": shell("['a']")}),
        (
            "RUN --mount=type=cache,target=/c --mount=target=/x --network=none --security=insecure --device=a x",
            Run,
            {
                "command": shell("x"),
                "mounts": ("type=cache,target=/c", "target=/x"),
                "network": "none",
                "security": "insecure",
                "devices": ("a",),
            },
        ),
        ("COPY a b /c/", Copy, {"sources": ("a", "b"), "destination": "/c/"}),
        ('COPY ["a b", "c"]', Copy, {"sources": ("a b",), "destination": "c"}),
        (
            "COPY --from=x --chown=1:2 --chmod=755 --link --parents --exclude=a --exclude=b s d",
            Copy,
            {
                "sources": ("s",),
                "destination": "d",
                "source_stage": "x",
                "chown": "1:2",
                "chmod": "755",
                "link": True,
                "parents": True,
                "excludes": ("a", "b"),
            },
        ),
        ("COPY --link=false a b", Copy, {"sources": ("a",), "destination": "b"}),
        (
            "ADD --keep-git-dir --checksum=sha256:x --unpack=false a b",
            Add,
            {"sources": ("a",), "destination": "b", "keep_git_dir": True, "checksum": "sha256:x", "unpack": False},
        ),
        ("CMD a b", Cmd, {"command": shell("a b")}),
        ("CMD", Cmd, {"command": CommandLine()}),
        ('ENTRYPOINT ["a"]', Entrypoint, {"command": exec_form("a")}),
        ('SHELL ["/bin/bash", "-c"]', Shell, {"words": ("/bin/bash", "-c")}),
        ("EXPOSE 80 53/udp", Expose, {"ports": ("53/udp", "80")}),
        ("USER a b", User, {"user": "a b"}),
        ("WORKDIR /a b", Workdir, {"path": "/a b"}),
        ("VOLUME /a /b", Volume, {"paths": ("/a", "/b")}),
        ('VOLUME ["/a b"]', Volume, {"paths": ("/a b",)}),
        ("STOPSIGNAL 9", StopSignal, {"signal": "9"}),
        ("STOPSIGNAL --what 9", StopSignal, {"signal": "9"}),
        ("ARG --what=x A", Arg, {"definitions": (Definition("A"),)}),
        ("MAINTAINER a <b>", Maintainer, {"maintainer": "a <b>"}),
        ("ONBUILD run x \\\n y", OnBuild, {"trigger": "run x  y"}),
        ("ONBUILD FOO", OnBuild, {"trigger": "FOO"}),
        ("ONBUILD COPY <<A /x\n$y\nA", OnBuild, {"trigger": "COPY <<A /x\n$y\nA"}),
        ("HEALTHCHECK none", HealthCheck, {"config": HealthConfig(test=["NONE"])}),
        ("HEALTHCHECK CMD curl -f x", HealthCheck, {"config": HealthConfig(test=["CMD-SHELL", "curl -f x"])}),
        (
            'HEALTHCHECK --interval=5s --timeout=1m --start-period=2s --start-interval=3s --retries=2 CMD ["a"]',
            HealthCheck,
            {
                "config": HealthConfig(
                    test=["CMD", "a"],
                    interval=5 * SECOND,
                    timeout=60 * SECOND,
                    start_period=2 * SECOND,
                    start_interval=3 * SECOND,
                    retries=2,
                )
            },
        ),
        ("HEALTHCHECK --interval=0s --retries=0 CMD x", HealthCheck, {"config": HealthConfig(test=["CMD-SHELL", "x"])}),
    ],
)
def test_instructions(line: str, kind: type[Command], fields: dict[str, object]) -> None:
    found = only(line)
    assert type(found) is kind
    plain = kind(name="", source="", lines=found.lines, **fields)  # type: ignore[arg-type]
    assert msgspec.structs.replace(found, name="", source="") == plain


def test_where_and_how_it_is_written() -> None:
    found = only("  run a \\\n   b")
    assert (found.name, found.source, found.lines) == ("run", "run a    b", LineRange(2, 3))


@pytest.mark.parametrize(
    ("line", "base", "name", "platform"),
    [
        ("FROM alpine", "alpine", "", ""),
        ("FROM  alpine  AS  Build", "alpine", "build", ""),
        ("from --platform=$P a as b.c_d-1", "a", "b.c_d-1", "$P"),
    ],
)
def test_from(line: str, base: str, name: str, platform: str) -> None:
    start = parse_dockerfile(line).stages[0].start
    assert (start.base, start.stage_name, start.platform) == (base, name, platform)


def test_stages_and_what_comes_before_them() -> None:
    text = "# syntax=a\n# check=b\nARG A=1\n# Build it is the second\nFROM a\nRUN x\n# b to build\nFROM b AS b\nRUN y\nRUN z\n"
    found = parse_dockerfile(text.encode())
    assert [len(stage.commands) for stage in found.stages] == [1, 2]
    assert [each.name for arg in found.global_args for each in arg.definitions] == ["A"]
    assert found.stages[1].start.comment == "to build"
    assert found.syntax is not None
    assert found.syntax.value == "a"
    assert found.check is not None
    assert found.check.value == "b"


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert parse_dockerfile(b"FROM x\n# \xff\nENV a=\xe4").stages[0].commands[0].source == "ENV a=\ufffd"


AT_2 = "dockerfile parse error on line 2: "


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("FOO bar", f"{AT_2}unknown instruction: FOO (did you mean FROM?)"),
        ("RUM x", f"{AT_2}unknown instruction: RUM (did you mean RUN?)"),
        ("hi", f"{AT_2}unknown instruction: hi"),
        ("Fram x", f"{AT_2}unknown instruction: Fram (did you mean from?)"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV", f"{AT_2}ENV requires at least one argument"),
        ("RUM x\nENV A", "ENV must have two arguments"),  # what has no form comes first
        ("ENV A=1 B", 'Syntax error - can\'t find = in "B". Must be of the form: name=value'),
        ("ENV =x", f"{AT_2}ENV names can not be blank"),
        ("LABEL =x", f"{AT_2}LABEL names can not be blank"),
        ("ARG", f"{AT_2}ARG requires at least one argument"),
        ("ARG =x", f"{AT_2}ARG names can not be blank"),
        (
            "COPY a",
            f"{AT_2}COPY requires at least two arguments, but only one was provided. Destination could not be determined",
        ),
        ("COPY --foo=x a b", f"{AT_2}unknown flag: --foo (did you mean from?)"),
        ("COPY --chwn=x a b", f"{AT_2}unknown flag: --chwn (did you mean chown?)"),
        ("COPY --link=maybe a b", f"{AT_2}expecting boolean value for flag --link, not: maybe"),
        ("COPY --link= a b", f"{AT_2}missing a value on flag: --link"),
        ("COPY --chown a b", f"{AT_2}missing a value on flag: --chown"),
        ("COPY --exclude a b", f"{AT_2}missing a value on flag: --exclude"),
        ("COPY --chown=a --chown=b a b", f"{AT_2}duplicate flag specified: --chown"),
        ("COPY a <<EOF\nx\nEOF", f"{AT_2}COPY cannot accept a heredoc as a destination"),
        ("ENV --x=y a=b", f"{AT_2}unknown flag: --x"),
        ('CMD ["a", 1]', "when using JSON array syntax, arrays must be comprised of strings only"),
        ('ONBUILD CMD ["a", 1]', "when using JSON array syntax, arrays must be comprised of strings only"),
        ("ONBUILD ENV A", "ENV must have two arguments"),
        ("SHELL bash", f"{AT_2}SHELL requires the arguments to be in JSON form"),
        ("SHELL []", f"{AT_2}SHELL requires at least one argument"),
        ("HEALTHCHECK", f"{AT_2}HEALTHCHECK requires at least one argument"),
        ("HEALTHCHECK FOO", f'{AT_2}Unknown type "FOO" in HEALTHCHECK (try CMD)'),
        ("HEALTHCHECK CMD", f"{AT_2}Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK CMD []", f"{AT_2}Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK --interval=1us CMD x", f'{AT_2}Interval "interval" cannot be less than 1ms'),
        ("HEALTHCHECK --retries=-1 CMD x", f"{AT_2}--retries cannot be negative (-1)"),
        ("HEALTHCHECK --retries=abc CMD x", f'{AT_2}strconv.ParseInt: parsing "abc": invalid syntax'),
        ("HEALTHCHECK --retries=9999999999 CMD x", f'{AT_2}strconv.ParseInt: parsing "9999999999": value out of range'),
        ("HEALTHCHECK --interval=abc CMD x", f'{AT_2}time: invalid duration "abc"'),
        ("HEALTHCHECK NONE x", f"{AT_2}HEALTHCHECK NONE takes no arguments"),
        ("EXPOSE", f"{AT_2}EXPOSE requires at least one argument"),
        ("STOPSIGNAL", f"{AT_2}STOPSIGNAL requires exactly one argument"),
        ("WORKDIR", f"{AT_2}WORKDIR requires exactly one argument"),
        ("USER", f"{AT_2}USER requires exactly one argument"),
        ("MAINTAINER", f"{AT_2}MAINTAINER requires exactly one argument"),
        ("VOLUME", f"{AT_2}VOLUME requires at least one argument"),
        ('VOLUME [""]', f"{AT_2}VOLUME specified can not be an empty string"),
        ("ONBUILD", f"{AT_2}ONBUILD requires at least one argument"),
        ("ONBUILD ONBUILD RUN x", f"{AT_2}Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM x", f"{AT_2}FROM isn't allowed as an ONBUILD trigger"),
        ("FROM", f"{AT_2}FROM requires either one or three arguments"),
        ("FROM a b", f"{AT_2}FROM requires either one or three arguments"),
        (
            "FROM a as 1x",
            f'{AT_2}invalid name for build stage: "1x", name can\'t start with a number or contain symbols',
        ),
        ("RUN --network=foo x", f'{AT_2}invalid network mode "foo"'),
        ("RUN --network=hots x", f'{AT_2}invalid network mode "hots" (did you mean host?)'),
        ("RUN --security=foo x", f'{AT_2}security "foo" is not valid'),  # dockerd 28.5 does not know the flag yet
        (
            "RUN --mount=from=$x,target=/y x",
            f"{AT_2}'from' doesn't support variable expansion, define alias stage instead",
        ),
    ],
)
def test_what_is_refused(line: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(f"FROM alpine\n{line}\n")
    assert str(caught.value) == message
    assert caught.value.ranges[0].start in (2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the Dockerfile cannot be empty"),
        ("# nothing\n", "file with no instructions"),
        ("ARG x=y\n", "dockerfile contains no stages to build"),
        ("RUN x\n", "no build stage in current context"),
    ],
)
def test_files_that_are_none(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile(text)
    assert str(caught.value) == message


def test_triggers() -> None:
    assert isinstance(parse_trigger("copy . /app"), Copy)
    for text in ("FROM x", "RUN a\nRUN b", "", "FOO x"):
        with pytest.raises(DockerfileError) as caught:
            parse_trigger(text)
        assert "parse error" not in str(caught.value)


def test_a_long_file_is_read_without_delay() -> None:
    lines = ["FROM a"]
    for number in range(2000):
        lines += [f"ENV A{number}=b", "RUN x \\", "  y", f"COPY --from=b c{number} /d"]
    assert len(parse_dockerfile("\n".join(lines)).stages[0].commands) == 6000
