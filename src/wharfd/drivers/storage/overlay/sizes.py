"""Limits to writable layers, by project quotas: a container's directory is a project of its own.

The number of a project is drawn by lot among those that the file system has no limit and no use of, so that several engines, and people
with projects of their own, can share one.  It stands in the directory; nothing else has to be remembered.

Docker: xfs alone.  Linux: ext4 lets who has CAP_SYS_RESOURCE pass a limit; overlayfs writes without that capability, so a container is held
to it there, too.
"""

import random

from wharfd.model.errors import Internal
from wharfd.sys import quota

FIRST, LAST = 1 << 20, (1 << 31) - 1  # projects that people number by hand are small
TRIES = 100


class SizeLimits:
    """`root`: a directory of the file system."""

    def __init__(self, root: str) -> None:
        self.root = root

    def can_limit(self) -> bool:
        return quota.is_enforced(self.root)

    def set(self, home: str, size_bytes: int) -> None:
        """`home`: a directory with nothing in it.  Raises OSError, Internal.

        The number stands in the directory before there is a limit to it: so an engine that dies leaves no limit that nobody knows of, and
        the next attempt goes on with the same number.
        """
        project = quota.project_of(home)
        if not FIRST <= project <= LAST or project == quota.project_of(self.root):
            project = self.unused()
            quota.set_project(home, project)
        quota.set_limit(self.root, project, size_bytes)

    def unused(self) -> int:
        for _ in range(TRIES):
            project = random.randint(FIRST, LAST)
            if quota.limit_of(self.root, project) == (0, 0):
                return project
        raise Internal("no project quota is free")

    def lift(self, home: str, beside: str) -> None:
        """Before `home` is moved into the directory `beside`.

        Linux: nothing can be moved into a directory that hands on another project.
        """
        project = quota.project_of(home)
        own = quota.project_of(beside)
        if project in (0, own):
            return
        quota.set_project(home, own)
        if FIRST <= project <= LAST and self.can_limit():
            quota.set_limit(self.root, project, 0)
