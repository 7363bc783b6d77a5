"""A driver for the volumes of one plugin.

What the plugin says counts: volumes that others have made with it are found, and a mount is named by who wants it, so that the plugin can
tell one from the other.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from wharfd.drivers.volumes.copyup import copy_up
from wharfd.drivers.volumes.plugin import client
from wharfd.drivers.volumes.plugin.discovery import Address
from wharfd.model.errors import EngineError, Internal, NotFound
from wharfd.model.ids import VolumeName
from wharfd.model.json import Json, JsonObject
from wharfd.model.volume import VolumeRecord
from wharfd.ports.volumes import FoundVolume
from wharfd.sys.blocking import Pool

VOLUMES = "VolumeDriver"
FRACTION = re.compile(r"\.(\d{1,9})")


def not_found(name: str) -> NotFound:
    return NotFound(f'error looking up volume plugin {name}: plugin "{name}" not found')


class PluginVolumes:
    """Satisfies `ports.volumes.VolumeDriver` and `SharedVolumes`.  `find_address` is asked anew for each call: plugins come and go."""

    def __init__(self, name: str, pool: Pool, find_address: Callable[[str], Address | None]) -> None:
        self.name = name
        self.pool = pool
        self.find_address = find_address
        self.activated: Address | None = None
        self.scope = "local"

    async def open(self) -> None:
        pass

    async def call(self, method: str, **asked: Json) -> JsonObject:
        """Raises NotFound (no such plugin), Internal (in the plugin's words)."""
        address = self.find_address(self.name)
        if address is None:
            raise not_found(self.name)
        if self.activated != address:
            await self.activate(address)
        return await self.raw(address, f"{VOLUMES}.{method}", asked)

    async def raw(self, address: Address, method: str, asked: JsonObject) -> JsonObject:
        answer = await self.pool.run(client.call, address, method, asked)
        error = answer.get("Err")
        if error:
            raise Internal(str(error))
        return answer

    async def activate(self, address: Address) -> None:
        implements = (await self.raw(address, "Plugin.Activate", {})).get("Implements")
        if not isinstance(implements, list) or VOLUMES not in implements:
            raise NotFound(
                f"error looking up volume plugin {self.name}: plugin {self.name} does not implement {VOLUMES.lower()}"
            )
        self.activated = address
        try:
            found = await self.raw(address, f"{VOLUMES}.Capabilities", {})
        except EngineError:
            return  # Docker: the call came later than the others; who does not know it is local
        capabilities = found.get("Capabilities")
        scope = capabilities.get("Scope") if isinstance(capabilities, dict) else None
        self.scope = "global" if scope == "global" else "local"

    # Volumes

    async def create(self, volume: VolumeRecord) -> VolumeRecord:
        found = await self.find(volume.name)
        if found is None:
            await self.call("Create", Name=volume.name, Opts=volume.options)
            found = await self.find(volume.name)
        mountpoint = found.mountpoint if found else ""
        return msgspec.structs.replace(volume, mountpoint=mountpoint, scope=self.scope)

    async def remove(self, volume: VolumeRecord) -> None:
        try:
            await self.call("Remove", Name=volume.name)
        except Internal:
            if await self.find(volume.name) is None:
                return
            raise

    async def mount(self, volume: VolumeRecord, holder: str) -> str:
        try:
            answer = await self.call("Mount", Name=volume.name, ID=holder)
        except EngineError as e:
            raise e.prefixed(f"error while mounting volume '{volume.mountpoint}': ") from e
        return text(answer, "Mountpoint") or volume.mountpoint

    async def unmount(self, volume: VolumeRecord, holder: str) -> None:
        await self.call("Unmount", Name=volume.name, ID=holder)

    async def copy_up(self, volume: VolumeRecord, source_root: str, path: str) -> None:
        holder = f"copy-{volume.name}"
        place = await self.mount(volume, holder)
        try:
            await self.pool.run(copy_up, source_root, path, place)
        except OSError as e:
            raise Internal(f"volume {volume.name}: {e}") from e
        finally:
            await self.unmount(volume, holder)

    async def size(self, volume: VolumeRecord) -> int:
        raise NotFound(f"the size of volume {volume.name} is known to its plugin only")

    async def leftovers(self) -> Sequence[VolumeName]:
        """What no record of ours explains is somebody else's."""
        return []

    # What others may have made

    async def find(self, name: str) -> FoundVolume | None:
        try:
            answer = await self.call("Get", Name=name)
        except Internal:
            return None
        return found_volume(answer.get("Volume"), self.scope)

    async def list(self) -> Sequence[FoundVolume]:
        volumes = (await self.call("List")).get("Volumes")
        found = (found_volume(each, self.scope) for each in volumes) if isinstance(volumes, list) else ()
        return [each for each in found if each is not None]


def found_volume(document: Json, scope: str) -> FoundVolume | None:
    if not isinstance(document, dict) or not text(document, "Name"):
        return None
    status = document.get("Status")
    return FoundVolume(
        name=VolumeName(text(document, "Name")),
        mountpoint=text(document, "Mountpoint"),
        created_ns=parse_time(text(document, "CreatedAt")),
        status=status if isinstance(status, dict) else None,
        scope=scope,
    )


def text(document: JsonObject, key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def parse_time(words: str) -> int:
    """RFC 3339 to nanoseconds; 0 for anything else."""
    fraction = FRACTION.search(words)
    digits = fraction[1] if fraction else ""
    try:
        moment = datetime.fromisoformat(FRACTION.sub("", words))
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0") or 0)
