"""Layers with two names: `diff` of the one is a symbolic link to `diff` of the other, which has the files.

layers/<owner>/diff/             the files
layers/<alias>/diff -> ../<owner>/diff
"""

import os
import secrets

from wharfd.drivers.storage.overlay.layout import Layout
from wharfd.model.ids import ChainId
from wharfd.sys import rename


class Aliases:
    """In memory: who lends its files to whom.  What touches the disk blocks."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.owners: dict[ChainId, ChainId] = {}

    def owner(self, chain_id: ChainId) -> ChainId:
        """The layer that has the files."""
        return self.owners.get(chain_id, chain_id)

    def of(self, owner: ChainId) -> list[ChainId]:
        return [alias for alias, each in self.owners.items() if each == owner]

    def read(self, chain_id: ChainId) -> None:
        """At start: take note of a layer if it is an alias.  Raises OSError for one whose files are gone."""
        diff = self.layout.diff(chain_id)
        os.stat(diff)
        if os.path.islink(diff):
            self.owners[chain_id] = self.layout.chain_id(os.readlink(diff).split("/")[-2])

    def link(self, owner: ChainId, diff: str) -> None:
        """Make `diff` lead to the owner's files."""
        os.symlink(f"../{os.path.basename(self.layout.layer(owner))}/diff", diff)

    def hand_over(self, owner: ChainId) -> None:
        """Before the owner goes: one of its aliases gets the files, the others lead there.

        Linux: what is mounted goes on, since overlayfs holds the directories and not their names.
        """
        heir, *others = self.of(owner) or [owner]
        if heir == owner:
            return
        rename.exchange(self.layout.diff(owner), self.layout.diff(heir))
        del self.owners[heir]
        for alias in others:
            fresh = f"{self.layout.layer(alias)}/{secrets.token_hex(4)}"
            self.link(heir, fresh)
            os.rename(fresh, self.layout.diff(alias))
            self.owners[alias] = heir
