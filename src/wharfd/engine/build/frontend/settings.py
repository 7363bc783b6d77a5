"""A build's options, from the attributes of a request (`build-arg:X`, `target`, `platform`, `no-cache`, `context:NAME`, …).

Names are BuildKit's, whatever door the request came through.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from wharfd.engine.build.frontend.rules import CheckOptions, parse_check_options
from wharfd.engine.build.ops import ExtraHost, NetworkMode, ResolveMode, Rlimit
from wharfd.model.errors import InvalidParameter
from wharfd.wire.dockerfile.errors import DockerfileError
from wharfd.wire.dockerfile.mounts import csv_fields
from wharfd.wire.limits import parse_ulimit
from wharfd.wire.oci import Platform, parse_platform
from wharfd.wire.timestamps import SECOND

BUILD_ARG = "build-arg:"
LABEL = "label:"
CONTEXT = "context:"
DEFAULT_FILENAME = "Dockerfile"

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_RESOLVE_MODES = {"": ResolveMode.DEFAULT, **{mode.value: mode for mode in ResolveMode}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`platforms` empty: this host's, which goes without saying.  `uncached`: None, or the stages whose steps are done anew (empty: all).

    `contexts`: named contexts (`docker-image://…`, `local:…`, `input:…`, a git or http address).  `epoch_ns`: SOURCE_DATE_EPOCH, the time
    that the image and its new files get.  `check`: what the caller says of build checks; None: the file says it.
    """

    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platforms: tuple[Platform, ...] = ()
    is_multi_platform: bool = False
    uncached: tuple[str, ...] | None = None
    resolve_mode: ResolveMode = ResolveMode.DEFAULT
    network: NetworkMode = NetworkMode.SANDBOX
    extra_hosts: tuple[ExtraHost, ...] = ()
    ulimits: tuple[Rlimit, ...] = ()
    shm_size: int = 0
    hostname: str = ""
    cgroup_parent: str = ""
    devices: tuple[str, ...] = ()
    cache_namespace: str = ""
    epoch_ns: int | None = None
    check: CheckOptions | None = None

    def ignores_cache(self, stage_name: str) -> bool:
        if self.uncached is None:
            return False
        return not self.uncached or stage_name.lower() in map(str.lower, self.uncached)


def settings_of(attributes: Mapping[str, str], host: Platform) -> Settings:
    """Raises InvalidParameter."""
    get = attributes.get
    build_args = with_prefix(attributes, BUILD_ARG)
    platforms = tuple(target_platform(each, host) for each in get("platform", "").split(",") if each)
    resolve_mode = _RESOLVE_MODES.get(get("image-resolve-mode", ""))
    if resolve_mode is None:
        raise InvalidParameter(f"invalid image-resolve-mode: {get('image-resolve-mode')}")
    no_cache = get("no-cache")
    check = build_args.get("BUILDKIT_DOCKERFILE_CHECK")
    return Settings(
        build_args=build_args,
        labels=with_prefix(attributes, LABEL),
        contexts=with_prefix(attributes, CONTEXT),
        target=get("target", ""),
        platforms=platforms,
        is_multi_platform=is_multi_platform(attributes, len(platforms)),
        uncached=None if no_cache is None else tuple(no_cache.split(",")) if no_cache else (),
        resolve_mode=resolve_mode,
        network=network_mode(get("force-network-mode", "")),
        extra_hosts=extra_hosts(get("add-hosts", "")),
        ulimits=ulimits(get("ulimit", "")),
        shm_size=integer("shm-size", get("shm-size", "")),
        hostname=build_args.get("BUILDKIT_SANDBOX_HOSTNAME") or get("hostname", ""),
        cgroup_parent=get("cgroup-parent", ""),
        devices=tuple(fields("device", get("device", ""))),
        cache_namespace=build_args.get("BUILDKIT_CACHE_MOUNT_NS", ""),
        epoch_ns=source_date_epoch(build_args.get("SOURCE_DATE_EPOCH", "")),
        check=None if check is None else parse_check_options(check),
    )


def with_prefix(attributes: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): value for key, value in attributes.items() if key.startswith(prefix)}


def target_platform(text: str, host: Platform) -> Platform:
    try:
        return parse_platform(text, host)
    except InvalidParameter as e:
        raise e.prefixed(f"failed to parse target platform {text}: ") from e


def is_multi_platform(attributes: Mapping[str, str], count: int) -> bool:
    said = attributes.get(f"{BUILD_ARG}BUILDKIT_MULTI_PLATFORM") or attributes.get("multi-platform", "")
    if not said:
        return count > 1
    value = boolean(said)
    if value is None:
        raise InvalidParameter(f"invalid boolean value for multi-platform: {said}")
    if not value and count > 1:
        raise InvalidParameter("conflicting config: returning multiple target platforms is not allowed")
    return value


def boolean(text: str) -> bool | None:
    """Go's ParseBool; None for what is none."""
    return _BOOLEANS.get(text)


def network_mode(text: str) -> NetworkMode:
    try:
        return NetworkMode(text or "sandbox")
    except ValueError as e:
        raise InvalidParameter(f"invalid netmode {text}") from e


def fields(name: str, text: str) -> list[str]:
    try:
        return csv_fields(text) if text else []
    except DockerfileError as e:
        raise InvalidParameter(f"failed to parse {name}: {e}") from e


def extra_hosts(text: str) -> tuple[ExtraHost, ...]:
    found = []
    for entry in fields("additional hosts", text):
        host, equals, address = entry.lower().partition("=")
        if not equals:
            raise InvalidParameter(f"failed to parse additional hosts: invalid key-value pair {entry}")
        try:
            ipaddress.ip_address(address)
        except ValueError as e:
            raise InvalidParameter(f"failed to parse additional hosts: failed to parse IP {address}") from e
        found.append(ExtraHost(host=host, ip=address))
    return tuple(found)


def ulimits(text: str) -> tuple[Rlimit, ...]:
    try:
        found = [parse_ulimit(entry) for entry in fields("ulimit", text)]
    except InvalidParameter as e:
        raise e.prefixed("" if str(e).startswith("failed to parse") else "failed to parse ulimit: ") from e
    return tuple(Rlimit(name=limit.name, soft=limit.soft, hard=limit.hard) for limit in found)


def integer(name: str, text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20):
        raise InvalidParameter(f'failed to parse {name}: strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def source_date_epoch(text: str) -> int | None:
    """Nanoseconds."""
    if not text:
        return None
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 13):
        raise InvalidParameter(f'invalid SOURCE_DATE_EPOCH: {text}: strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text) * SECOND
