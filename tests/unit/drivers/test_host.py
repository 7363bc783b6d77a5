"""The local host: a default seccomp profile that cannot be read is an error, and never no profile."""

from pathlib import Path

import pytest

from wharfd.drivers import host
from wharfd.drivers.host import LocalHost
from wharfd.model.errors import Unavailable


def test_profile_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text("{}")
    assert LocalHost(seccomp_profile=str(file)).seccomp_profile_document() == b"{}"


def test_unconfined_has_none() -> None:
    assert LocalHost(seccomp_profile="unconfined").seccomp_profile_document() is None


def test_missing_profile_does_not_mean_unconfined(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"opening seccomp profile .* failed: no such file or directory"):
        LocalHost(seccomp_profile=str(tmp_path / "absent")).seccomp_profile_document()


def test_unreadable_profile_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="failed: Is a directory"):
        LocalHost(seccomp_profile=str(tmp_path)).seccomp_profile_document()


def test_distribution_without_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "PROFILES", (str(tmp_path / "absent"),))
    with pytest.raises(Unavailable, match="there is no default seccomp profile"):
        LocalHost().seccomp_profile_document()
