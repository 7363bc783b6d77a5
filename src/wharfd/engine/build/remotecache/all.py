"""What a build needs of caches that travel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.remotecache.exporting import CacheExports
from wharfd.engine.build.remotecache.importing import Bringing, CacheImports
from wharfd.engine.build.remotecache.opening import CachePlaces
from wharfd.engine.build.reports import VertexReport
from wharfd.engine.build.requests import CacheRef
from wharfd.engine.images.leases import Leases
from wharfd.engine.tasks import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCaches:
    tasks: Tasks
    leases: Leases
    places: CachePlaces
    bringing: Bringing
    exports: CacheExports

    def imports(
        self, refs: Sequence[CacheRef], client: BuildClient, activity: Callable[[str], VertexReport]
    ) -> CacheImports:
        """Reading begins at once."""
        imports = CacheImports(
            tasks=self.tasks, places=self.places, bringing=self.bringing, client=client, activity=activity
        )
        imports.add(refs)
        return imports
