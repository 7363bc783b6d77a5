import pytest

from wharfd.model.config import HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import RunConfig
from wharfd.wire.changes import apply_changes

SECOND = 10**9


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        (['CMD ["echo", "a b"]'], RunConfig(cmd=["echo", "a b"])),
        (["cmd echo hello"], RunConfig(cmd=["/bin/sh", "-c", "echo hello"])),
        (["CMD [not json"], RunConfig(cmd=["/bin/sh", "-c", "[not json"])),
        (["ENTRYPOINT []"], RunConfig()),
        (["ENV A=1 B='two words' C=\"$A x\""], RunConfig(env=["A=1", "B=two words", "C= x"])),
        (["ENV A=1", "ENV B=${A}2"], RunConfig(env=["A=1", "B=12"])),
        (["ENV A the rest  of it"], RunConfig(env=["A=the rest  of it"])),
        (["ENV A=1 \\", "B=2"], RunConfig(env=["A=1", "B=2"])),
        (["USER a b"], RunConfig(user="a b")),
        (["ENV A=1\nENV A=2"], RunConfig(env=["A=2"])),
        (
            ["EXPOSE 80 53/udp 8000-8001"],
            RunConfig(exposed_ports={"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}}),
        ),
        (['LABEL a=b "c d"="e f"'], RunConfig(labels={"a": "b", "c d": "e f"})),
        (["VOLUME /a /b"], RunConfig(volumes={"/a": {}, "/b": {}})),
        (['VOLUME ["/a b"]'], RunConfig(volumes={"/a b": {}})),
        (["WORKDIR /a", "WORKDIR b/../c"], RunConfig(working_dir="/a/c")),
        (["USER 1000:1000"], RunConfig(user="1000:1000")),
        (["STOPSIGNAL SIGQUIT"], RunConfig(stop_signal="SIGQUIT")),
        (["ONBUILD RUN make"], RunConfig(on_build=["RUN make"])),
        (["HEALTHCHECK NONE"], RunConfig(healthcheck=HealthConfig(test=["NONE"]))),
        (
            ["HEALTHCHECK --interval=5s --retries=2 CMD curl -f x"],
            RunConfig(healthcheck=HealthConfig(test=["CMD-SHELL", "curl -f x"], interval=5 * SECOND, retries=2)),
        ),
        (['HEALTHCHECK CMD ["a"]'], RunConfig(healthcheck=HealthConfig(test=["CMD", "a"]))),
    ],
)
def test_instructions(lines: list[str], changed: RunConfig) -> None:
    assert apply_changes(RunConfig(), lines) == changed


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("RUN x", "RUN is not a valid change command"),
        ("FROM x", "FROM is not a valid change command"),
        ("WORKDIR", "WORKDIR requires exactly one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV =x", "ENV names can not be blank"),
        ("ENV A=1 B", "Syntax error - can't find = in"),
        ("ENV A='x", 'failed to process "\'x": unexpected end of statement while looking for matching single-quote'),
        ("EXPOSE http", "Invalid containerPort: http"),
        ("EXPOSE 80/icmp", "Invalid proto: icmp"),
        ("run x", "run is not a valid change command"),
        ("SHELL ['a']", "SHELL is not a valid change command"),
        ("# a comment", "file with no instructions"),
        ("ONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK --retries=x CMD y", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("HEALTHCHECK --what=1 CMD y", "unknown flag: --what"),
        ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("HEALTHCHECK DANCE", "Unknown type"),
        ('VOLUME [""]', "VOLUME specified can not be an empty string"),
    ],
)
def test_what_is_refused(line: str, text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        apply_changes(RunConfig(), [line])
    assert text in str(caught.value)


def test_an_entrypoint_drops_the_arguments_of_the_old_one() -> None:
    old = RunConfig(cmd=["sleep", "1"])
    assert apply_changes(old, ['ENTRYPOINT ["/x"]']) == RunConfig(entrypoint=["/x"])
    assert apply_changes(old, ['CMD ["a"]', 'ENTRYPOINT ["/x"]']) == RunConfig(cmd=["a"], entrypoint=["/x"])


def test_no_changes_at_all() -> None:
    config = RunConfig(cmd=["a"], env=["A=1"])
    assert apply_changes(config, []) == config
    assert apply_changes(config, [""]) == config


def test_variables_made_of_variables_do_not_grow_without_end() -> None:
    with pytest.raises(InvalidParameter, match="longer than"):
        apply_changes(RunConfig(), ["ENV X=aaaaaaaaaaaaaaaa", *["ENV X=$X$X"] * 40])
    with pytest.raises(InvalidParameter, match="too long"):
        apply_changes(RunConfig(env=["X=" + "a" * 100_000]), [f"ENV A{number}=$X" for number in range(100)])
