"""Platforms: spellings, and which of an image's runs on a host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfd.model.errors import InvalidParameter
from wharfd.wire.oci import Platform, best_match, format_platform, from_machine, normalise, parse_platform, runnable
from wharfd.wire.oci.platforms import is_same

AMD64 = from_machine("x86_64")
ARM64 = from_machine("aarch64")


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64/v8"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("i686", "linux/386"),
        ("ppc64le", "linux/ppc64le"),
        ("riscv64", "linux/riscv64"),
        ("loongarch64", "linux/loong64"),
    ],
)
def test_hosts(machine: str, text: str) -> None:
    assert format_platform(from_machine(machine)) == text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("linux", "linux/amd64"),
        ("windows", "windows/amd64"),
        ("s390x", "linux/s390x"),
        ("arm64", "linux/arm64"),
        ("plan8/vax", "plan8/vax"),
    ],
)
def test_parse(text: str, normal: str) -> None:
    platform = parse_platform(text, AMD64)
    assert format_platform(platform) == normal
    assert is_same(parse_platform(normal, AMD64), platform)


def test_os_version_is_kept() -> None:
    assert parse_platform("windows(10.0.17763)/amd64", AMD64) == Platform(
        os="windows", os_version="10.0.17763", architecture="amd64"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", '"" is an invalid component of ""'),
        ("linux/", '"" is an invalid component of "linux/"'),
        ("linux/a b", '"a b" is an invalid component of "linux/a b"'),
        ("linux/arm/v7/x", '"linux/arm/v7/x": cannot parse platform specifier'),
        ("l*", '"l*": wildcards not yet supported'),
        ("vax", '"vax": unknown operating system or architecture'),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_platform(text, AMD64)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(": invalid argument")


@pytest.mark.parametrize(
    ("host", "texts"),
    [
        (AMD64, ["linux/amd64", "linux/386"]),
        (
            Platform(os="linux", architecture="amd64", variant="v3"),
            ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"],
        ),
        (from_machine("armv7l"), ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        (ARM64, ["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]),
        (from_machine("riscv64"), ["linux/riscv64"]),
    ],
)
def test_runnable(host: Platform, texts: list[str]) -> None:
    assert [format_platform(platform) for platform in runnable(host)] == texts


def test_arm64_v9_runs_v8_5() -> None:
    texts = [format_platform(p) for p in runnable(Platform(os="linux", architecture="arm64", variant="v9.1"))]
    assert texts[:4] == ["linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6", "linux/arm64/v8.5"]
    assert "linux/arm64" in texts


def test_best_match() -> None:
    candidates = [
        Platform(os="linux", architecture="386"),
        Platform(os="unknown", architecture="unknown"),
        Platform(os="linux", architecture="arm64", variant="v8"),
        Platform(os="linux", architecture="arm", variant="v7"),
        Platform(os="linux", architecture="amd64"),
    ]
    assert best_match(candidates, runnable(AMD64)) == 4
    assert best_match(candidates[:1], runnable(AMD64)) == 0
    assert best_match(candidates, runnable(ARM64)) == 2
    assert best_match(candidates[3:], runnable(ARM64)) == 0
    assert best_match(candidates, [parse_platform("linux/s390x", AMD64)]) is None
    assert best_match([], runnable(AMD64)) is None


@given(st.text(alphabet="linuxarmv86_4/()", max_size=16))
def test_any_text_parses_or_is_refused_and_parses_stably(text: str) -> None:
    try:
        platform = parse_platform(text, AMD64)
    except InvalidParameter:
        return
    assert normalise(platform) == platform
    assert runnable(platform)
