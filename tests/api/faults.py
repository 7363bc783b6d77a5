"""What an engine's log says of its own faults: tracebacks that end in an exception that is none of the engine's errors."""

import re
from pathlib import Path

OWN = "wharfd.model.errors."
TRACEBACK = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)


def faults(log: Path) -> list[str]:
    """Each with the log line before it."""
    found = []
    text = log.read_text(errors="replace")
    for record in re.split(r"^(?=time=\d)", text, flags=re.MULTILINE):
        if TRACEBACK.search(record) is None:
            continue
        last = record[record.rindex("\nTraceback") if "\nTraceback" in record else 0 :]
        lines = [line for line in last.splitlines() if line and not line.startswith((" ", "Traceback"))]
        raised = next((line for line in lines if re.match(r"[\w.]+(:|$)", line)), "")
        if not raised.startswith(OWN):
            found.append(record[:3000])
    return found
