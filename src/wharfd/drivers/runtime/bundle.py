"""A container's bundle directory: the spec that the OCI runtime reads, and what is left there by runtime and monitor.

Two things may be taken off the OCI runtime's hands, since it does them slowly:

- compiling the seccomp profile (crun before 1.20: 10 ms): the compiled program goes in by the annotation `run.oci.seccomp_bpf_data`;
- joining v1 cgroups (a process moved by another waits for the kernel's thread group lock): the runtime's process joins them by itself
  before it begins, see `joining_command`.
"""

import base64
import os
import stat
from collections.abc import Mapping

import msgspec

from wharfd.drivers.runtime.cgroups import is_systemd_name
from wharfd.model.errors import Internal
from wharfd.model.json import JsonObject
from wharfd.ports.runtime import Launch

SPEC_FILE = "config.json"
SECCOMP_ANNOTATION = "run.oci.seccomp_bpf_data"
SUBGROUP_ANNOTATION = "run.oci.systemd.subgroup"


def write_spec(launch: Launch, spec: JsonObject) -> None:
    os.makedirs(launch.bundle, mode=0o700, exist_ok=True)
    path = f"{launch.bundle}/{SPEC_FILE}"
    # The bundle belongs to one launch: nobody reads a half-written spec, so no rename is needed.
    with open(path, "wb") as f:
        f.write(msgspec.json.encode(spec))


def without_cgroups(spec: JsonObject) -> JsonObject:
    """The spec for a runtime that is to leave cgroups alone."""
    linux = {key: value for key, value in spec.get("linux", {}).items() if key not in {"resources", "cgroupsPath"}}
    return {**spec, "linux": linux}


def with_cgroup(spec: JsonObject, cgroup: str) -> JsonObject:
    """crun: on v2 it would put the container, and its limits, one level below systemd's scope, where nobody looks for them."""
    changed = {**spec, "linux": {**spec.get("linux", {}), "cgroupsPath": cgroup}}
    return with_annotations(changed, {SUBGROUP_ANNOTATION: ""}) if is_systemd_name(cgroup) else changed


def with_annotations(spec: JsonObject, annotations: Mapping[str, str]) -> JsonObject:
    return {**spec, "annotations": {**(spec.get("annotations") or {}), **annotations}} if annotations else spec


def with_seccomp_program(spec: JsonObject, program: bytes) -> JsonObject:
    """The spec with a compiled program in its seccomp profile's place."""
    linux = {key: value for key, value in spec["linux"].items() if key != "seccomp"}
    return with_annotations({**spec, "linux": linux}, {SECCOMP_ANNOTATION: base64.b64encode(program).decode()})


def joining_command(trees: list[str], cgroup_path: str, runtime: list[str]) -> list[str]:
    """A command that joins the cgroup of that path in each v1 tree and then becomes `runtime`.

    Linux: a process that writes 0 into `tasks` moves itself, without the lock that a move by pid takes.  The words are given to the
    shell and not a script file, since directories below /run are often mounted noexec.
    """
    names = " ".join(f"'{tree}'" for tree in trees)
    script = f'for tree in {names}; do echo 0 >"$tree$1/tasks" || exit 1; done; shift; exec "$@"'
    return ["/bin/sh", "-c", script, "wharfd-join", cgroup_path, *runtime]


def remove_tree(path: str) -> None:
    """Delete a directory of our own making; not there: nothing to do.

    Raises Internal where something else is mounted in it: those files are not ours.
    """
    try:
        device = os.lstat(path).st_dev
    except FileNotFoundError:
        return
    _remove_below(path, device)
    os.rmdir(path)


def _remove_below(path: str, device: int) -> None:
    with os.scandir(path) as entries:
        listed = list(entries)
    for entry in listed:
        status = entry.stat(follow_symlinks=False)
        if status.st_dev != device:
            raise Internal(f"{entry.path} lies on another file system and is not deleted")
        if stat.S_ISDIR(status.st_mode):
            _remove_below(entry.path, device)
            os.rmdir(entry.path)
        else:
            os.unlink(entry.path)
