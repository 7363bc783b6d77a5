"""What a pile of layers shows, worked out by the image specification alone: the measure for engines, without any of their code."""

import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from tests.realimages.listing import Facts, Listing, clean, members, with_links

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


class Pile:
    """A file has a number, which its hard links share."""

    def __init__(self) -> None:
        self.shown: dict[str, tuple[int, Facts]] = {}
        self.count = 0

    def add(self, layer: bytes) -> None:
        entries = list(members(io.BytesIO(layer)))
        # Marks speak of the layers below, wherever in the archive they stand.
        for name, _ in entries:
            folder, _, base = name.rpartition("/")
            if base == OPAQUE:
                self.remove_below(folder)
            elif base.startswith(WHITEOUT):
                self.remove(f"{folder}/{base.removeprefix(WHITEOUT)}".lstrip("/"))
        for name, facts in entries:
            if not name.rpartition("/")[2].startswith(WHITEOUT):
                self.put(name, facts)

    def put(self, name: str, facts: Facts) -> None:
        known = self.shown.get(name)
        if known is not None and not (known[1].kind == facts.kind == "directory"):
            self.remove(name)
        if facts.kind == "link":
            self.shown[name] = self.shown[clean(facts.target)]
            return
        self.count += 1
        self.shown[name] = (self.count, facts)

    def remove(self, name: str) -> None:
        self.shown.pop(name, None)
        self.remove_below(name)

    def remove_below(self, folder: str) -> None:
        for name in [each for each in self.shown if each.startswith(f"{folder}/" if folder else "")]:
            del self.shown[name]

    def listing(self) -> Listing:
        groups: defaultdict[int, list[str]] = defaultdict(list)
        for name, (number, facts) in self.shown.items():
            if facts.kind != "directory":
                groups[number].append(name)
        return with_links({name: replace(facts) for name, (_, facts) in self.shown.items()}, groups.values())


def shown_by(layers: Iterable[bytes]) -> Listing:
    pile = Pile()
    for layer in layers:
        pile.add(layer)
    return pile.listing()
