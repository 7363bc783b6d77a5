"""AppArmor profiles in the kernel: which are there, and loading one through apparmor_parser (Debian package apparmor)."""

import os
import shutil
import subprocess

_PROFILES = "/sys/kernel/security/apparmor/profiles"
_LOAD_TIMEOUT_S = 60


def has_profile(name: str) -> bool:
    """Whether the kernel knows it; false where the list cannot be read."""
    try:
        with open(_PROFILES) as f:
            return any(line.rpartition(" (")[0] == name for line in f)
    except OSError:
        return False


def find_parser() -> str:
    """The program that compiles profiles; empty if it is not installed."""
    return shutil.which("apparmor_parser", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or ""


def load_profile(parser: str, source: str) -> None:
    """Load, or replace, a profile; takes some 50 ms.  OSError with the parser's words if it cannot be."""
    try:
        done = subprocess.run(
            [parser, "--replace", "--skip-cache", "--quiet"],
            input=source.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_LOAD_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as e:
        raise TimeoutError(f"{parser} did not end within {_LOAD_TIMEOUT_S} s") from e
    if done.returncode != 0:
        raise OSError(f"{parser} ended with {done.returncode}: {done.stdout.decode(errors='replace').strip()}")
