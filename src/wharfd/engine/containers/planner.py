"""Looks up all that a container's plan needs from the host, then makes the plan: the step of a start between files and process.

Everything here is quick: small files of the image, records, facts read before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wharfd.engine.containers.device_requests import requested_devices
from wharfd.engine.containers.linked import link_variables
from wharfd.engine.containers.mounts import make_missing_sources, placed_mounts
from wharfd.engine.containers.plan import HOST, Place, capabilities, plan
from wharfd.engine.containers.plan_mounts import PlacedMount
from wharfd.engine.containers.start import Ground
from wharfd.engine.containers.users import user_of
from wharfd.engine.ledger import Ledger
from wharfd.model.container import ContainerRecord
from wharfd.model.errors import Conflict, InvalidParameter
from wharfd.model.json import JsonObject
from wharfd.model.settings import Settings
from wharfd.ports.host import Host, HostFacts
from wharfd.ports.paths import HostPaths
from wharfd.ports.runtime import Launch
from wharfd.ports.storage import RootfsStore
from wharfd.wire.binds import clean
from wharfd.wire.cdi import Edits, NodeNumbers, resolve
from wharfd.wire.seccomp_narrow import narrow
from wharfd.wire.seccomp_profile import Profile, parse_profile
from wharfd.wire.security import UNCONFINED, parse_security_options

CONTAINER = "container:"
BUILTIN = "builtin"


class ContainerPlanner:
    """Satisfies `start.Planner`.  `bundle_root` is the directory of bundles, `cgroup_parent` the one of containers that ask for none."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        settings: Settings,
        host: Host,
        paths: HostPaths,
        rootfs: RootfsStore,
        bundle_root: str,
        cgroup_parent: str,
        cgroup_driver: str,
        init_path: str,
    ) -> None:
        self.ledger = ledger
        self.settings = settings
        self.host = host
        self.paths = paths
        self.rootfs = rootfs
        self.bundle_root = bundle_root
        self.cgroup_parent = cgroup_parent
        self.cgroup_driver = cgroup_driver
        self.init_path = init_path
        self.default_profile: Profile | None = None
        self.resolved_profiles: dict[tuple[str, ...], JsonObject | None] = {}

    def open(self) -> None:
        """Read the default seccomp profile.  Raises InvalidParameter if it is broken."""
        document = self.host.seccomp_profile_document()
        self.default_profile = parse_profile(document) if document is not None else None

    async def __call__(self, record: ContainerRecord, ground: Ground) -> Launch:
        facts = self.host.facts()
        asked = record.host_config
        make_missing_sources(record, self.paths)
        cdi = self.cdi(record)
        place = Place(
            rootfs=ground.rootfs,
            user=await user_of(record, self.rootfs),
            cgroup=self.cgroup(record),
            namespaces=self.namespaces(record, ground),
            hostname_path=ground.files.hostname,
            hosts_path=ground.files.hosts,
            resolv_conf_path=ground.files.resolv_conf,
            mounts=self.mounts(record, ground),
            devices=[(device, self.host.devices(device.path_on_host)) for device in asked.devices or ()],
            all_devices=self.host.devices("/dev") if asked.privileged else (),
            cdi=cdi,
            cdi_nodes=self.cdi_nodes(cdi),
            seccomp=self.seccomp(record, facts),
            shm_path=ground.shm_path,
            linked=link_variables(self.ledger, record),
            init_path=self.init_path,
            default_ulimits=self.settings.default_ulimits,
            no_new_privileges=self.settings.no_new_privileges,
            block_devices=self.block_devices(record),
        )
        made = plan(record, place, facts)
        refuse_nul(made.spec)
        return Launch(
            container_id=record.id,
            spec=made.spec,
            bundle=f"{self.bundle_root}/{record.id}",
            runtime=asked.runtime or self.settings.default_runtime,
            cgroup=place.cgroup,
            log_path=record.log_path,
            terminal=record.config.tty,
            stdin_open=record.config.open_stdin,
            stdin_once=record.config.stdin_once,
            annotations=asked.annotations or {},
            sandbox_key=ground.sandbox_key,
        )

    def mounts(self, record: ContainerRecord, ground: Ground) -> list[PlacedMount]:
        """Below a file nothing is mounted that would have to be made read-only, too; crun 1.8 refuses to try."""
        return [
            replace(mount, recursive_read_only=False)
            if mount.read_only and mount.recursive_read_only and not self.paths.is_directory(mount.source)
            else mount
            for mount in placed_mounts(record, ground.parts)
        ]

    def cgroup(self, record: ContainerRecord) -> str:
        parent = record.host_config.cgroup_parent or self.cgroup_parent
        if self.cgroup_driver == "systemd":
            return f"{parent}:wharfd:{record.id}"
        # Docker: a parent is a path below the root of the cgroups, whatever it begins with; `..` does not lead out of there.
        return f"{clean('/' + parent).rstrip('/')}/{record.id}"

    def namespaces(self, record: ContainerRecord, ground: Ground) -> dict[str, str]:
        asked = record.host_config
        chosen = {"network": ground.sandbox_key or HOST}
        for kind, mode, file in (("pid", asked.pid_mode, "pid"), ("ipc", asked.ipc_mode, "ipc")):
            if mode == HOST:
                chosen[kind] = HOST
            elif mode.startswith(CONTAINER):
                chosen[kind] = f"/proc/{self.running_pid(mode.removeprefix(CONTAINER))}/ns/{file}"
        if asked.uts_mode == HOST or (asked.network_mode == HOST and not record.config.hostname):
            chosen["uts"] = HOST
        if asked.cgroupns_mode == HOST:
            chosen["cgroup"] = HOST
        return chosen

    def running_pid(self, ref: str) -> int:
        other = self.ledger.container(ref)
        if not other.is_running:
            raise Conflict(f"cannot join the namespaces of a non running container: container {ref} is not running")
        return other.pid

    def cdi(self, record: ContainerRecord) -> Sequence[Edits]:
        """What vendors' devices add to the container."""
        requests = record.host_config.device_requests
        if not requests:
            return ()
        specs = self.host.cdi_specs()
        return resolve(specs, requested_devices(requests, specs))

    def cdi_nodes(self, cdi: Sequence[Edits]) -> Mapping[str, NodeNumbers]:
        paths = {node.host_path or node.path for edits in cdi for node in edits.device_nodes}
        return {
            path: NodeNumbers(found.type, found.major, found.minor, found.mode, found.uid, found.gid)
            for path in paths
            for found in self.host.devices(path)[:1]
        }

    def seccomp(self, record: ContainerRecord, facts: HostFacts) -> JsonObject | None:
        """None: unconfined, or no profile is to be had."""
        asked = parse_security_options(record.host_config.security_opt).seccomp
        if asked == UNCONFINED or record.host_config.privileged or not facts.seccomp:
            return None
        given = capabilities(record.host_config, facts)
        if asked in ("", BUILTIN):
            if self.default_profile is None:
                return None
            key = tuple(sorted(given))
            if key not in self.resolved_profiles:
                self.resolved_profiles[key] = self.resolved(self.default_profile, given, facts)
            return self.resolved_profiles[key]
        try:
            return parse_profile(asked).resolve(facts.go_arch, given, facts.kernel_version)
        except InvalidParameter as error:
            raise InvalidParameter(f"decoding seccomp profile failed: {error}") from error

    def resolved(self, profile: Profile, capabilities: list[str], facts: HostFacts) -> JsonObject | None:
        """Of the default profile; the distribution's lets everybody make namespaces, one from the settings is taken at its word."""
        found = profile.resolve(facts.go_arch, capabilities, facts.kernel_version)
        if found is None or self.settings.seccomp_profile:
            return found
        return narrow(found, capabilities, facts.go_arch)

    def block_devices(self, record: ContainerRecord) -> Mapping[str, tuple[int, int]]:
        """Numbers of the devices that block I/O limits name."""
        asked = record.host_config
        paths = {
            entry.path
            for entries in (
                asked.blkio_weight_device,
                asked.blkio_device_read_bps,
                asked.blkio_device_write_bps,
                asked.blkio_device_read_iops,
                asked.blkio_device_write_iops,
            )
            for entry in entries or ()
        }
        return {path: (node.major, node.minor) for path in paths for node in self.host.devices(path)[:1]}


def refuse_nul(spec: JsonObject) -> None:
    """A runtime written in C would read a string with a NUL byte as a shorter one: another path, another variable.

    Raises:
        InvalidParameter: there is one.
    """
    rest: list[object] = [value for key, value in spec.items() if key != "linux"]
    rest += [value for key, value in spec["linux"].items() if key != "seccomp"]
    while rest:
        match rest.pop():
            case str() as text:
                if "\0" in text:
                    raise InvalidParameter(f"invalid value {text!r}: contains nul byte (\\x00)")
            case dict() as mapping:
                rest += mapping
                rest += mapping.values()
            case list() | tuple() as items:
                rest += items
