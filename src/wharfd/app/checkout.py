"""Which build this is."""

import shutil
import subprocess  # noqa: TID251 - asked once for the commit of a checkout, before the loop runs
import sys
from pathlib import Path

import wharfd
from wharfd.engine.system import Build


def this_build() -> Build:
    """Of a checkout: the commit and its time."""
    commit = built = ""
    root = Path(__file__).parents[3]
    if (root / ".git").exists() and (git := shutil.which("git")):
        shown = subprocess.run(
            [git, "-C", str(root), "-c", "safe.directory=*", "show", "-s", "--format=%h %cI", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        commit, built = (shown[0], shown[1]) if len(shown) == 2 else ("", "")
    return Build(version=wharfd.__version__, commit=commit, built=built, python=sys.version.split()[0])
