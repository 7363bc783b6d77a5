"""What is asked of a registry without anything being kept here: logins, searches, what a name stands for."""

from collections.abc import Sequence
from dataclasses import dataclass

from wharfd.engine.images.survey import is_document
from wharfd.model.errors import InvalidParameter
from wharfd.ports.registry import LoginStatus, Registry, SearchResult
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.filters import Filters
from wharfd.wire.oci import Descriptor, Index, Platform, decode_config, decode_target
from wharfd.wire.oci.media_types import DOCKER_MANIFEST
from wharfd.wire.reference import Reference, parse_any

SEARCH_ACCEPTED = ("is-automated", "is-official", "stars")
MAX_RESULTS = 100
DEFAULT_RESULTS = 25


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a name stands for in its registry."""

    descriptor: Descriptor
    platforms: Sequence[Platform] | None


class RegistryQuestions:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def check_login(self, login: AuthConfig) -> LoginStatus:
        """Raises Unauthorized, RegistryFailure."""
        return await self.registry.check_login(login)

    async def search(
        self, term: str, filters: Filters, limit: int = 0, login: AuthConfig | None = None
    ) -> Sequence[SearchResult]:
        """`limit` 0: the usual number.  Raises InvalidParameter, RegistryFailure."""
        filters.validate(SEARCH_ACCEPTED)
        if filters.boolean("is-automated", False):
            return []  # Docker: nothing is said to be that any more
        is_official = filters.boolean("is-official", False)
        stars = max(map(star_count, filters.get("stars")), default=0)
        limit = limit or DEFAULT_RESULTS
        if not 1 <= limit <= MAX_RESULTS:
            raise InvalidParameter(f"limit {limit} is outside the range of [1, {MAX_RESULTS}]")
        if "://" in term:
            raise InvalidParameter(f"invalid repository name: repository name ({term}) should not have a scheme")
        return [
            each
            for each in await self.registry.search(term, limit=limit, login=login)
            if ("is-official" not in filters or each.is_official == is_official) and each.star_count >= stars
        ]

    async def distribution(self, name: str, login: AuthConfig | None = None) -> Distribution:
        """Raises NotFound, Unauthorized, RegistryFailure, InvalidParameter.

        # Docker: the platform of a mere manifest is told if it is one of Docker's, not if it is one of OCI's.
        """
        parsed = parse_any(name)
        if not isinstance(parsed, Reference):
            raise InvalidParameter("no manifest found for full image ID")
        ref = parsed.with_default_tag()
        found = await self.registry.document(ref, login)
        document = decode_target(found.data, found.descriptor.media_type)
        platforms: list[Platform] | None = None
        if isinstance(document, Index):
            entries = [each for each in document.manifests if is_document(each)]
            platforms = [each.platform for each in entries if each.platform is not None]
        elif document.media_type == DOCKER_MANIFEST:
            data = b"".join([piece async for piece in self.registry.blob(ref, document.config, login)])
            config = decode_config(data)
            platforms = [
                Platform(
                    os=config.os,
                    architecture=config.architecture,
                    variant=config.variant,
                    os_version=config.os_version,
                )
            ]
        return Distribution(found.descriptor, platforms)


def star_count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidParameter(
            f"invalid filter 'stars={text}': strconv.Atoi: parsing \"{text}\": invalid syntax"
        ) from None
