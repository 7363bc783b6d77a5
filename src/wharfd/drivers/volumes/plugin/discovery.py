"""Where plugins are: sockets `NAME.sock`, and files that name an address, in a few directories.

    NAME.sock, NAME/NAME.sock   the socket itself
    NAME.spec                   unix:///path or tcp://host:port
    NAME.json                   {"Name": …, "Addr": "https://host:port", "TLSConfig": {"CAFile": …, "CertFile": …, "KeyFile": …}}

Source: dockerd's manual, "Docker Plugin API".
"""

import contextlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,199}")


class TLSConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Paths of files."""

    insecure_skip_verify: bool = False
    ca_file: str = msgspec.field(default="", name="CAFile")
    cert_file: str = ""
    key_file: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    name: str = ""
    addr: str
    tls_config: TLSConfig = msgspec.field(default_factory=TLSConfig, name="TLSConfig")


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is unix:///path, tcp://host:port, http://… or https://…"""

    url: str
    tls: TLSConfig = field(default_factory=TLSConfig)


def find(name: str, directories: Sequence[str]) -> Address | None:
    """Of the first that there is.  Sockets come before files, as with dockerd."""
    if not NAME.fullmatch(name):
        return None
    for directory in directories:
        for path in (f"{directory}/{name}.sock", f"{directory}/{name}/{name}.sock"):
            if is_socket(path):
                return Address(f"unix://{path}")
    for directory in directories:
        for stem in (f"{directory}/{name}", f"{directory}/{name}/{name}"):
            found = read_spec(f"{stem}.spec") or read_document(f"{stem}.json")
            if found is not None:
                return found
    return None


def names(directories: Sequence[str]) -> list[str]:
    found: set[str] = set()
    for directory in directories:
        with contextlib.suppress(OSError):
            for entry in os.listdir(directory):
                stem, suffix = os.path.splitext(entry)
                if suffix in {".sock", ".spec", ".json"}:
                    found.add(stem)
                elif not suffix and os.path.isdir(f"{directory}/{entry}"):
                    found.add(entry)
    return sorted(name for name in found if find(name, directories) is not None)


def is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def read_spec(path: str) -> Address | None:
    try:
        with open(path) as file:
            url = file.read().strip()
    except OSError:
        return None
    return Address(url) if "://" in url else None


def read_document(path: str) -> Address | None:
    try:
        with open(path, "rb") as file:
            document = msgspec.json.decode(file.read(), type=Document)
    except (OSError, msgspec.DecodeError):
        return None
    return Address(document.addr, document.tls_config)
