"""Memory of an engine: the proportional set size (PSS) of every process that it started and that is not a container.

Each engine lives in a network namespace of its own here, and containers with networks of their own live in others, so the processes in
the engine's namespace are the engine's.  Source: proc(5), smaps_rollup.
"""

import os
from contextlib import suppress
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def engine_processes(netns: str) -> list[int]:
    wanted = os.stat(netns).st_ino
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.stat(entry / "ns/net").st_ino == wanted:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def pss_bytes(netns: str) -> int:
    total = 0
    for pid in engine_processes(netns):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def cpu_seconds(netns: str) -> float:
    """Processor time of all of an engine's processes so far, with that of the children which they have waited for."""
    total = 0
    for pid in engine_processes(netns):
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / TICKS_PER_S
