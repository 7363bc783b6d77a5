"""Each flag turns exactly once, at the version that its comment names."""

import re
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest

from wharfd.api.versions import behaviour
from wharfd.api.versions.behaviour import Behaviour
from wharfd.api.versions.version import MAX, MIN, Version

FLAGS = [field.name for field in fields(Behaviour) if field.name not in {"version", "warns_empty_port_bindings"}]


def documented() -> dict[str, tuple[str, int]]:
    """Flag -> ("<" or ">=", minor) from the comments of the dataclass."""
    text = Path(behaviour.__file__).read_text()
    found = re.findall(r"^    (\w+): bool  # (<|>=)1\.(\d+)", text, re.MULTILINE)
    return {name: (sign, int(minor)) for name, sign, minor in found}


@pytest.mark.parametrize("flag", FLAGS)
def test_flag_turns_at_its_version(flag: str) -> None:
    sign, minor = documented()[flag]
    at, below = Version(1, minor), Version(1, minor - 1)
    assert getattr(Behaviour.for_version(at), flag) is (sign == ">=")
    assert getattr(Behaviour.for_version(below), flag) is (sign == "<")


@pytest.mark.parametrize("flag", FLAGS)
def test_flag_turns_only_once(flag: str) -> None:
    values = [getattr(Behaviour.for_version(Version(1, minor)), flag) for minor in range(MIN.minor - 1, MAX.minor + 1)]
    assert sum(left != right for left, right in pairwise(values)) == 1


def test_one_object_per_version() -> None:
    assert Behaviour.for_version(Version(1, 40)) is Behaviour.for_version(Version.parse("1.40"))


def test_empty_port_bindings_draw_a_warning_in_one_version_only() -> None:
    warned = [minor for minor in range(24, 56) if Behaviour.for_version(Version(1, minor)).warns_empty_port_bindings]
    assert warned == [52]
