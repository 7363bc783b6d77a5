"""Looks through /proc for what no record explains: monitors of ours, and what descends from them.

Only for the rare moments after an engine's sudden death; the running engine knows its processes by pidfd.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator

from wharfd.sys import pidfd


def monitors(program: str, exit_dir: str) -> dict[str, int]:
    """The living monitors that write their exit files to `exit_dir`: container id -> pid.

    A container's process may give itself any command line, but not our program and our process namespace.
    """
    found: dict[str, int] = {}
    own = _link("/proc/self/ns/pid")
    for pid in _pids():
        words = command_line(pid)
        container_id = _option(words, "--cid")
        if not container_id or _option(words, "--exit-dir") != exit_dir:
            continue
        # Linux: a program that was replaced by an upgrade shows as deleted.
        executable = _link(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        if executable == os.path.realpath(program) and _link(f"/proc/{pid}/ns/pid") == own:
            found[container_id] = pid
    return found


def command_line(pid: int) -> list[str]:
    """Empty for kernel threads, zombies and what is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return [os.fsdecode(word) for word in f.read().split(b"\0")[:-1]]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants(pids: Iterable[int]) -> list[int]:
    """All living processes below these, nearest first."""
    # Linux: /proc/PID/task/TID/children needs a kernel built for checkpointing, the parent in /proc/PID/stat is always there.
    children: defaultdict[int, list[int]] = defaultdict(list)
    for pid in _pids():
        parent = pidfd.parent_pid(pid)
        if parent is not None:
            children[parent].append(pid)
    found: list[int] = []
    waiting = list(pids)
    while waiting:
        below = children.get(waiting.pop(0), [])
        found += below
        waiting += below
    return found


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _option(words: list[str], name: str) -> str:
    try:
        return words[words.index(name) + 1]
    except (ValueError, IndexError):
        return ""


def _pids() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)
