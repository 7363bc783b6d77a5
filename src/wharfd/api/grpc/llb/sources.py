"""Sources: LLB's identifiers with their attributes (`docker-image://…`, `local://context`), and the builder's operations."""

from collections.abc import Mapping

import msgspec

from wharfd.engine.build.ops import (
    GitSource,
    HttpSource,
    ImageSource,
    LayoutSource,
    LocalSource,
    ResolveMode,
    Source,
)
from wharfd.model.errors import InvalidParameter, NotImplementedHere

_strings = msgspec.json.Decoder(list[str] | None)
_encode = msgspec.json.Encoder().encode

Attributes = Mapping[str, str]


def decode_source(identifier: str, attributes: Attributes) -> Source:
    """Raises InvalidParameter, NotImplementedHere."""
    for key in attributes:
        if ".sig." in key:  # what is not verified must not pass as if it were
            raise NotImplementedHere(f"{key}: signatures of sources are not verified by this engine")
    scheme, separator, rest = identifier.partition("://")
    if not separator:
        raise InvalidParameter(f"failed to parse {identifier}: no scheme")
    match scheme:
        case "docker-image":
            mode = attributes.get("image.resolvemode", "") or "default"
            if mode not in ResolveMode.__members__.values():
                raise InvalidParameter(f"invalid resolve mode {mode!r}")
            return ImageSource(ref=rest, resolve_mode=ResolveMode(mode), checksum=attributes.get("image.checksum", ""))
        case "oci-layout":
            return LayoutSource(
                ref=rest, store_id=attributes.get("oci.store", ""), session_id=attributes.get("oci.session", "")
            )
        case "local":
            return LocalSource(
                name=rest,
                include=strings(attributes, "local.includepattern"),
                exclude=strings(attributes, "local.excludepatterns"),
                follow_paths=strings(attributes, "local.followpaths"),
                shared_key=attributes.get("local.sharedkeyhint", ""),
                session_id=attributes.get("local.session", ""),
            )
        case "http" | "https":
            return HttpSource(
                url=identifier,
                checksum=attributes.get("http.checksum", ""),
                filename=attributes.get("http.filename", ""),
                mode=number(attributes, "http.perm", 0o600, 0),
                uid=number(attributes, "http.uid", 0, 10),
                gid=number(attributes, "http.gid", 0, 10),
                auth_header_secret=attributes.get("http.authheadersecret", ""),
            )
        case "git":
            return decode_git(rest, attributes)
        case _:
            raise InvalidParameter(f"unknown source scheme {scheme!r}")


def decode_git(rest: str, attributes: Attributes) -> GitSource:
    remote, _, fragment = rest.partition("#")
    ref, _, subdir = fragment.partition(":")
    return GitSource(
        remote=attributes.get("git.fullurl", "") or f"https://{remote}",
        ref=ref,
        subdir=subdir,
        checksum=attributes.get("git.checksum", ""),
        keep_git_dir=attributes.get("git.keepgitdir") == "true",
        skip_submodules=attributes.get("git.skipsubmodules") == "true",
        auth_token_secret=attributes.get("git.authtokensecret", ""),
        auth_header_secret=attributes.get("git.authheadersecret", ""),
        known_ssh_hosts=attributes.get("git.knownsshhosts", ""),
        mount_ssh_socket=attributes.get("git.mountsshsock", ""),
    )


def strings(attributes: Attributes, key: str) -> list[str]:
    text = attributes.get(key, "")
    if not text:
        return []
    try:
        return _strings.decode(text) or []
    except (msgspec.MsgspecError, RecursionError) as e:
        raise InvalidParameter(f"{key}: {e}") from e


def number(attributes: Attributes, key: str, default: int, base: int) -> int:
    """Go: base 0 takes 0x, 0o, and a leading 0 for octal."""
    text = attributes.get(key, "")
    if not text:
        return default
    try:
        if base == 0 and len(text) > 1 and text[0] == "0" and text[1].isdigit():
            return int(text, 8)
        return int(text, base)
    except ValueError as e:
        raise InvalidParameter(f"{key}: {text!r} is no number") from e


def encode_source(op: Source) -> tuple[str, dict[str, str]]:
    """The identifier and its attributes, those with a default left out."""
    attributes: dict[str, str] = {}

    def put(key: str, value: str) -> None:
        if value:
            attributes[key] = value

    def put_strings(key: str, values: list[str]) -> None:
        if values:
            attributes[key] = _encode(values).decode()

    match op:
        case ImageSource():
            put("image.resolvemode", "" if op.resolve_mode is ResolveMode.DEFAULT else op.resolve_mode.value)
            put("image.checksum", op.checksum)
            return f"docker-image://{op.ref}", attributes
        case LayoutSource():
            put("oci.store", op.store_id)
            put("oci.session", op.session_id)
            return f"oci-layout://{op.ref}", attributes
        case LocalSource():
            put_strings("local.includepattern", op.include)
            put_strings("local.excludepatterns", op.exclude)
            put_strings("local.followpaths", op.follow_paths)
            put("local.sharedkeyhint", op.shared_key)
            put("local.session", op.session_id)
            return f"local://{op.name}", attributes
        case HttpSource():
            put("http.checksum", op.checksum)
            put("http.filename", op.filename)
            put("http.perm", "" if op.mode == 0o600 else f"0{op.mode:o}")
            put("http.uid", str(op.uid) if op.uid else "")
            put("http.gid", str(op.gid) if op.gid else "")
            put("http.authheadersecret", op.auth_header_secret)
            return op.url, attributes
        case GitSource():
            put("git.fullurl", op.remote)
            put("git.checksum", op.checksum)
            put("git.keepgitdir", "true" if op.keep_git_dir else "")
            put("git.skipsubmodules", "true" if op.skip_submodules else "")
            put("git.authtokensecret", op.auth_token_secret)
            put("git.authheadersecret", op.auth_header_secret)
            put("git.knownsshhosts", op.known_ssh_hosts)
            put("git.mountsshsock", op.mount_ssh_socket)
            fragment = op.ref + (f":{op.subdir}" if op.subdir else "")
            remote = op.remote.partition("://")[2] or op.remote
            return f"git://{remote}" + (f"#{fragment}" if fragment else ""), attributes
