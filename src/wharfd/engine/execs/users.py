"""Who a user's name is inside a container: by the image's own /etc/passwd and /etc/group, as they are now."""

from wharfd.model.container import ContainerRecord, Rootfs
from wharfd.model.errors import Internal
from wharfd.ports.storage import RootfsStore
from wharfd.wire.userdb import ResolvedUser, resolve_user

FILE_LIMIT = 4 << 20  # bytes of either file that are read


class Users:
    def __init__(self, rootfs: RootfsStore) -> None:
        self.rootfs = rootfs

    async def find(self, record: ContainerRecord, user: str) -> ResolvedUser:
        """`user` as in `Config.User`.  Raises InvalidParameter: it does not exist there."""
        if record.rootfs is None:
            raise Internal(f"container {record.id} has no root file system")
        groups = record.host_config.group_add or []
        passwd = await self.text(record.rootfs, "/etc/passwd")
        return resolve_user(user, passwd, await self.text(record.rootfs, "/etc/group"), groups)

    async def text(self, rootfs: Rootfs, path: str) -> str:
        data = await self.rootfs.read_file(rootfs, path, FILE_LIMIT)
        return data.decode(errors="replace") if data is not None else ""
