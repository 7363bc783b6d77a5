"""Who a container's process is, by the image's own files."""

from wharfd.model.container import ContainerRecord, Rootfs
from wharfd.model.errors import Internal
from wharfd.ports.storage import RootfsStore
from wharfd.wire.userdb import ResolvedUser, resolve_user

USER_FILE_LIMIT = 4 << 20  # bytes of /etc/passwd and /etc/group that are read


async def user_of(record: ContainerRecord, store: RootfsStore) -> ResolvedUser:
    """Raises InvalidParameter with the runtime's text."""
    if record.rootfs is None:
        raise Internal(f"container {record.id} has no root file system")
    spec, groups = record.config.user, record.host_config.group_add or []
    passwd = await text_in(store, record.rootfs, "/etc/passwd")
    group = await text_in(store, record.rootfs, "/etc/group") if spec or groups or passwd else ""
    return resolve_user(spec, passwd, group, groups)


async def text_in(store: RootfsStore, rootfs: Rootfs, path: str) -> str:
    data = await store.read_file(rootfs, path, USER_FILE_LIMIT)
    return data.decode(errors="replace") if data is not None else ""
