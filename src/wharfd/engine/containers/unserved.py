"""What a container asks for and this engine does not carry out: one warning each, so that nothing is dropped in silence.

A field leaves this file when it is carried out.  What the *kernel* cannot do is told of in `limits`, in dockerd's words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wharfd.model.config import ContainerConfig, HostConfig
from wharfd.ports.host import HostFacts
from wharfd.wire.security import UNCONFINED, parse_security_options

_LINUX_DAEMON_IGNORES = "has no meaning on Linux"


@dataclass(frozen=True, slots=True)
class Gap:
    """`field` as clients spell it; `what` completes "Field …"."""

    field: str
    what: str
    is_asked: Callable[[ContainerConfig, HostConfig], bool]


GAPS: Sequence[Gap] = (
    Gap(
        "HostConfig.UsernsMode",
        "user namespaces are not remapped",
        lambda _, host: host.userns_mode not in {"", "host"},
    ),
    Gap("HostConfig.Isolation", _LINUX_DAEMON_IGNORES, lambda _, host: host.isolation not in {"", "default"}),
    Gap("HostConfig.CpuCount", _LINUX_DAEMON_IGNORES, lambda _, host: host.cpu_count > 0),
    Gap("HostConfig.IOMaximumIOps", _LINUX_DAEMON_IGNORES, lambda _, host: host.io_maximum_iops > 0),
    Gap("HostConfig.IOMaximumBandwidth", _LINUX_DAEMON_IGNORES, lambda _, host: host.io_maximum_bandwidth > 0),
    Gap("NetworkDisabled", "use NetworkMode none", lambda config, _: config.network_disabled),
)


def unserved(config: ContainerConfig, host_config: HostConfig, facts: HostFacts) -> list[str]:
    """One sentence per field that was asked for and stays without effect, in a fixed order."""
    warnings = [f"{gap.field}: {gap.what}." for gap in GAPS if gap.is_asked(config, host_config)]
    return warnings + _absent_security(host_config, facts) + _high_limits(host_config, facts)


def _absent_security(asked: HostConfig, facts: HostFacts) -> list[str]:
    options = parse_security_options(asked.security_opt)
    warnings = []
    if options.apparmor not in {"", UNCONFINED} and not facts.apparmor:
        warnings.append("HostConfig.SecurityOpt: AppArmor is not enabled on this host; the profile is not used.")
    if options.seccomp not in {"", UNCONFINED} and not facts.seccomp:
        warnings.append("HostConfig.SecurityOpt: this kernel has no seccomp; the profile is not used.")
    if options.labels and not options.is_label_disabled and not facts.selinux:
        warnings.append("HostConfig.SecurityOpt: SELinux is not enabled on this host; labels are not used.")
    return warnings


def _high_limits(asked: HostConfig, facts: HostFacts) -> list[str]:
    return [
        f"HostConfig.Ulimits: {limit.name} is above the engine's own limit of {facts.hard_limits[limit.name]}, "
        "which it may not raise (CAP_SYS_RESOURCE); the ulimit is discarded."
        for limit in asked.ulimits or ()
        if exceeds_own_limit(limit.name, limit.hard, facts)
    ]


def exceeds_own_limit(name: str, hard: int, facts: HostFacts) -> bool:
    """Whether this engine may not give a process that hard limit (-1: unlimited)."""
    own = facts.hard_limits.get(name, -1)
    return own >= 0 and not facts.can_raise_rlimits and not 0 <= hard <= own
