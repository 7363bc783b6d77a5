"""Where things lie, and how they go away.

ROOT/layers/<hex of the chain id>/diff/        a layer's own files, never changed
ROOT/layers/<hex of the chain id>/info.json    `LayerInfo`
ROOT/layers/<hex of the chain id>/unsettled    made by a build and perhaps not on the disk yet (see snapshots)
ROOT/unpacking/<name>/                         layers on their way in; dropped at start
ROOT/containers/<id>/{upper,work,merged}       a container's writable layer and its mount point
ROOT/base/                                     what lies below every image (see `BASE`)
ROOT/trash/<name>/                             on its way out; dropped at start
"""

import os
import secrets

from wharfd.model.ids import ChainId, ContainerId

# Docker: each container has a layer of its own for the places that the runtime mounts over, so that `diff`, `commit` and the size of a
# container do not show them.  Ours is one for all of them and lies below the image, whose own entries win.
BASE_DIRECTORIES = ("dev", "dev/pts", "dev/shm", "proc", "sys", "etc")
BASE_FILES = (
    (".dockerenv", 0o755),
    ("dev/console", 0o755),
    ("etc/hosts", 0o755),
    ("etc/hostname", 0o755),
    ("etc/resolv.conf", 0o755),
)
BASE_LINKS = (("etc/mtab", "/proc/mounts"),)


class Layout:
    def __init__(self, root: str) -> None:
        self.root = root
        self.layers = f"{root}/layers"
        self.unpacking = f"{root}/unpacking"
        self.containers = f"{root}/containers"
        self.base = f"{root}/base"
        self.trash = f"{root}/trash"

    def layer(self, chain_id: ChainId) -> str:
        encoded = chain_id.removeprefix("sha256:")
        if len(encoded) != 64 or not encoded.isalnum():
            raise ValueError(f"{chain_id!r} is no chain id")
        return f"{self.layers}/{encoded}"

    def chain_id(self, name: str) -> ChainId:
        """The layer whose directory has that name."""
        return ChainId(f"sha256:{name}")

    def diff(self, chain_id: ChainId) -> str:
        return f"{self.layer(chain_id)}/diff"

    def container(self, container_id: ContainerId) -> str:
        if not container_id.isalnum():
            raise ValueError(f"{container_id!r} is no container id")
        return f"{self.containers}/{container_id}"

    def make(self) -> None:
        """Directories and the base layer."""
        for path in (self.layers, self.containers):
            os.makedirs(path, mode=0o711, exist_ok=True)
        for path in (self.unpacking, self.trash):
            os.makedirs(path, mode=0o700, exist_ok=True)
        self.make_base()

    def make_base(self) -> None:
        for path in ("", *BASE_DIRECTORIES):
            os.makedirs(f"{self.base}/{path}", mode=0o755, exist_ok=True)
        for path, mode in BASE_FILES:
            os.close(os.open(f"{self.base}/{path}", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, mode))
        for path, target in BASE_LINKS:
            if not os.path.lexists(f"{self.base}/{path}"):
                os.symlink(target, f"{self.base}/{path}")

    def staging(self) -> str:
        path = self.new_staging()
        os.mkdir(path, 0o700)
        return path

    def new_staging(self) -> str:
        """A name; nothing is made."""
        return f"{self.unpacking}/{secrets.token_hex(8)}"
