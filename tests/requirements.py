"""Marks the tests that need root and programs of the distribution, and says what is missing when they are skipped."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

ENGINE = ("conmon", "crun", "busybox", "nft", "ip", "nsenter")
"""What a real engine and the tests that look at it need."""

DOCKER = os.environ.get("WHARF_DOCKER") or shutil.which("docker") or ""
"""The docker command line; empty if there is none.  `./wharf test` fetches one."""
needs_docker = pytest.mark.skipif(not DOCKER, reason="not installed: docker (the command line client)")


def mark_below(folder: Path, items: Iterable[pytest.Item], programs: Iterable[str] = ENGINE) -> None:
    """Those of the items that lie below the folder."""
    missing = [program for program in programs if shutil.which(program) is None]
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.root)
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason="needs root"))
            item.add_marker(pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"))
