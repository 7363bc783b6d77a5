"""The digest of a part of a tree: what is in it, not when it was put there.

Names, kinds, permissions, owners, attributes and contents count; times do not.  The same files have one digest wherever they lie: in a
context that a client has sent or in a layer of an image.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from wharfd.model.ids import Digest
from wharfd.model.tree import DigestedEntry, Selection
from wharfd.wire.dockerignore import PathPatterns, clean
from wharfd.wire.globs import matches

encode = msgspec.msgpack.Encoder().encode


class TreeHash:
    """Entries are added in the order of a walk: names sorted within a directory, a directory before what is in it."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def begin(self, name: str) -> None:
        """One of the things that were selected."""
        self.hash.update(encode(("top", name)))

    def add(self, path: str, found: DigestedEntry) -> None:
        entry = found.entry
        link = entry.link_target if entry.is_symlink else ""
        device = None if entry.is_regular or entry.is_directory or entry.is_symlink else entry.device
        xattrs = sorted(entry.xattrs.items())
        self.hash.update(encode((path, entry.mode, entry.uid, entry.gid, link, device, xattrs, found.digest)))

    def digest(self) -> Digest:
        return Digest("sha256:" + self.hash.hexdigest())


class TreeIndex:
    """A whole tree in memory: every file with the digest of its content, by path."""

    def __init__(self, entries: Iterable[DigestedEntry]) -> None:
        self.entries: Mapping[str, DigestedEntry] = {found.entry.path: found for found in entries}
        self.children: dict[str, list[str]] = {"": []}
        for path in self.entries:
            if path:
                parent, _, name = path.rpartition("/")
                self.children.setdefault(parent, []).append(name)
        for names in self.children.values():
            names.sort()
        self.whole: Digest | None = None

    def digest(self) -> Digest:
        """Of everything."""
        if self.whole is None:
            found = TreeHash()
            self.walk("", "", found, None, None)
            self.whole = found.digest()
        return self.whole

    def select(self, selection: Selection) -> Digest | None:
        """None if there is no such path; of a pattern that fits nothing, the digest of nothing."""
        include = PathPatterns(selection.include) if selection.include else None
        exclude = PathPatterns(selection.exclude) if selection.exclude else None
        if any(self.resolve(path, follow=True) is None for path in selection.required):
            return None
        paths: Sequence[str] = [selection.path]
        if selection.wildcard:
            paths = self.expand(selection.path, follow=selection.follow_links)
        found = TreeHash()
        for path in paths:
            real = self.resolve(path, follow=selection.follow_links)
            if real is None:
                return None
            found.begin(clean("/" + path).rpartition("/")[2])
            self.walk(real, "", found, include, exclude)
        return found.digest()

    def walk(
        self, path: str, shown: str, found: TreeHash, include: PathPatterns | None, exclude: PathPatterns | None
    ) -> None:
        """`shown` relative to the top of the selection."""
        pending = [(path, shown)]
        while pending:
            here, name = pending.pop()
            entry = self.entries.get(here)
            if name and exclude is not None and exclude.match(name):
                if entry is None or not entry.entry.is_directory or not exclude.may_spare(name):
                    continue
            elif entry is not None and (include is None or not name or include.match(name)):
                found.add(name, entry)
            for child in reversed(self.children.get(here, ())):
                pending.append((f"{here}/{child}" if here else child, f"{name}/{child}" if name else child))

    def resolve(self, path: str, *, follow: bool) -> str | None:
        """The path without links; None if there is nothing."""
        rest = [part for part in path.split("/") if part not in ("", ".")][::-1]
        real = ""
        links = 0
        while rest:
            name = rest.pop()
            if name in ("", "."):
                continue
            if name == "..":
                real = real.rpartition("/")[0]
                continue
            here = f"{real}/{name}" if real else name
            entry = self.entries.get(here)
            if entry is not None and entry.entry.is_symlink and (rest or follow):
                links += 1
                if links > 40:
                    return None
                target = entry.entry.link_target
                if target.startswith("/"):
                    real = ""
                rest += target.split("/")[::-1]
                continue
            if entry is None and here not in self.children:
                return None
            real = here
        return real

    def expand(self, pattern: str, *, follow: bool) -> Sequence[str]:
        """The paths that fit, in order.  Docker: links are followed before the first wildcard only."""
        parts = [part for part in clean(pattern).split("/") if part not in ("", ".")]
        first = next((number for number, part in enumerate(parts) if has_wildcards(part)), None)
        if first is None:
            return ["/".join(parts)]
        base = self.resolve("/".join(parts[:first]), follow=follow)
        if base is None:
            return []
        found = [base]
        for part in parts[first:]:
            found = [
                f"{path}/{name}" if path else name
                for path in found
                for name in self.children.get(path, ())
                if matches(part, name)
            ]
        return sorted(found)


def has_wildcards(name: str) -> bool:
    """Is there a `*`, `?` or `[` that no backslash quotes?"""
    at = 0
    while at < len(name):
        if name[at] == "\\":
            at += 1
        elif name[at] in "*?[":
            return True
        at += 1
    return False
