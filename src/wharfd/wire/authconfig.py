"""Registry credentials as clients send them, and challenges as registries answer.

X-Registry-Auth    base64url JSON of one login      X-Registry-Config   base64url JSON, registry host -> login
WWW-Authenticate   Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"
"""

import base64
import binascii
import re

import msgspec

from wharfd.model.errors import InvalidParameter


class AuthConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A login.  Either user and password, or one of the two tokens.  `auth` is base64 of `user:password`, as files keep it."""

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""

    def __repr__(self) -> str:
        return (
            f"AuthConfig(username={self.username!r}, serveraddress={self.serveraddress!r})"  # never a secret in a log
        )

    @property
    def is_empty(self) -> bool:
        return not (self.username or self.password or self.auth or self.identitytoken or self.registrytoken)


class Challenge(msgspec.Struct, frozen=True):
    """`scheme` and the parameters' names are in lower case."""

    scheme: str
    parameters: dict[str, str]


_one = msgspec.json.Decoder(AuthConfig | None)
_many = msgspec.json.Decoder(dict[str, AuthConfig | None] | None)


def parse_registry_auth(header: str | None) -> AuthConfig | None:
    """The login of `X-Registry-Auth`; None for no header, and for garbage, which dockerd ignores on pull, push and search."""
    data = _decode(header)
    if not data:
        return None
    try:
        login = _one.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return None if login is None or login.is_empty else _with_auth_opened(login)


def parse_registry_config(header: str | None) -> dict[str, AuthConfig]:
    """The logins of `X-Registry-Config`; none for garbage."""
    data = _decode(header)
    if not data:
        return {}
    try:
        logins = _many.decode(data) or {}
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    return {host: _with_auth_opened(login) for host, login in logins.items() if login is not None}


def parse_login(body: bytes) -> AuthConfig:
    """The body of `POST /auth`.

    Raises:
        InvalidParameter: it is no login.
    """
    try:
        return _with_auth_opened(_one.decode(body) or AuthConfig())
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as e:
        raise InvalidParameter(f"invalid login: {e}") from e


def format_registry_auth(login: AuthConfig) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(login)).decode()


_SCHEME = re.compile(r"[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})")
_PARAMETER = re.compile(
    r"[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))", re.DOTALL
)
_TOKEN68 = re.compile(r"[ \t]+([A-Za-z0-9._~+/-]+=*)(?=[ \t]*(?:,|$))")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_challenges(header: str) -> list[Challenge]:
    """The challenges of `WWW-Authenticate` (RFC 7235), several in one header too.  What cannot be read ends the list."""
    out: list[Challenge] = []
    at = 0
    while match := _SCHEME.match(header, at):
        at = match.end()
        parameters: dict[str, str] = {}
        token = _TOKEN68.match(header, at)
        if token is not None:
            at = token.end()
        else:
            while parameter := _PARAMETER.match(header, at):
                at = parameter.end()
                quoted = parameter[2]
                value = parameter[3] if quoted is None else _ESCAPED.sub(r"\1", quoted)
                parameters.setdefault(parameter[1].lower(), value)
        out.append(Challenge(match[1].lower(), parameters))
    return out


def format_challenge(challenge: Challenge) -> str:
    quoted = ((key, value.replace("\\", "\\\\").replace('"', '\\"')) for key, value in challenge.parameters.items())
    return " ".join([challenge.scheme.capitalize(), ",".join(f'{key}="{value}"' for key, value in quoted)]).rstrip()


def _decode(header: str | None) -> bytes:
    """Base 64 in either alphabet, with or without its padding; b"" if it is none."""
    text = (header or "").strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _with_auth_opened(login: AuthConfig) -> AuthConfig:
    """Docker: a login that carries only `auth` is taken apart."""
    if not login.auth or login.username or login.password:
        return login
    try:
        user, colon, password = base64.b64decode(login.auth, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return login
    return msgspec.structs.replace(login, username=user, password=password.strip("\0"), auth="") if colon else login
