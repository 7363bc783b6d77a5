"""Differences of behaviour as named flags: code asks for the flag, never for the number.

A flag says what the engine does for a client of that version, in the present tense.  Each carries the version at which it turned.
Source: the routers of dockerd (`daemon/server/router`) and the API's changelog.
"""

from dataclasses import dataclass
from functools import cache

from wharfd.api.versions.version import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    version: Version  # for messages; never compared outside this package

    # System
    error_is_plain_text: bool  # <1.24: asked for less than the minimum
    # Containers
    cgroupns_default_host: bool  # <1.41: on a cgroup v1 host create defaults CgroupnsMode to host
    create_takes_platform: bool  # >=1.41: `platform` query of create
    stats_takes_one_shot: bool  # >=1.41
    takes_stop_signal: bool  # >=1.42: `signal` query of stop and restart
    drops_mismatched_mount_options: bool  # <1.42: VolumeOptions on a bind and the like are ignored, later refused
    single_endpoint: bool  # <1.44: more than one endpoint at create is refused
    endpoint_takes_mac: bool  # >=1.44 at create
    refuses_config_mac: bool  # >=1.52: Config.MacAddress with a value is refused
    keeps_default_network_mode: bool  # <1.45: NetworkMode stays "default", later it becomes the bridge's name
    read_only_non_recursive: bool  # <1.44: a read-only bind leaves the mounts below it writable
    warns_ignored_volume_driver: bool  # >=1.48: VolumeDriver does not hold for Mounts
    warns_empty_port_bindings: bool  # exactly 1.52
    drops_empty_port_bindings: bool  # >=1.53: a port without bindings is not published
    legacy_eth_sysctls: bool  # <1.48: net.*.ethN.* sysctls are moved to the endpoint with a warning, later refused
    inspect_has_graph_driver: bool  # <1.52: GraphDriver and Config.MacAddress; later Storage
    tells_last_sandbox: bool  # <1.44: of a container that does not run, as dockerd did when those versions were new; now it tells of none
    connect_takes_mac: bool  # >=1.54
    wait_takes_condition: bool  # >=1.30
    wait_flushes_headers: bool  # >=1.30
    wait_removed_ignores_failure: bool  # <1.34: an empty 200 when removal failed
    # Streams
    announces_multiplexed_stream: bool  # >=1.42: content type of framed streams
    websocket_binary: bool  # >=1.28: attach/ws sends binary frames
    websocket_selects_streams: bool  # >=1.42: attach/ws honours stdin, stdout, stderr
    # Events
    events_hide_image_create: bool  # <1.46
    events_as_json_lines: bool  # >=1.52: content type application/jsonl and friends; below application/json
    # Images
    reference_filter_from_query: bool  # <1.25: `filter=` of the image list acts as a reference filter
    pull_takes_platform: bool  # >=1.32
    build_emits_aux: bool  # >=1.30: the answer of a classic build has a line with the id alone
    build_takes_platform: bool  # >=1.32
    list_takes_shared_size: bool  # >=1.42
    list_takes_manifests: bool  # >=1.47
    push_takes_platform: bool  # >=1.46
    inspect_takes_manifests: bool  # >=1.48
    history_takes_platform: bool  # >=1.48, also load and save
    inspect_takes_platform: bool  # >=1.49
    delete_takes_platforms: bool  # >=1.50
    several_platforms: bool  # >=1.52: save and load take more than one
    list_takes_identity: bool  # >=1.54
    # Volumes, networks, system
    volume_prune_takes_all: bool  # <1.42: named volumes too
    df_takes_type: bool  # >=1.42
    df_takes_verbose: bool  # >=1.52
    network_list_is_full: bool  # <1.28: the list carries Containers
    network_takes_enable_ipv4: bool  # >=1.48
    keeps_storage_only: bool  # <1.48: build prune knows only `keep-storage`

    @classmethod
    def for_version(cls, version: Version) -> "Behaviour":
        return behaviour_of(version)


@cache
def behaviour_of(version: Version) -> Behaviour:
    def since(minor: int) -> bool:
        return version >= Version(1, minor)

    def below(minor: int) -> bool:
        return version < Version(1, minor)

    return Behaviour(
        version=version,
        error_is_plain_text=below(24),
        cgroupns_default_host=below(41),
        create_takes_platform=since(41),
        stats_takes_one_shot=since(41),
        takes_stop_signal=since(42),
        drops_mismatched_mount_options=below(42),
        single_endpoint=below(44),
        endpoint_takes_mac=since(44),
        refuses_config_mac=since(52),
        keeps_default_network_mode=below(45),
        read_only_non_recursive=below(44),
        warns_ignored_volume_driver=since(48),
        warns_empty_port_bindings=since(52) and below(53),
        drops_empty_port_bindings=since(53),
        legacy_eth_sysctls=below(48),
        inspect_has_graph_driver=below(52),
        tells_last_sandbox=below(44),
        connect_takes_mac=since(54),
        wait_takes_condition=since(30),
        wait_flushes_headers=since(30),
        wait_removed_ignores_failure=below(34),
        announces_multiplexed_stream=since(42),
        websocket_binary=since(28),
        websocket_selects_streams=since(42),
        events_hide_image_create=below(46),
        events_as_json_lines=since(52),
        reference_filter_from_query=below(25),
        pull_takes_platform=since(32),
        build_emits_aux=since(30),
        build_takes_platform=since(32),
        list_takes_shared_size=since(42),
        list_takes_manifests=since(47),
        push_takes_platform=since(46),
        inspect_takes_manifests=since(48),
        history_takes_platform=since(48),
        inspect_takes_platform=since(49),
        delete_takes_platforms=since(50),
        several_platforms=since(52),
        list_takes_identity=since(54),
        volume_prune_takes_all=below(42),
        df_takes_type=since(42),
        df_takes_verbose=since(52),
        network_list_is_full=below(28),
        network_takes_enable_ipv4=since(48),
        keeps_storage_only=below(48),
    )
