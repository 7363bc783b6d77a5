"""Quoting, suggestions, ports, config texts."""

import pytest

from wharfd.model.config import HealthConfig
from wharfd.model.image import RunConfig
from wharfd.wire.dockerfile.config import changed, created_by, health_text, joined, with_env
from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.instructions import Command, CommandLine, Entrypoint, HealthCheck, Shell, Workdir
from wharfd.wire.dockerfile.ports import check_form, exposed_ports
from wharfd.wire.dockerfile.quoting import quote, quote_all
from wharfd.wire.dockerfile.suggest import distance, hint, nearest

HERE = LineRange(1, 1)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain ä", '"plain ä"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("\n\t\r\a", r'"\n\t\r\a"'),
        ("\x00\x7f", r'"\x00\x7f"'),
        ("\u200b\U000e0001", r'"\u200b\U000e0001"'),
        ("", '""'),
    ],
)
def test_quote(text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_quote_all() -> None:
    assert quote_all(["a", "b c"]) == '["a" "b c"]'
    assert quote_all([]) == "[]"


@pytest.mark.parametrize(
    ("word", "names", "near"),
    [
        ("RUM", ["RUN", "ARG"], "RUN"),
        ("run", ["RUN"], ""),
        ("xyz", ["RUN"], ""),
        ("a", [], ""),
        ("abc", ["xbc", "abd"], "abd"),  # both are one edit away: the first by name
        ("x" * 100, ["x" * 99], ""),
    ],
)
def test_nearest(word: str, names: list[str], near: str) -> None:
    assert nearest(word, names) == near


def test_hint() -> None:
    assert hint("rum", ["RUN"], ignore_case=True) == " (did you mean RUN?)"
    assert hint("RUN", ["RUN"]) == ""


@pytest.mark.parametrize(("one", "other", "edits"), [("", "abc", 3), ("kitten", "sitting", 3), ("a", "a", 0)])
def test_distance(one: str, other: str, edits: int) -> None:
    assert distance(one, other) == edits == distance(other, one)


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        (["80", "53/UDP"], ["80/tcp", "53/udp"]),
        (["8000-8002/sctp"], ["8000/sctp", "8001/sctp", "8002/sctp"]),
        (["8080:80"], ["80/tcp"]),
        (["1.2.3.4:80:80", "1.2.3.4::81"], ["80/tcp", "81/tcp"]),
        (["[::1]:80:82"], ["82/tcp"]),
        (["80-81:90-91"], ["90/tcp", "91/tcp"]),
    ],
)
def test_ports(words: list[str], ports: list[str]) -> None:
    assert exposed_ports(words) == ports


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("foo", "invalid containerPort: foo"),
        ("99999", "invalid containerPort: 99999"),
        ("9-8", "invalid containerPort: 9-8"),
        ("80/foo", 'invalid port: "80/foo": invalid proto: foo'),
        ("/tcp", "no port specified: /tcp<empty>"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("x:80", "invalid hostPort: x"),
        ("80-81:90-92", "invalid ranges specified for container and host Ports: 90-92 and 80-81"),
    ],
)
def test_what_is_no_port(word: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        exposed_ports([word])
    assert str(caught.value) == message


def test_the_form_of_a_port() -> None:
    assert check_form("80/TCP") == ("TCP", False)
    assert check_form("8080:80") == ("", True)


@pytest.mark.parametrize(
    ("directory", "path", "found"),
    [("", "a", "/a"), ("/a", "b/../c", "/a/c"), ("/a", "/b", "/b"), ("/a", "../../..", "/"), ("//a", "//b", "/b")],
)
def test_working_directories(directory: str, path: str, found: str) -> None:
    assert joined(directory, path) == found
    instruction = Workdir(name="WORKDIR", source="", lines=HERE, path=path)
    assert changed(RunConfig(working_dir=directory), instruction).working_dir == found


def test_variables_stay_in_their_place() -> None:
    assert with_env(["A=1", "B=2"], [("A", "3"), ("C", "4")]) == ["A=3", "B=2", "C=4"]


@pytest.mark.parametrize(
    ("instruction", "text"),
    [
        (
            Entrypoint(name="", source="", lines=HERE, command=CommandLine(words=("a b",))),
            'ENTRYPOINT ["/bin/bash" "-c" "a b"]',
        ),
        (Entrypoint(name="", source="", lines=HERE, command=CommandLine(is_shell=False)), "ENTRYPOINT []"),
        (Shell(name="", source="", lines=HERE, words=("x", "-y z")), "SHELL [x -y z]"),
        (
            HealthCheck(name="", source="", lines=HERE, config=HealthConfig(test=["NONE"])),
            'HEALTHCHECK &{["NONE"] "0s" "0s" "0s" "0s" \'\\x00\'}',
        ),
    ],
)
def test_what_the_history_says(instruction: Command, text: str) -> None:
    config = changed(RunConfig(shell=["/bin/bash", "-c"]), instruction)
    assert created_by(config, instruction) == text


@pytest.mark.parametrize(
    ("retries", "shown"), [(3, r"'\x03'"), (39, r"'\''"), (34, "'\"'"), (92, r"'\\'"), (65, "'A'")]
)
def test_retries_are_shown_as_a_character(retries: int, shown: str) -> None:
    """BuildKit prints the whole struct with %q."""
    assert health_text(HealthConfig(retries=retries)).endswith(f"{shown}}}")
