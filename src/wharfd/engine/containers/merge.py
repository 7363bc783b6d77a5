"""What a container takes over from its image.  Source: dockerd's `merge` and `mergeAndVerifyConfig`."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from wharfd.model.config import ContainerConfig, HealthConfig
from wharfd.model.errors import InvalidParameter
from wharfd.model.image import RunConfig

V = TypeVar("V")


def merge(asked: ContainerConfig, image: RunConfig | None) -> ContainerConfig:
    """The container's config: what the client says, else what the image says.

    Docker: an entrypoint in the request discards the image's command; [] and [""] reset the image's entrypoint.

    Raises:
        InvalidParameter: neither says what to run.
    """
    config = asked if image is None else inherit(asked, image)
    if config.entrypoint == [""]:
        config = msgspec.structs.replace(config, entrypoint=None)
    if not config.entrypoint and not config.cmd:
        raise InvalidParameter("no command specified")
    return msgspec.structs.replace(config, labels=config.labels or {})


def inherit(asked: ContainerConfig, image: RunConfig) -> ContainerConfig:
    cmd, entrypoint, args_escaped = asked.cmd, asked.entrypoint, asked.args_escaped
    if not entrypoint:
        if not cmd:
            cmd, args_escaped = image.cmd, image.args_escaped
        if entrypoint is None:
            entrypoint = image.entrypoint
    return msgspec.structs.replace(
        asked,
        user=asked.user or image.user,
        exposed_ports=union(image.exposed_ports, asked.exposed_ports),
        env=merge_env(asked.env, image.env),
        labels=union(image.labels, asked.labels),
        cmd=cmd,
        entrypoint=entrypoint,
        args_escaped=args_escaped,
        healthcheck=merge_health(asked.healthcheck, image.healthcheck),
        working_dir=asked.working_dir or image.working_dir,
        volumes=union(image.volumes, asked.volumes),
        stop_signal=asked.stop_signal or image.stop_signal,
    )


def union(base: dict[str, V] | None, own: dict[str, V] | None) -> dict[str, V] | None:
    """Both, `own` winning; None if there is nothing."""
    if not base:
        return own or None
    return {**base, **(own or {})}


def merge_env(asked: Iterable[str] | None, image: Iterable[str] | None) -> list[str] | None:
    """The request's variables, then those of the image that it does not name."""
    own = list(asked or ())
    named = {variable.partition("=")[0] for variable in own}
    own += [variable for variable in image or () if variable.partition("=")[0] not in named]
    return own or None


def merge_health(asked: HealthConfig | None, image: HealthConfig | None) -> HealthConfig | None:
    if asked is None or image is None:
        return asked or image
    return HealthConfig(
        test=asked.test or image.test,
        interval=asked.interval or image.interval,
        timeout=asked.timeout or image.timeout,
        start_period=asked.start_period or image.start_period,
        start_interval=asked.start_interval or image.start_interval,
        retries=asked.retries or image.retries,
    )
