"""The AppArmor profile of containers that ask for none.

It lets a container do what its namespaces and capabilities allow, but for what leads out of it: mounts, kernel settings that are not of a
namespace, the kernel's own memory and keys, /sys, and signals to or looks into processes of others.  Most of it is forbidden by masked
and read-only paths as well; this holds where a container has found a way around those.
"""

# Linux: of the settings below /proc/sys/kernel these belong to namespaces: domainname, hostname, msg*, sem, shm*.
_DENIED_WRITES = (
    "/proc/*",
    "/proc/{acpi,bus,fs,irq,scsi}/**",
    "/proc/sys/{abi,crypto,debug,dev,fs,user,vm}/**",
    "/proc/sys/kernel/[^dhms]*",
    "/proc/sys/kernel/d[^o]*",
    "/proc/sys/kernel/h[^o]*",
    "/proc/sys/kernel/ho[^s]*",
    "/proc/sys/kernel/m[^s]*",
    "/proc/sys/kernel/s[^eh]*",
    "/proc/sys/kernel/se[^m]*",
    "/proc/sys/kernel/sh[^m]*",
    "/proc/sys/kernel/*/**",
    "/sys/[^f]*/**",
    "/sys/f[^s]*/**",
    "/sys/fs/[^c]*/**",
    "/sys/fs/c[^g]*/**",
)
_DENIED_WHOLLY = (
    "/proc/kcore",
    "/proc/kmem",
    "/proc/mem",
    "/proc/sysrq-trigger",
    "/sys/devices/virtual/powercap/**",
    "/sys/firmware/**",
    "/sys/kernel/security/**",
)


def container_profile(name: str) -> str:
    """The profile's source, as apparmor_parser takes it; it needs no file of the host."""
    lines = [
        "network,",
        "capability,",
        "file,",
        "umount,",
        "deny mount,",
        # Everybody who may by other rules stops a container; the runtime may have a profile of its own.
        "signal (receive),",
        # AppArmor: under no-new-privileges a runtime's own profile (Debian 13 has some, which forbid nothing) stays on a container.
        f'signal (send) peer="{{,crun//&,runc//&}}{name}",',
        f'ptrace (trace, read, tracedby, readby) peer="{{,crun//&,runc//&}}{name}",',
        *(f"deny {path} wkl," for path in _DENIED_WRITES),
        *(f"deny {path} rwkl," for path in _DENIED_WHOLLY),
    ]
    body = "".join(f"  {line}\n" for line in lines)
    return f"profile {name} flags=(attach_disconnected, mediate_deleted) {{\n{body}}}\n"
