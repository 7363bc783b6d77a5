"""Draws docs/container-states.md from the table in engine/lifecycle.py.

PYTHONPATH=src python scripts/state_diagram.py            # write it
PYTHONPATH=src python scripts/state_diagram.py --check    # fail if it is out of date
"""

import sys
from collections import defaultdict
from pathlib import Path

from wharfd.engine.lifecycle import EVENTS, TABLE, Already, Event, Refuse
from wharfd.model.container import State

PAGE = Path(__file__).resolve().parent.parent / "docs" / "container-states.md"

INTRODUCTION = """\
# States of a container

Made by `scripts/state_diagram.py` from the table in `src/wharfd/engine/lifecycle.py`; change that and run the script.

States are finer than Docker's: `creating` is not visible, `starting` shows as what the container was before, `exited` shows as `created`
while no start has succeeded. Events called …Asked are wishes of clients or of the restart policy, the others are facts.
"""


def arrows() -> list[str]:
    """One arrow for each pair of states, labelled with all events that lead from one to the other; staying put is left out."""
    labels: dict[tuple[State, State], list[str]] = defaultdict(list)
    for (state, event), cell in TABLE.items():
        if isinstance(cell, State) and cell is not state:
            labels[state, cell].append(event.__name__)
    return [f"    {state} --> {target}: {', '.join(names)}" for (state, target), names in labels.items()]


def refusals() -> list[str]:
    rows = ["| state | event | answer |", "|---|---|---|"]
    for (state, event), cell in TABLE.items():
        if isinstance(cell, Refuse):
            rows.append(f"| {state} | {event.__name__} | 409 {cell.text} |")
        elif isinstance(cell, Already):
            rows.append(f"| {state} | {event.__name__} | 304 |")
    return rows


def stays() -> list[str]:
    kept: dict[State, list[type[Event]]] = defaultdict(list)
    for (state, event), cell in TABLE.items():
        if cell is state:
            kept[state].append(event)
    return [f"- {state}: {', '.join(event.__name__ for event in events)}" for state, events in kept.items()]


def page() -> str:
    diagram = ["```mermaid", "stateDiagram-v2", "    [*] --> creating", *arrows(), "    removing --> [*]", "```"]
    parts = [
        INTRODUCTION,
        "\n".join(diagram),
        "\n## Events that change the record but not the state\n",
        "\n".join(stays()),
        "\n## Refusals\n",
        "\n".join(refusals()),
        f"\nEvery other pair of the {len(State)} states and {len(EVENTS)} events cannot happen; `apply` raises an internal error.\n",
    ]
    return "\n".join(parts)


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
