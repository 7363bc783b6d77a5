"""A request as this driver makes it, and what an answer offers: the seam behind which the HTTP library is."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wharfd.drivers.registry.tls import TlsChoice

PIECE = 1 << 20  # bytes; the most that is handed on at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What is sent: `open()` gives the pieces, `length` bytes in all."""

    open: Callable[[], AsyncIterator[bytes]]
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`url` is sent as it stands.  `private` headers (credentials, an operator's own) go to the URL's own host and no further."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    private: Sequence[tuple[str, str]] = ()
    body: bytes | Body | None = None
    tls: TlsChoice | None = None  # None: as the settings say for the URL's host
    dial_timeout_s: float = 30.0
    may_be_redirected: bool = True  # only GET and HEAD ever are
    may_lose_tls: bool = False  # a redirect to plain HTTP is followed: what comes is checked against a digest


class Answer(Protocol):
    """Close it.  `url` is where it came from in the end; `is_own`: from the host that was asked."""

    @property
    def status(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def is_own(self) -> bool: ...

    def header(self, name: str) -> str:
        """Empty where there is none."""

    def headers(self, name: str) -> Sequence[str]: ...

    async def read(self, limit: int) -> bytes:
        """The body, whole.  Raises InvalidParameter beyond `limit` bytes, Broken when it ends too early."""

    def pieces(self) -> AsyncIterator[bytes]:
        """The body in pieces of at most `PIECE` bytes.  Raises Broken when it ends too early."""

    def close(self) -> None:
        """The connection is kept for later if the body was read to its end."""


class Http(Protocol):
    async def send(self, request: Request) -> Answer:
        """Raises Broken."""

    async def close(self) -> None: ...
