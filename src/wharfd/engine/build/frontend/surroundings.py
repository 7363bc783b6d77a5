"""What the frontend asks of the world around it while it makes a graph."""

from dataclasses import dataclass, replace
from typing import Protocol

from wharfd.engine.build.frontend.draft import Draft
from wharfd.engine.build.frontend.stages import StageState
from wharfd.model.ids import Digest
from wharfd.wire.dockerignore import PathPatterns
from wharfd.wire.oci import ConfigDocument, Platform
from wharfd.wire.reference import Reference, parse_normalised


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """`ref` canonical; `digest` None: it need not be pinned (the caller cannot tell, or it is an image of this host's)."""

    ref: str
    digest: Digest | None
    document: ConfigDocument


@dataclass(frozen=True, slots=True)
class LoadedContext:
    """A named context: `draft` None is an empty root; `document` None: it is no image."""

    draft: Draft | None
    document: ConfigDocument | None


class Surroundings(Protocol):
    """Calls raise what the builder raises (NotFound, Unauthorized, …); several are made at once."""

    async def resolve_image_config(self, ref: str, platform: Platform, log_name: str) -> ResolvedImage:
        """`ref` canonical with a tag or a digest."""

    def context_name(self, name: str, platform: Platform) -> str:
        """The named context that stands for a stage or an image of that name; empty: none does."""

    async def load_context(self, name: str, platform: Platform, user: StageState) -> LoadedContext:
        """`user.used_paths` will say, when the graph is built, which files are needed."""

    def main_context(self, used_paths: set[str]) -> Draft:
        """The build's context; `used_paths` is complete when the graph is built."""

    async def ignored(self) -> PathPatterns | None:
        """What `.dockerignore` leaves out of the build's context; None: nothing, or the context is none of the client's."""


def pinned_name(asked: Reference, found: ResolvedImage) -> str:
    """What was asked for, with its tag, and the digest that it means now; another name, if the builder says so."""
    if found.digest is None:
        return found.ref
    named = parse_normalised(found.ref)
    name = asked if named.name == asked.name else named
    return replace(name, digest=found.digest).canonical()
