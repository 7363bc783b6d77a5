"""Capabilities and what the kernel offers."""

from pathlib import Path

import pytest

from wharfd.sys.security import (
    bounding_capabilities,
    decode_capabilities,
    effective_capabilities,
    has_capability,
    security_facts,
)
from wharfd.wire.limits import ALL_CAPABILITIES


def test_bits_have_the_kernels_names() -> None:
    assert decode_capabilities(0) == ()
    assert decode_capabilities(1) == ("CAP_CHOWN",)
    assert decode_capabilities(1 << 21 | 1 << 24 | 1 << 40) == (
        "CAP_SYS_ADMIN",
        "CAP_SYS_RESOURCE",
        "CAP_CHECKPOINT_RESTORE",
    )
    assert decode_capabilities(1 << 63) == ()
    assert decode_capabilities((1 << len(ALL_CAPABILITIES)) - 1) == ALL_CAPABILITIES


def test_own_capabilities_are_those_of_the_kernel() -> None:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    mask = int(status["CapEff"], 16)
    assert effective_capabilities() == decode_capabilities(mask)
    assert [has_capability(name) for name in ALL_CAPABILITIES] == [
        bool(mask >> n & 1) for n in range(len(ALL_CAPABILITIES))
    ]
    assert set(effective_capabilities()) <= set(bounding_capabilities())
    with pytest.raises(ValueError):
        has_capability("CAP_DANCE")


def test_facts_are_those_functions_together() -> None:
    facts = security_facts()
    assert facts.capabilities == effective_capabilities()
    assert facts.seccomp is Path("/proc/sys/kernel/seccomp").is_dir()
