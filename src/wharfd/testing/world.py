"""All fakes, wired to one another as a machine is: what one holds, the others see."""

from wharfd.testing.clock import FakeClock
from wharfd.testing.content import FakeContent
from wharfd.testing.host import FakeHost
from wharfd.testing.logs import FakeLogs
from wharfd.testing.network import FakeNameServers, FakeNetwork, FakeSandboxes
from wharfd.testing.records import FakeRecords
from wharfd.testing.registry import FakeRegistry
from wharfd.testing.runtime import FakeRuntime
from wharfd.testing.storage import FakeLayers, FakeRootfs
from wharfd.testing.streams import FakeStreams
from wharfd.testing.volumes import FakeVolumes


class World:
    """A machine, and a registry.  They outlive the engines that tests put on it."""

    def __init__(self) -> None:
        self.clock = FakeClock(tick_ns=1000)
        self.host = FakeHost()
        self.records = FakeRecords()
        self.content = FakeContent(now_ns=lambda: self.clock.wall_ns)
        self.layers = FakeLayers(self.content)
        self.rootfs = FakeRootfs(self.layers)
        self.registry = FakeRegistry()
        self.volumes = FakeVolumes()
        self.sandboxes = FakeSandboxes()
        self.name_servers = FakeNameServers()
        self.networks = {
            "bridge": FakeNetwork("bridge", has_key=self.sandboxes.has_key),
            "host": FakeNetwork("host"),
            "null": FakeNetwork("null", has_key=self.sandboxes.has_key),
        }
        self.logs = {
            "json-file": FakeLogs("json-file", clock=self.clock),
            "local": FakeLogs("local", clock=self.clock),
            "none": FakeLogs("none", (), clock=self.clock),
        }
        self.runtime = FakeRuntime(
            self.clock, is_mount_point=self.rootfs.is_mount_point, output=self.logs["json-file"].write
        )
        self.streams = FakeStreams(self.runtime)

    def kill_engine(self) -> None:
        """The engine is gone without a word; processes, mounts, namespaces and committed records stay."""
        self.runtime.on_exit = None
        self.name_servers.serving.clear()
        self.records.die()
        self.content.writers.clear()
        self.content.in_work.clear()

    def reboot(self) -> None:
        """The machine went down in good order: disks keep what they have, the kernel starts anew."""
        self.kill_engine()
        self.runtime.reboot()
        self.rootfs.reboot()
        self.sandboxes.reboot()
        for network in self.networks.values():
            network.networks.clear()
            network.endpoints.clear()

    def leftovers(self) -> dict[str, list[str]]:
        """What exists, by driver; an engine that has removed everything leaves every list empty."""
        return {
            "runtime": list(self.runtime.processes_by_id),
            "rootfs": sorted(self.rootfs.prepared),
            "mounts": sorted(self.rootfs.mounted),
            "sandboxes": list(self.sandboxes.keys),
            "name servers": list(self.name_servers.serving),
            "endpoints": [e for n in self.networks.values() for held in n.endpoints.values() for e in held],
            "volume mounts": sorted(+self.volumes.mounts),
        }
