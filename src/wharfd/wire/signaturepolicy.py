"""Which images must be signed and by whom (containers-policy.json), and what a signature says (cosign's "simple signing").

    {"default": [{"type": "insecureAcceptAnything"}],
     "transports": {"docker": {
         "registry.example":         [{"type": "reject"}],
         "registry.example/team":    [{"type": "sigstoreSigned", "keyPath": "/etc/wharfd/team.pub",
                                       "signedIdentity": {"type": "matchRepository"}}]}}}

The most specific scope decides alone: the whole reference, its repository, each part of the path above it, the host, `*.example`, the
transport's `""`, `default`.  All requirements of a scope must hold.  What is not understood is an error, never a requirement less.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest
from wharfd.model.json import Json
from wharfd.wire.reference import Reference, parse_normalised

SIGNATURE_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_NOTE = "dev.cosignproject.cosign/signature"
PAYLOAD_TYPES = ("cosign container image signature", "atomic container signature")
TRANSPORTS = (
    "docker",
    "atomic",
    "oci",
    "dir",
    "containers-storage",
    "docker-archive",
    "docker-daemon",
    "tarball",
    "oci-archive",
    "sif",
)
KEYS = ("keyPath", "keyPaths", "keyData", "keyDatas")


class Kind(StrEnum):
    ACCEPT = "insecureAcceptAnything"
    REJECT = "reject"
    SIGNED = "sigstoreSigned"


class Match(StrEnum):
    """How the name that a signature is for must agree with the name that is pulled."""

    EXACT = "matchExact"
    DIGEST_OR_EXACT = "matchRepoDigestOrExact"
    REPOSITORY = "matchRepository"
    EXACT_REFERENCE = "exactReference"
    EXACT_REPOSITORY = "exactRepository"
    REMAP = "remapIdentity"


@dataclass(frozen=True, slots=True)
class Key:
    """A public key: the file it is in, or its PEM text."""

    path: str = ""
    pem: bytes = b""

    def __str__(self) -> str:
        return self.path or "the key in the policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`value` and `prefix`: what EXACT_REFERENCE, EXACT_REPOSITORY and REMAP (from prefix to value) need."""

    match: Match = Match.DIGEST_OR_EXACT
    value: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    kind: Kind
    keys: tuple[Key, ...] = ()
    identity: Identity = Identity()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    default: Sequence[Requirement]
    scopes: Mapping[str, Sequence[Requirement]]

    def of(self, ref: Reference) -> tuple[str, Sequence[Requirement]]:
        """The scope that decides, and what it requires."""
        for scope in scopes_of(ref):
            if scope in self.scopes:
                return scope, self.scopes[scope]
        return "default", self.default


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signature says: this digest is what that name stands for."""

    digest: Digest
    name: str


def scopes_of(ref: Reference) -> Iterator[str]:
    yield str(ref)
    parts = ref.name.split("/")
    for end in range(len(parts), 0, -1):
        yield "/".join(parts[:end])
    labels = parts[0].split(".")
    for start in range(1, len(labels)):
        yield "*." + ".".join(labels[start:])
    yield ""


def parse_policy(text: bytes) -> Policy:
    """Raises InvalidParameter, with where in the file."""
    try:
        document: Json = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise InvalidParameter(f"invalid JSON: {e}") from e
    top = an_object(document, "policy", ("default", "transports"))
    if "default" not in top:
        raise InvalidParameter("default is missing")
    transports = an_object(top.get("transports") or {}, "transports", TRANSPORTS)
    scopes = an_object(transports.get("docker") or {}, "transports.docker")
    return Policy(
        default=requirements(top["default"], "default"),
        scopes={name: requirements(value, f"docker.{name}") for name, value in scopes.items()},
    )


def requirements(value: Json, where: str) -> Sequence[Requirement]:
    if not isinstance(value, list) or not value:
        raise InvalidParameter(f"{where} must be a list of at least one requirement")
    return [requirement(each, f"{where}[{number}]") for number, each in enumerate(value)]


def requirement(value: Json, where: str) -> Requirement:
    fields = an_object(value, where)
    kind = fields.get("type")
    if kind in (Kind.ACCEPT, Kind.REJECT):
        an_object(value, where, ("type",))
        return Requirement(kind=Kind(str(kind)))
    if kind != Kind.SIGNED:
        known = ", ".join(Kind)
        raise InvalidParameter(f"{where}: the type {kind!r} is not supported: {known} are")
    an_object(value, where, ("type", "signedIdentity", *KEYS))
    given = [name for name in KEYS if name in fields]
    if len(given) != 1:
        raise InvalidParameter(f"{where}: exactly one of {', '.join(KEYS)} is needed")
    return Requirement(
        kind=Kind.SIGNED,
        keys=tuple(keys(given[0], fields[given[0]], where)),
        identity=identity(fields["signedIdentity"], f"{where}.signedIdentity")
        if "signedIdentity" in fields
        else Identity(),
    )


def keys(name: str, value: Json, where: str) -> Iterator[Key]:
    values = value if name.endswith("s") else [value]
    if not isinstance(values, list) or not values:
        raise InvalidParameter(f"{where}.{name} must be a list that is not empty")
    for each in values:
        word = a_string(each, f"{where}.{name}")
        if name.startswith("keyPath"):
            yield Key(path=word)
            continue
        try:
            yield Key(pem=base64.b64decode(word, validate=True))
        except ValueError as e:
            raise InvalidParameter(f"{where}.{name} is not base64") from e


def identity(value: Json, where: str) -> Identity:
    fields = an_object(value, where)
    try:
        match = Match(str(fields.get("type")))
    except ValueError as e:
        raise InvalidParameter(f"{where}: the type {fields.get('type')!r} is not known") from e
    needed = {
        Match.EXACT_REFERENCE: ("dockerReference",),
        Match.EXACT_REPOSITORY: ("dockerRepository",),
        Match.REMAP: ("signedPrefix", "prefix"),
    }.get(match, ())
    an_object(value, where, ("type", *needed))
    words = [a_string(fields.get(name), f"{where}.{name}") for name in needed]
    return Identity(match=match, value=words[0] if words else "", prefix=words[1] if len(words) > 1 else "")


def an_object(value: Json, where: str, known: Sequence[str] = ()) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise InvalidParameter(f"{where} must be an object")
    unknown = [name for name in value if known and name not in known]
    if unknown:
        raise InvalidParameter(f"{where}: {unknown[0]!r} is not supported")
    return value


def a_string(value: Json, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidParameter(f"{where} must be a string that is not empty")
    return value


def parse_claim(payload: bytes) -> Claim:
    """Raises InvalidParameter."""
    try:
        document: Json = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise InvalidParameter(f"invalid signature payload: {e}") from e
    critical = an_object(an_object(document, "payload").get("critical"), "payload.critical")
    if critical.get("type") not in PAYLOAD_TYPES:
        raise InvalidParameter(f"invalid signature payload: its type is {critical.get('type')!r}")
    image = an_object(critical.get("image"), "payload.critical.image")
    named = an_object(critical.get("identity"), "payload.critical.identity")
    digest = a_string(image.get("docker-manifest-digest"), "docker-manifest-digest")
    return Claim(Digest(digest), a_string(named.get("docker-reference"), "docker-reference"))


def agrees(wanted: Identity, ref: Reference, claimed: str) -> bool:
    """Is what was signed for `claimed` good for `ref`?"""
    try:
        signed = parse_normalised(claimed)
        match wanted.match:
            case Match.EXACT:
                return is_same(ref, signed)
            case Match.DIGEST_OR_EXACT:
                return ref.name == signed.name if ref.digest is not None else is_same(ref, signed)
            case Match.REPOSITORY:
                return ref.name == signed.name
            case Match.EXACT_REFERENCE:
                return is_same(parse_normalised(wanted.value), signed)
            case Match.EXACT_REPOSITORY:
                return parse_normalised(wanted.value).name == signed.name
            case Match.REMAP:
                return agrees(Identity(), remapped(ref, wanted), claimed)
    except InvalidParameter:
        return False


def is_same(one: Reference, other: Reference) -> bool:
    return one.tag is not None and (one.name, one.tag) == (other.name, other.tag)


def remapped(ref: Reference, wanted: Identity) -> Reference:
    name = str(ref)
    if ref.name != wanted.prefix and not name.startswith(
        (f"{wanted.prefix}/", f"{wanted.prefix}:", f"{wanted.prefix}@")
    ):
        return ref
    return parse_normalised(wanted.value + name[len(wanted.prefix) :])
