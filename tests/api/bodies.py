"""Create bodies that are wrong or odd: field by field, with a wrong type, a negative or huge number, a NUL byte, a path with `..`.

Statuses and messages of `refused_bodies.jsonl` are those of dockerd 28 at API 1.51, as it answered each body, except:

- what it answers with 500 is 400 here, with the same message;
- a port or an address that is none, and a volume over the whole root, are refused here at once and not at the start;
- mounts that this engine does not carry out are 501.

`taken_bodies.jsonl` holds what is accepted, odd as it may be; dockerd refuses some of it at the start.  `alpine` stands for an image that
is there, `{ncpu}` in a message for the number of processors.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

HUGE = {"Image": "alpine", "Cmd": ["true"], "User": "u" * 100_000}


@dataclass(frozen=True)
class Body:
    name: str
    body: Any
    status: int = 201
    message: str = ""

    def __str__(self) -> str:
        return self.name


def read(file: str) -> list[Body]:
    return [Body(**json.loads(line)) for line in (HERE / file).read_text().splitlines()]


REFUSED = read("refused_bodies.jsonl")
TAKEN = [*read("taken_bodies.jsonl"), Body("huge string", HUGE)]
