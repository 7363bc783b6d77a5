"""`wharfd verify`: looks, and says what it has found."""

import sys
import time

from wharfd.app.verify.check import WRONG, Finding, Kind, Look, check
from wharfd.model.errors import EngineError
from wharfd.sys import clock
from wharfd.sys.lockfile import is_locked

AGAIN_S = 1.0  # between two looks at a running engine: what only one of them shows was in motion
FRESH_NS = 10 * 60 * 10**9


def verify(data_root: str, *, digests: bool) -> int:
    """Prints to standard output.  Exit code: 0 all is well, 1 something is wrong, 2 the store cannot be read."""
    try:
        found = looked(data_root, digests=digests)
    except (EngineError, OSError) as e:
        print(f"wharfd: {e}", file=sys.stderr)  # noqa: T201 - a command line
        return 2
    lines = [f"{finding.kind:10} {finding.what}: {finding.why}" for finding in found.findings]
    print("\n".join([*lines, summary(found)]))  # noqa: T201 - this is what was asked for
    return 1 if any(finding.kind in WRONG for finding in found.findings) else 0


def looked(data_root: str, *, digests: bool = False) -> Look:
    if not is_locked(f"{data_root}/lock"):
        return check(data_root, digests=digests)
    first = set(check(data_root, fresh_ns=clock.now_ns() - FRESH_NS).findings)
    if not first and not digests:
        return check(data_root, fresh_ns=clock.now_ns() - FRESH_NS)
    time.sleep(AGAIN_S)
    second = check(data_root, fresh_ns=clock.now_ns() - FRESH_NS, digests=digests)
    lasting = [each for each in second.findings if each in first or is_of_digests(each)]
    return Look(second.records, second.disk, lasting)


def is_of_digests(finding: Finding) -> bool:
    """Only the second look reads whole blobs, which do not change."""
    return finding.kind is Kind.DAMAGED


def summary(found: Look) -> str:
    records, disk = found.records, found.disk
    counts = {kind: sum(each.kind is kind for each in found.findings) for kind in Kind}
    return (
        f"{len(records.images)} images, {len(records.containers)} containers, {len(records.volumes)} volumes, "
        f"{len(records.build_cache)} build cache records; {len(disk.blobs)} blobs, {len(disk.layers)} layers: "
        + ", ".join(f"{count} {kind}" for kind, count in counts.items())
    )
