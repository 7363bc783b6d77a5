"""`hosts.toml`: which hosts serve the images of a registry's name.  containerd's format ("Registry Configuration").

    server = "https://registry.example"           # asked last; without it, the registry's own host
    ca = "ca.pem"                                 # keys outside of a table are the server's

    [host."https://mirror.example:5000"]          # asked first, in the file's order
      capabilities = ["pull", "resolve"]          # of pull, resolve, push; all three where the key is absent
      ca = ["a.pem", "b.pem"]                     # in addition to the system's
      client = [["client.cert", "client.key"]]    # or "both.pem", or ["both.pem", …]
      skip_verify = true
      override_path = true                        # the URL's path is the API's root; else "/v2" is put behind it
      dial_timeout = "5s"
      [host."https://mirror.example:5000".header]
        x-custom = "value"                        # or a list

Relative paths of files start at the directory of hosts.toml.  Unknown keys are ignored.
"""

import posixpath
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from wharfd.model.errors import InvalidParameter
from wharfd.wire.timestamps import parse_duration

PULL, RESOLVE, PUSH = "pull", "resolve", "push"
EVERYTHING = frozenset({PULL, RESOLVE, PUSH})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEntry:
    """`url` is the API's root without a slash at its end; empty for a server that the file does not name."""

    url: str = ""
    capabilities: frozenset[str] = EVERYTHING
    ca: tuple[str, ...] = ()
    client: tuple[tuple[str, str], ...] = ()  # certificate and key; the key is empty where one file holds both
    skip_verify: bool | None = None
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dial_timeout_s: float | None = None


def parse_hosts_file(text: bytes, directory: str) -> list[HostEntry]:
    """The hosts in the order in which they are to be asked; the last one is the server.  Raises InvalidParameter."""
    try:
        document = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InvalidParameter(f"invalid hosts.toml: {e}") from e
    hosts = document.pop("host", {})
    server = document.pop("server", "")
    if not isinstance(hosts, dict) or not isinstance(server, str):
        raise InvalidParameter("invalid hosts.toml: host must be tables, server a string")
    found = [_entry(name, table, directory) for name, table in hosts.items()]
    return [*found, _entry(server, document, directory)]


def _entry(server: str, table: object, directory: str) -> HostEntry:
    if not isinstance(table, dict):
        raise InvalidParameter(f"invalid hosts.toml: host {server} must be a table")
    skip = table.get("skip_verify")
    override = table.get("override_path", False)
    if not isinstance(skip, bool | None) or not isinstance(override, bool):
        raise InvalidParameter("invalid hosts.toml: skip_verify and override_path must be true or false")
    return HostEntry(
        url=_url(server, override),
        capabilities=_capabilities(table.get("capabilities")),
        ca=tuple(_path(name, directory) for name in _strings(table.get("ca"), "ca")),
        client=_clients(table.get("client"), directory),
        skip_verify=skip,
        headers=_headers(table.get("header")),
        dial_timeout_s=_timeout(table.get("dial_timeout")),
    )


def _url(server: str, override: bool) -> str:
    if not server:
        return ""
    whole = server if server.startswith(("http://", "https://")) else f"https://{server}"
    try:
        parts = urlsplit(whole)
        port = parts.port
    except ValueError as e:
        raise InvalidParameter(f"invalid hosts.toml: unable to parse server {server}: {e}") from e
    if not parts.hostname or port == 0 or parts.username is not None:
        raise InvalidParameter(f"invalid hosts.toml: unable to parse server {server}")
    path = posixpath.normpath(parts.path).strip("/").removeprefix(".") if parts.path else ""
    path = f"/{path}" if path else ""
    if not override and not path.endswith("/v2"):
        path += "/v2"
    return f"{parts.scheme}://{parts.netloc}{path}"


def _capabilities(value: object) -> frozenset[str]:
    names = [name.lower() for name in _strings(value, "capabilities")]
    for name in names:
        if name not in EVERYTHING:
            raise InvalidParameter(f"invalid hosts.toml: unknown capability {name}")
    return frozenset(names) or EVERYTHING


def _strings(value: object, key: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise InvalidParameter(f"invalid hosts.toml: {key} must be a string or a list of strings")


def _clients(value: object, directory: str) -> tuple[tuple[str, str], ...]:
    found = []
    for item in value if isinstance(value, list) else [] if value is None else [value]:
        match item:
            case str():
                found.append((_path(item, directory), ""))
            case [str(certificate), str(key)]:
                found.append((_path(certificate, directory), _path(key, directory)))
            case _:
                raise InvalidParameter("invalid hosts.toml: client must be files, or pairs of certificate and key")
    return tuple(found)


def _headers(value: object) -> dict[str, tuple[str, ...]]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidParameter("invalid hosts.toml: header must be a table")
    headers = {str(name): _strings(values, f"header {name}") for name, values in value.items()}
    if any(set("\r\n\0") & set(text) for name, values in headers.items() for text in (name, *values)):
        raise InvalidParameter("invalid hosts.toml: a header holds a line break")
    return headers


def _timeout(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidParameter("invalid hosts.toml: dial_timeout must be a duration, as 5s")
    return parse_duration(value) / 1e9


def _path(name: str, directory: str) -> str:
    return posixpath.join(directory, name)
