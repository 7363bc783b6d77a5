"""The drivers of volumes: those of the engine's own, and the plugins that there are at the moment."""

from collections.abc import Iterator, Mapping, Sequence

from wharfd.drivers.volumes.plugin import discovery
from wharfd.drivers.volumes.plugin.driver import PluginVolumes
from wharfd.ports.volumes import VolumeDriver
from wharfd.sys.blocking import Pool


class VolumeDrivers(Mapping[str, VolumeDriver]):
    """`own` by name.  A name that is neither one of them nor a plugin's gives a driver whose every call says so."""

    def __init__(self, own: Mapping[str, VolumeDriver], pool: Pool, directories: Sequence[str]) -> None:
        self.own = own
        self.pool = pool
        self.directories = directories
        self.plugins: dict[str, PluginVolumes] = {}

    def __getitem__(self, name: str) -> VolumeDriver:
        if name in self.own:
            return self.own[name]
        return self.plugins.setdefault(name, PluginVolumes(name, self.pool, self.address))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self.own or self.address(name) is not None)

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from (name for name in discovery.names(self.directories) if name not in self.own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def get(self, name: str, default: VolumeDriver | None = None) -> VolumeDriver | None:  # type: ignore[override]
        """None for what is no driver, unlike `[]`."""
        return self[name] if self.__contains__(name) else default

    def address(self, name: str) -> discovery.Address | None:
        return discovery.find(name, self.directories)
