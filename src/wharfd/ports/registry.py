"""Port: registries, which keep repositories of manifests and blobs (OCI distribution, Docker Registry v2).

A `Reference` names host and repository, and where a call says so a tag or a digest.  Which machines are really asked (mirrors, the
Hub's own host names), over which TLS, and how one logs in there, is the driver's matter; so are retries: a call that fails has been
tried as often as the settings allow.  `login` is the client's, for the reference's host; None is anonymous.  It is never kept.

Errors of every call, besides those that it lists:
    PullDenied          reading is refused, or the repository is not there and the registry does not want to say so
    Unauthorized        the login is refused
    Forbidden           writing is refused
    TooManyRequests     the registry wants fewer
    RegistryFailure     no connection, no valid TLS, a login that is needed and not given, 5xx, an answer that is none
    InvalidParameter    a document or blob is not what its descriptor says
Their messages are dockerd's where it has some.  A cancelled call leaves nothing open.

How many transfers run at once is the caller's to limit.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from wharfd.model.ids import Digest
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor
from wharfd.wire.reference import Reference

MAX_MANIFEST = 4 << 20  # bytes of a manifest or index; the same as dockerd's and containerd's


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest or index as the registry keeps it.  `data` hashes to `descriptor.digest`; nothing in it was looked at."""

    descriptor: Descriptor  # media type, digest, size
    data: bytes


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer has broken off and goes on by itself `delay_s` seconds from now, from byte `offset`."""

    attempt: int  # of the one that is to come: 2 is the first
    delay_s: float
    offset: int
    reason: str


OnRetry = Callable[[Retry], None]
"""Called on the loop; must not wait."""

Source = Callable[[int], AsyncIterator[bytes]]
"""Opens the content of a blob at an offset; called again when an upload has to go back.  The driver closes what it has opened."""

Sent = Callable[[int], None]
"""Told how many bytes of the blob have been handed to the registry so far; may go back after a retry."""


class LoginStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`identity_token` is empty where the registry gives none; it then stands for the password in later logins."""

    status: str  # "Login Succeeded"
    identity_token: str = ""


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class Mounted(StrEnum):
    """What `mount_blob` has achieved."""

    MOUNTED = "mounted"  # the repository has the blob now
    REFUSED = "refused"  # it has to be uploaded


class Registry(Protocol):
    """Reading.  Mirrors are asked first, the reference's own host last; a mirror's failure is never the call's."""

    async def resolve(self, ref: Reference, login: AuthConfig | None = None) -> Descriptor:
        """What tag or digest of `ref` (the digest, where it has both) stand for now: media type, digest, size.

        One small request, which registries do not count as a pull.  Raises ManifestNotFound, RepositoryNotFound.
        """

    async def document(self, ref: Reference, login: AuthConfig | None = None, *, media_type: str = "") -> Document:
        """The manifest or index itself; of any kind that this engine knows, or of `media_type` alone.

        The bytes are checked against the digest of `ref` where it has one, else against the one that the registry announces.
        Raises ManifestNotFound, RepositoryNotFound; InvalidParameter for a wrong digest and beyond `MAX_MANIFEST` bytes.
        """

    def blob(
        self,
        ref: Reference,
        descriptor: Descriptor,
        login: AuthConfig | None = None,
        *,
        offset: int = 0,
        on_retry: OnRetry | None = None,
        own_host_only: bool = False,
    ) -> AsyncIterator[bytes]:
        """The bytes of a blob from `offset` on, in pieces of at most 1 MiB, at the reader's pace; tag and digest of `ref` do not matter.

        Exactly `descriptor.size - offset` bytes come, or an error is raised: InvalidParameter where the registry has more or fewer,
        RegistryFailure where it broke off too often.  A connection that is cut is taken up again at the byte where it was cut.
        The bytes are *not* hashed: the caller does that, since it knows those before `offset`; after a wrong digest it tries once more
        with `own_host_only`, in case it was a mirror that served others.  For a foreign layer that the registry does not have,
        `descriptor.urls` are tried, without the login.  Raises NotFound.  Close the iterator (`aclosing`) when leaving it early.
        """

    async def tags(self, ref: Reference, login: AuthConfig | None = None) -> Sequence[str]:
        """All tags of the repository, in the registry's order, without doubles.  Raises RepositoryNotFound."""

    async def referrers(
        self, ref: Reference, digest: Digest, login: AuthConfig | None = None, *, artifact_type: str = ""
    ) -> Sequence[Descriptor]:
        """Manifests of the repository whose subject is `digest` (signatures, attestations), of one artifact type or of all.

        A registry without the referrers API is asked for the tag that stands for it.  None found: empty.
        """

    # Writing, to the first host that may be written: the reference's own, if no hosts.toml says otherwise.

    async def has_blob(self, ref: Reference, digest: Digest, login: AuthConfig | None = None) -> bool:
        """Does the repository that is to be pushed to have this blob?"""

    async def mount_blob(
        self, ref: Reference, digest: Digest, source: Reference, login: AuthConfig | None = None
    ) -> Mounted:
        """Make the blob of the repository `source`, of the same host, one of `ref`'s without sending it.  Idempotent."""

    async def upload_blob(
        self,
        ref: Reference,
        descriptor: Descriptor,
        source: Source,
        login: AuthConfig | None = None,
        *,
        on_sent: Sent | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        """Send a blob whole.  When it returns, the registry has checked the digest and keeps the blob.  Idempotent.

        Raises InvalidParameter when `source` gives more or fewer bytes than the descriptor says, or others than its digest.
        An error of `source` itself ends the upload and is passed on.
        """

    async def put_document(
        self, ref: Reference, data: bytes, media_type: str, login: AuthConfig | None = None
    ) -> Digest:
        """Store a manifest or index under tag or digest of `ref`.  What it points to must be there before.  Idempotent.

        Raises InvalidParameter where the registry finds it invalid or misses one of its blobs.
        """

    # Accounts.

    async def check_login(self, login: AuthConfig) -> LoginStatus:
        """Is this login good at `login.serveraddress` (the Hub where that is empty)?  Raises Unauthorized with the registry's words."""

    async def search(self, term: str, *, limit: int = 0, login: AuthConfig | None = None) -> Sequence[SearchResult]:
        """Repositories that match; `term` may begin with the host to ask, the Hub otherwise.  `limit` 0: what the host thinks right.

        # Docker: this is the first version of the registry protocol, which hardly anybody but the Hub answers.
        """

    async def close(self) -> None:
        """End the connections that wait for further use.  Calls after it work, and open new ones."""
