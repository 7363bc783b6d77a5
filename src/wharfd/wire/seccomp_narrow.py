"""Takes from a resolved seccomp profile what dockerd's default one allows only to processes with certain capabilities.

The distribution's profile (package golang-github-containers-common) is made for nested containers, too: it lets every process make
namespaces and mounts and leaves the refusal to the kernel, which grants both inside a user namespace that anybody may make.  dockerd's
does not.  Profiles that a user chose are not touched.
"""

from collections.abc import Collection, Mapping

from wharfd.model.json import JsonObject

EPERM, ENOSYS = 1, 38
ALLOW, REFUSE = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
ADMIN = "CAP_SYS_ADMIN"
# CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
NAMESPACE_FLAGS = 0x7E020000

# call -> capabilities, one of which is needed; none: nobody may.  Source: the table of blocked calls in dockerd's documentation.
NEEDED: Mapping[str, Collection[str]] = {
    **dict.fromkeys(
        (
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "pivot_root",
            "setns",
            "umount",
            "umount2",
            "unshare",
        ),
        (ADMIN,),
    ),
    **dict.fromkeys(("setdomainname", "sethostname"), (ADMIN,)),
    **dict.fromkeys(("add_key", "keyctl", "request_key"), ()),
    **dict.fromkeys(("io_uring_enter", "io_uring_register", "io_uring_setup"), ()),
    **dict.fromkeys(("get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"), ("CAP_SYS_NICE",)),
    **dict.fromkeys(("pidfd_getfd", "process_madvise"), ("CAP_SYS_PTRACE",)),
    "reboot": ("CAP_SYS_BOOT",),
    "syslog": ("CAP_SYSLOG", ADMIN),
}


def narrow(profile: JsonObject, capabilities: Collection[str], architecture: str) -> JsonObject:
    """The profile for a process with these capabilities; `architecture` is Go's name.

    A call that is taken away is refused with EPERM, `clone3` (whose flags a filter cannot see) with ENOSYS, upon which C libraries use
    `clone`; that one is left to calls without namespace flags.
    """
    taken = {name for name, needed in NEEDED.items() if not set(needed) & set(capabilities)}
    special = set() if ADMIN in capabilities else {"clone", "clone3"}
    rules: list[JsonObject] = []
    found: set[str] = set()
    for rule in profile.get("syscalls") or []:
        found |= {*rule["names"]} & (taken | special)
        kept = [name for name in rule["names"] if name not in taken | special]
        if kept:
            rules.append({**rule, "names": kept})
    if refused := sorted(found & taken):
        rules.append({"names": refused, "action": REFUSE, "errnoRet": EPERM})
    if "clone3" in found:
        rules.append({"names": ["clone3"], "action": REFUSE, "errnoRet": ENOSYS})
    if "clone" in found:
        # Linux: on s390x the flags are the second argument.
        flags = {
            "index": int(architecture == "s390x"),
            "value": NAMESPACE_FLAGS,
            "valueTwo": 0,
            "op": "SCMP_CMP_MASKED_EQ",
        }
        rules.append({"names": ["clone"], "action": ALLOW, "args": [flags]})
    return {**profile, "syscalls": rules}
