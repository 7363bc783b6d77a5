"""`/version` and `/info` at every documented version."""

import json

import pytest

from tests.spec.documents import check_answer, documented_versions
from wharfd.api.codec.system import encode_info, encode_version
from wharfd.api.versions.changes import downgrade
from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.engine.system import Build, SystemFacts
from wharfd.model.json import JsonObject
from wharfd.model.settings import Settings
from wharfd.ports.runtime import RuntimeInfo
from wharfd.ports.storage import StorageFacts
from wharfd.testing.clock import START_NS
from wharfd.testing.host import FakeHost

FEATURES: JsonObject = {"ociVersionMin": "1.0.0", "hooks": ["prestart"], "linux": {"cgroup": {"v1": True}}}
CRUN = RuntimeInfo(name="crun", path="/usr/bin/crun", version="1.8.1", commit="f8a096b", features=FEATURES)
RUNC = RuntimeInfo(name="runc", path="/usr/sbin/runc", version="1.1.5")


def facts(**settings: object) -> SystemFacts:
    return SystemFacts(
        engine_id="e" * 64,
        build=Build(version="0.1.0", commit="abc1234", built="2026-01-02T03:04:05+00:00", python="3.11.2"),
        host=FakeHost().facts(),
        settings=Settings(**settings),  # type: ignore[arg-type]
        storage=StorageFacts(driver="overlayfs", status=[("driver-type", "io.containerd.snapshotter.v1")]),
        runtimes=[CRUN, RUNC],
        monitor_version="2.1.6",
        init_version="0.19.0",
        running=2,
        paused=1,
        stopped=3,
        images=4,
        open_files=20,
        tasks=5,
        event_listeners=1,
        log_drivers=["json-file", "local", "none"],
        network_drivers=["bridge", "host", "null"],
        volume_drivers=["local"],
        now_ns=START_NS,
        warnings=[],
        cdi_devices=["example.com/device=one"],
    )


def info_at(version: str, **settings: object) -> JsonObject:
    doc: JsonObject = downgrade("system.info", Version.parse(version), encode_info(facts(**settings)))
    return doc


@pytest.mark.parametrize("version", ["1.24", *documented_versions()])
def test_info_fits_the_document(version: str) -> None:
    check_answer(version, "GET", "/info", 200, info_at(version))


@pytest.mark.parametrize("version", ["1.24", *documented_versions()])
def test_version_fits_the_document(version: str) -> None:
    doc = downgrade("system.version", Version.parse(version), encode_version(facts(), str(MAX), str(MIN)))
    check_answer(version, "GET", "/version", 200, doc)


def test_features_of_a_runtime_are_text() -> None:
    """Clients decode `status` as a map of strings."""
    runtimes = info_at("1.44")["Runtimes"]
    text = runtimes["crun"]["status"]["org.opencontainers.runtime-spec.features"]
    assert json.loads(text) == FEATURES
    assert "status" not in runtimes["runc"]
    assert "status" not in info_at("1.43")["Runtimes"]["crun"]


def test_security_options_are_names_at_first() -> None:
    options = info_at("1.25")["SecurityOptions"]
    assert options
    assert all(option.startswith("name=") for option in options)
    assert info_at("1.24")["SecurityOptions"] == [option[len("name=") :].split(",")[0] for option in options]


def test_counts() -> None:
    doc = info_at("1.55")
    counted = {
        key: doc[key] for key in ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images")
    }
    assert counted == {
        "Containers": 6,
        "ContainersRunning": 2,
        "ContainersPaused": 1,
        "ContainersStopped": 3,
        "Images": 4,
    }


@pytest.mark.parametrize(
    ("key", "there"),
    [
        ("KernelMemory", range(24, 42)),
        ("FirewallBackend", range(49, 56)),
        ("BridgeNfIptables", range(24, 50)),
        ("BridgeNfIp6tables", range(24, 50)),
    ],
)
def test_keys_come_and_go_with_the_versions(key: str, there: range) -> None:
    assert [minor for minor in range(24, 56) if key in info_at(f"1.{minor}")] == list(there)


def test_expected_commits_end_with_1_48() -> None:
    for minor in range(24, 56):
        doc = info_at(f"1.{minor}")
        for key in ("ContainerdCommit", "RuncCommit", "InitCommit"):
            assert ("Expected" in doc[key]) is (minor < 49)


def test_insecure_registries_are_told_apart() -> None:
    config = info_at("1.55", insecure_registries=["10.0.0.0/8", "reg:5000"], registry_mirrors=["https://m"])[
        "RegistryConfig"
    ]
    assert config == {
        "InsecureRegistryCIDRs": ["10.0.0.0/8", "::1/128", "127.0.0.0/8"],
        "IndexConfigs": {
            "reg:5000": {"Name": "reg:5000", "Mirrors": [], "Secure": False, "Official": False},
            "docker.io": {"Name": "docker.io", "Mirrors": ["https://m/"], "Secure": True, "Official": True},
        },
        "Mirrors": ["https://m/"],
    }


def test_without_mirrors_there_is_null_beside_an_empty_list() -> None:
    config = info_at("1.55")["RegistryConfig"]
    assert (config["Mirrors"], config["IndexConfigs"]["docker.io"]["Mirrors"]) == (None, [])


def test_secrets_of_proxies_are_hidden() -> None:
    doc = info_at("1.55", http_proxy="http://me:secret@p:80", https_proxy="http://p:80", no_proxy="a,b")
    assert (doc["HttpProxy"], doc["HttpsProxy"], doc["NoProxy"]) == ("http://xxxxx:xxxxx@p:80", "http://p:80", "a,b")


def test_components_name_their_parts() -> None:
    doc = encode_version(facts(), "1.55", "1.24")
    named = {each["Name"]: each["Version"] for each in doc["Components"]}
    assert named == {"Engine": "0.1.0", "crun": "1.8.1", "runc": "1.1.5", "conmon": "2.1.6", "docker-init": "0.19.0"}
    for component in doc["Components"]:
        assert all(isinstance(value, str) for value in component["Details"].values())
