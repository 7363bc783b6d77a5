"""What a container takes over from its image."""

from typing import Any

import pytest

from wharfd.engine.containers.merge import merge
from wharfd.model.config import ContainerConfig, HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import RunConfig

IMAGE: dict[str, Any] = {"cmd": ["image", "cmd"], "entrypoint": ["image-entry"]}


@pytest.mark.parametrize(
    ("cmd", "entrypoint", "words"),
    [
        (None, None, ["image-entry", "image", "cmd"]),
        (["own"], None, ["image-entry", "own"]),
        (None, ["own-entry"], ["own-entry"]),
        (["own"], ["own-entry"], ["own-entry", "own"]),
        (["own"], [], ["own"]),
        (["own"], [""], ["own"]),
        (None, [], ["image", "cmd"]),
    ],
)
def test_commands(cmd: list[str] | None, entrypoint: list[str] | None, words: list[str]) -> None:
    merged = merge(ContainerConfig(cmd=cmd, entrypoint=entrypoint), RunConfig(**IMAGE))
    assert [*(merged.entrypoint or []), *(merged.cmd or [])] == words


@pytest.mark.parametrize(
    ("config", "image"),
    [
        (ContainerConfig(), RunConfig()),
        (ContainerConfig(), None),
        (ContainerConfig(entrypoint=[""]), RunConfig(**IMAGE)),
        (ContainerConfig(cmd=[]), RunConfig()),
    ],
)
def test_nothing_to_run(config: ContainerConfig, image: RunConfig | None) -> None:
    with pytest.raises(InvalidParameter, match="no command specified"):
        merge(config, image)


@pytest.mark.parametrize(
    ("own", "image", "merged"),
    [
        (None, None, None),
        ([], ["A=1"], ["A=1"]),
        (["B=2"], ["A=1"], ["B=2", "A=1"]),
        (["A=2"], ["A=1", "C=3"], ["A=2", "C=3"]),
        (["A"], ["A=1"], ["A"]),
        (["A="], ["A=1"], ["A="]),
    ],
)
def test_environments(own: list[str] | None, image: list[str] | None, merged: list[str] | None) -> None:
    assert merge(ContainerConfig(cmd=["x"], env=own), RunConfig(env=image)).env == merged


@pytest.mark.parametrize("field", ["labels", "volumes", "exposed_ports"])
def test_maps_are_joined_and_the_clients_win(field: str) -> None:
    values: dict[str, Any] = {"labels": ("image", "own")}
    of_image, of_client = values.get(field, ({}, {}))
    image: dict[str, Any] = {field: {"a": of_image, "b": of_image}}
    own: dict[str, Any] = {field: {"b": of_client, "c": of_client}}
    merged = merge(ContainerConfig(cmd=["x"], **own), RunConfig(**image))
    assert getattr(merged, field) == {"a": of_image, "b": of_client, "c": of_client}


def test_empty_maps_stay_what_they_are() -> None:
    merged = merge(ContainerConfig(cmd=["x"]), RunConfig())
    assert (merged.volumes, merged.exposed_ports, merged.labels) == (None, None, {})


@pytest.mark.parametrize("field", ["user", "working_dir", "stop_signal"])
def test_single_values(field: str) -> None:
    image: dict[str, Any] = {field: "image's"}
    own: dict[str, Any] = {field: "own"}
    assert getattr(merge(ContainerConfig(cmd=["x"]), RunConfig(**image)), field) == "image's"
    assert getattr(merge(ContainerConfig(cmd=["x"], **own), RunConfig(**image)), field) == "own"


def test_health_checks_are_joined_field_by_field() -> None:
    image = HealthConfig(test=["CMD", "image"], interval=1, timeout=2, retries=3, start_period=4, start_interval=5)
    own = HealthConfig(timeout=20, retries=30)
    merged = merge(ContainerConfig(cmd=["x"], healthcheck=own), RunConfig(healthcheck=image)).healthcheck
    assert merged == HealthConfig(
        test=["CMD", "image"], interval=1, timeout=20, retries=30, start_period=4, start_interval=5
    )
    none = merge(ContainerConfig(cmd=["x"], healthcheck=HealthConfig(test=["NONE"])), RunConfig(healthcheck=image))
    assert none.healthcheck is not None
    assert none.healthcheck.test == ["NONE"]
    assert merge(ContainerConfig(cmd=["x"]), RunConfig(healthcheck=image)).healthcheck == image
