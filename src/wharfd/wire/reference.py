"""Image references as Docker users write them, and the one canonical form behind them.

    reference := name [":" tag] ["@" digest]          name := [domain "/"] path

*Familiar* is what people type and see (`alpine`, `alpine:3.20`, `me/app`); *canonical* always has its domain
(`docker.io/library/alpine`).  A first element is a domain when it is `localhost`, holds a dot or a colon, or has capitals;
`index.docker.io` is an old name of `docker.io`.  64 hex digits are an image ID and never a name.

Not for: finding an image by reference or ID prefix (the image index does that).
Every function raises `InvalidParameter` with dockerd's text and nothing else.
"""

import re
from dataclasses import dataclass, replace

from wharfd.model.errors import InvalidParameter
from wharfd.model.ids import Digest

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
MAX_PATH_LENGTH = 255

_LEGACY_DOMAIN = "index.docker.io"
_OFFICIAL_PREFIX = "library/"
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}

_DOMAIN_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"(?:{_DOMAIN_LABEL}(?:\.{_DOMAIN_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_PATH_PART = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PATH_PART}(?:/{_PATH_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_LOWER_HEX = re.compile(r"[a-f0-9]+")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")

_BAD_FORMAT = "invalid reference format"


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference.  `tag` and `digest` are None where absent; both may be present, then the digest decides.

    `domain` is empty only for a name that Docker accepts although its first element looks like a domain and is none
    (`my_app.x/web`).
    """

    domain: str
    path: str
    tag: str | None = None
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """Domain and path, without tag and digest: `docker.io/library/alpine`."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def familiar_name(self) -> str:
        """The repository as people know it, without tag and digest: `alpine`."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        short = self.path.removeprefix(_OFFICIAL_PREFIX)
        return self.path if "/" in short else short

    def canonical(self) -> str:
        """The full form: `docker.io/library/alpine:3.20`."""
        return self._with_suffix(self.name)

    def familiar(self) -> str:
        """The short form with its tag and digest: `alpine:3.20`."""
        return self._with_suffix(self.familiar_name)

    def __str__(self) -> str:
        return self.canonical()

    @property
    def is_name_only(self) -> bool:
        return self.tag is None and self.digest is None

    def with_default_tag(self) -> "Reference":
        """Itself, or with `latest` when it has neither tag nor digest."""
        return replace(self, tag=DEFAULT_TAG) if self.is_name_only else self

    def with_tag(self, tag: str) -> "Reference":
        """The same repository with this tag and no digest."""
        if not is_tag(tag):
            raise InvalidParameter("invalid tag format")
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: str) -> "Reference":
        """The same repository with this digest and no tag."""
        return replace(self, tag=None, digest=parse_digest(digest))

    def name_only(self) -> "Reference":
        return self if self.is_name_only else replace(self, tag=None, digest=None)

    def _with_suffix(self, name: str) -> str:
        tag = f":{self.tag}" if self.tag is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{name}{tag}{digest}"


def parse_normalised(text: str) -> Reference:
    """Parse a name as a user types it.  No default tag is added (`with_default_tag`)."""
    if _IDENTIFIER.fullmatch(text):
        raise InvalidParameter(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, remainder = _split_domain(text)
    repository = remainder.partition(":")[0]
    if repository.lower() != repository:
        raise InvalidParameter(f"{_BAD_FORMAT}: repository name ({repository}) must be lowercase")
    named, at, digest = remainder.partition("@")
    path, colon, tag = named.partition(":")
    if (at and not _DIGEST.fullmatch(digest)) or (colon and not is_tag(tag)):
        raise InvalidParameter(_BAD_FORMAT)
    if not (_PATH.fullmatch(path) and _DOMAIN.fullmatch(domain)):
        # Docker: "my_app.x/web" is no domain with a path, but it is a valid path.
        whole = f"{domain}/{path}"
        if not _PATH.fullmatch(whole):
            lowered = whole.lower()
            fits = lowered != whole and _PATH.fullmatch(lowered)
            raise InvalidParameter("repository name must be lowercase" if fits else _BAD_FORMAT)
        domain, path = "", whole
    if len(path) > MAX_PATH_LENGTH:
        raise InvalidParameter(f"repository name must not be more than {MAX_PATH_LENGTH} characters")
    return Reference(domain, path, tag if colon else None, parse_digest(digest) if at else None)


def parse_any(text: str) -> Reference | Digest:
    """Parse what may be an image ID (64 hex digits), a digest, or a name; the first two come back as a `Digest`."""
    if _IDENTIFIER.fullmatch(text):
        return Digest(f"sha256:{text}")
    if is_digest(text):
        return Digest(text)
    return parse_normalised(text)


def parse_digest(text: str) -> Digest:
    """Check `algorithm:hex` (sha256, sha384, sha512)."""
    algorithm, _, encoded = text.partition(":")
    wanted = _HEX_LENGTH.get(algorithm)
    if wanted is None:
        known_shape = _DIGEST.fullmatch(text)
        raise InvalidParameter("unsupported digest algorithm" if known_shape else "invalid checksum digest format")
    if not encoded:
        raise InvalidParameter("invalid checksum digest format")
    if len(encoded) != wanted:
        raise InvalidParameter("invalid checksum digest length")
    if not _LOWER_HEX.fullmatch(encoded):
        raise InvalidParameter("invalid checksum digest format")
    return Digest(text)


def is_digest(text: str) -> bool:
    algorithm, _, encoded = text.partition(":")
    return len(encoded) == _HEX_LENGTH.get(algorithm) and _LOWER_HEX.fullmatch(encoded) is not None


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, _OFFICIAL_PREFIX + name
    if first == _LEGACY_DOMAIN:
        domain, remainder = DEFAULT_DOMAIN, rest
    elif first == "localhost" or "." in first or ":" in first or first.lower() != first:
        domain, remainder = first, rest
    else:
        domain, remainder = DEFAULT_DOMAIN, name
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = _OFFICIAL_PREFIX + remainder
    return domain, remainder
