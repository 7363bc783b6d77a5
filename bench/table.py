"""Prints figures of several engines side by side with their ratios to the first."""

import os
import platform
from pathlib import Path
from statistics import median

Rounds = dict[str, dict[str, list[float]]]  # engine -> figure -> one value per round


def machine() -> str:
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / (1 << 20)
    cgroup = "v2" if Path("/sys/fs/cgroup/cgroup.controllers").exists() else "v1"
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB, Linux {platform.release()}, cgroup {cgroup}, "
        f"Python {platform.python_version()}"
    )


def render(rounds: Rounds) -> str:
    """A Markdown table of medians over the rounds; the ratio column is the other engine's figure over ours."""
    engines = list(rounds)
    ours = engines[0]
    figures: list[str] = []
    for engine in engines:
        figures += [name for name in rounds[engine] if name not in figures]
    head = ["figure", ours]
    for engine in engines[1:]:
        head += [engine, f"{engine} / {ours}"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in figures:
        values = {engine: median(rounds[engine][name]) for engine in engines if name in rounds[engine]}
        row = [name, number(values.get(ours))]
        for engine in engines[1:]:
            ratio = values[engine] / values[ours] if engine in values and values.get(ours) else None
            row += [number(values.get(engine)), number(ratio)]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
