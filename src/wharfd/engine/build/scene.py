"""What one build brings along for the steps that it has done: its client, its limits, what it may do."""

from dataclasses import dataclass, field

from wharfd.engine.build.client import BuildClient
from wharfd.engine.build.requests import BuildOptions
from wharfd.engine.build.roots import LocalDirectory
from wharfd.engine.images.leases import Lease


@dataclass(slots=True)
class Scene:
    """`lease` holds the layers of images that the build stands on; `directories` are copies of the client's directories, given back
    when the build ends, each with the key under which it is kept (empty: it is not)."""

    options: BuildOptions
    client: BuildClient
    lease: Lease
    directories: list[tuple[LocalDirectory, str]] = field(default_factory=list)
