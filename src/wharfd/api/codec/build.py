"""Builds of the classic door: the query, and the lines of the answer."""

import base64
from typing import TypeVar

import msgspec

from wharfd.api.params import flag, integer, integer_or_zero
from wharfd.api.versions.behaviour import Behaviour
from wharfd.engine.build.classic.failures import ClassicFailed
from wharfd.engine.build.classic.request import ClassicRequest, ImageMade, Told
from wharfd.engine.build.prune import Room
from wharfd.engine.build.requests import ExecLimits
from wharfd.model.config import Ulimit
from wharfd.model.errors import InvalidParameter
from wharfd.model.json import JsonObject
from wharfd.wire import gojson
from wharfd.wire.authconfig import parse_registry_config
from wharfd.wire.reference import Reference, parse_normalised
from wharfd.wire.target import Query

T = TypeVar("T")
SECRETS = "x-wharf-build-secrets"  # ours: for clients without a session


def decode_build(query: Query, registry_config: str, secrets: str, behaviour: Behaviour) -> ClassicRequest:
    """Raises InvalidParameter, also where dockerd answers with 500."""
    check(query)
    return ClassicRequest(
        build_id=query.get("buildid", ""),
        remote=query.get("remote", ""),
        dockerfile=query.get("dockerfile", ""),
        names=names(query),
        target=query.get("target", ""),
        platform=query.get("platform", "") if behaviour.build_takes_platform else "",
        build_args=decoded(query, "buildargs", "error reading build args", dict[str, str | None]) or {},
        labels=decoded(query, "labels", "error reading labels", dict[str, str]) or {},
        cache_from=decoded(query, "cachefrom", "error reading cache-from", list[str]) or [],
        extra_hosts=query.all("extrahosts"),
        ulimits=decoded(query, "ulimits", "error reading ulimit settings", list[Ulimit]) or [],
        network_mode=query.get("networkmode", ""),
        shm_size=integer_or_zero(query, "shmsize"),
        limits=ExecLimits(
            memory_bytes=integer_or_zero(query, "memory"),
            memory_swap_bytes=integer_or_zero(query, "memswap"),
            cpu_shares=integer_or_zero(query, "cpushares"),
            cpu_period=integer_or_zero(query, "cpuperiod"),
            cpu_quota=integer_or_zero(query, "cpuquota"),
            cpuset_cpus=query.get("cpusetcpus", ""),
            cpuset_mems=query.get("cpusetmems", ""),
            cgroup_parent=query.get("cgroupparent", ""),
        ),
        no_cache=flag(query, "nocache"),
        pull=flag(query, "pull"),
        remove=flag(query, "forcerm") or not query.get("rm", "") or flag(query, "rm"),
        force_remove=flag(query, "forcerm"),
        quiet=flag(query, "q"),
        logins=parse_registry_config(registry_config),
        secrets=decode_secrets(secrets),
    )


def check(query: Query) -> None:
    if query.all("securityopt"):
        raise InvalidParameter("security options are not supported on linux")
    if flag(query, "squash"):
        raise InvalidParameter("squash is only supported with experimental mode")
    isolation = query.get("isolation", "")
    if isolation and isolation.lower() != "default":
        raise InvalidParameter(f'unsupported isolation: "{isolation}"')


def names(query: Query) -> list[Reference]:
    found: list[Reference] = []
    for text in query.all("t"):
        if not text:
            continue
        name = parse_normalised(text)
        if name.digest is not None:
            raise InvalidParameter("build tag cannot contain a digest")
        if name.with_default_tag() not in found:
            found.append(name.with_default_tag())
    return found


def decoded(query: Query, name: str, refusal: str, kind: type[T]) -> T | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        gojson.scan(text.encode())
        return msgspec.json.decode(text, type=kind | None)
    except (gojson.GoJsonError, msgspec.MsgspecError) as e:
        raise InvalidParameter(f"{refusal}: {e}") from e


def decode_room(query: Query, behaviour: Behaviour) -> Room:
    """What a prune leaves.  Raises InvalidParameter with Docker's text."""
    if behaviour.keeps_storage_only:
        return Room(reserved_bytes=size(query, "keep-storage"))
    return Room(
        reserved_bytes=size(query, "reserved-space") or size(query, "keep-storage"),
        max_used_bytes=size(query, "max-used-space"),
        min_free_bytes=size(query, "min-free-space"),
    )


def size(query: Query, name: str) -> int:
    try:
        return integer(query, name, 0) or 0
    except InvalidParameter as e:
        raise e.prefixed(f"{name} is in bytes and expects an integer, got {query.get(name)}: ") from e


def encode_told(told: Told) -> JsonObject:
    return {"aux": {"ID": told.image_id}} if isinstance(told, ImageMade) else {"stream": told.text}


def encode_failure(error: ClassicFailed) -> JsonObject:
    detail: JsonObject = {"code": error.code} if error.code else {}
    return {"errorDetail": {**detail, "message": str(error)}, "error": str(error)}


def decode_secrets(header: str) -> dict[str, bytes]:
    """Base64 of a JSON object: id -> base64 of the secret.  Raises InvalidParameter."""
    if not header:
        return {}
    try:
        return msgspec.json.decode(base64.b64decode(header, validate=True), type=dict[str, bytes])
    except (ValueError, msgspec.MsgspecError) as e:
        raise InvalidParameter(f"{SECRETS}: {e}") from e
