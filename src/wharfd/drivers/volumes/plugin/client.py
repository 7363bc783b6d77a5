"""Calls of a plugin: a POST with JSON, answered with JSON.  Blocks; call it on a pool."""

import http.client
import json
import socket
import ssl
from urllib.parse import urlsplit

from wharfd.drivers.volumes.plugin.discovery import Address, TLSConfig
from wharfd.model.errors import Internal
from wharfd.model.json import JsonObject

MEDIA_TYPE = "application/vnd.docker.plugins.v1.2+json"
TIMEOUT_S = 120.0  # a volume may be another machine's disk that is being attached
MAX_ANSWER = 16 << 20


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("plugin.moby.localhost", timeout=TIMEOUT_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection_to(address: Address) -> http.client.HTTPConnection:
    """Raises OSError (a certificate that cannot be read), ValueError (no address)."""
    parts = urlsplit(address.url)
    if parts.scheme == "unix":
        return UnixConnection(parts.path)
    if not parts.hostname:
        raise ValueError(f"{address.url} is no address")
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=TIMEOUT_S, context=context_of(address.tls)
        )
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)


def context_of(tls: TLSConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file or None)
    return context


def call(address: Address, method: str, asked: JsonObject) -> JsonObject:
    """Raises Internal: it cannot be reached, refuses, or says something else than JSON."""
    try:
        connection = connection_to(address)
        try:
            connection.request(
                "POST", f"/{method}", json.dumps(asked), {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
            )
            answer = connection.getresponse()
            body = answer.read(MAX_ANSWER)
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as e:
        words = e.strerror.lower() if isinstance(e, OSError) and e.strerror else str(e) or type(e).__name__
        raise Internal(f'Post "http://plugin.moby.localhost/{method}": {words}') from e
    try:
        found = json.loads(body or b"{}")
    except ValueError as e:
        if answer.status != http.client.OK:
            raise Internal(f"{method}: {body[:200].decode(errors='replace').strip()}") from e
        raise Internal(f"{method}: the plugin's answer is no JSON") from e
    if not isinstance(found, dict):
        raise Internal(f"{method}: the plugin's answer is no object")
    if answer.status != http.client.OK:
        raise Internal(f"{method}: {found.get('Err') or answer.reason}")
    return found
