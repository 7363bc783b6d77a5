"""The `path` of the archive calls: cleaned as text, with the meaning of its end kept.

    etc/../tmp      /tmp          the thing itself; a link at the end is not followed
    /tmp/           /tmp/         a directory, or a link to one
    /tmp/.          /tmp/.        its contents: names in the archive begin with "."

Source: dockerd joins the path to the root, cleans it and puts a trailing "/" or "/." back.
"""

import posixpath
from dataclasses import dataclass

from wharfd.model.errors import InvalidParameter


@dataclass(frozen=True, slots=True)
class ContainerPath:
    """`clean` is absolute, without dots; `shown` is what Docker's messages say; `base` is the name that archives give to the thing."""

    clean: str
    shown: str
    base: str

    @property
    def follows(self) -> bool:
        """Is a link at the end followed?"""
        return self.shown != "/" and self.shown.endswith(("/", "/."))


def parse_container_path(path: str) -> ContainerPath:
    """Raises InvalidParameter for an empty path and for one that no kernel takes."""
    if not path:
        raise InvalidParameter("bad parameter: pathcannot be empty")  # Docker: the blank is missing there, too
    if "\0" in path:
        raise InvalidParameter("bad parameter: path contains a NUL byte")
    clean = "/" + posixpath.normpath("/" + path).lstrip("/")
    shown = clean
    if last(path) == ".":
        shown = shown.rstrip("/") + "/."
    if path.endswith("/") and not shown.endswith("/"):
        shown += "/"
    return ContainerPath(clean, shown, last(shown))


def last(path: str) -> str:
    """Go's `path.Base`: the last element, trailing slashes apart."""
    stripped = path.rstrip("/")
    return stripped.rpartition("/")[2] if stripped else "/"
