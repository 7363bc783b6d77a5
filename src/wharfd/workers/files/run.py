"""The jobs on a container's files, each on a view of its root or on its layer."""

import hashlib
import os
import stat

from wharfd.model.archive import IngestedLayer
from wharfd.model.container import Rootfs
from wharfd.model.files import Change, ChangeKind, Extraction, FileView, PathStat
from wharfd.model.ids import Digest
from wharfd.wire.containerpath import ContainerPath, parse_container_path
from wharfd.wire.tarstream import Entry, header
from wharfd.wire.whiteout import whiteout_name
from wharfd.workers import protocol
from wharfd.workers.files import extract, look, upper
from wharfd.workers.files.create import Creator
from wharfd.workers.files.sink import Sink, writer
from wharfd.workers.files.view import opened
from wharfd.workers.ingest import SpoolFile

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def stat_path(view: FileView, path: bytes) -> PathStat:
    with opened(view) as root:
        return look.stat_path(root, parse_container_path(os.fsdecode(path)))


def read_path(out: int, view: FileView, path: bytes, encoding: str) -> None:
    """First a frame with the `PathStat`, then the archive."""
    asked = parse_container_path(os.fsdecode(path))
    with opened(view) as root, look.found(root, asked) as place:
        write = writer(out)
        status = look.stat_of(root, asked, place)
        write(protocol.framed(status))
        creator = Creator(Sink(write, encoding))
        add_place(creator, root, place, asked, status)
        creator.finish()


def add_place(creator: Creator, root: int, place: int, path: ContainerPath, status: PathStat) -> None:
    if stat.S_ISDIR(status.mode):
        fd = os.open(".", OPEN_DIRECTORY, dir_fd=place)
        try:
            creator.add_directory(fd, os.fstat(fd), path.base)
        finally:
            os.close(fd)
    elif stat.S_ISREG(status.mode):
        fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            creator.add_file(fd, os.fstat(fd), path.base)
        finally:
            os.close(fd)
    else:
        creator.add_pinned(place, path.base)


def write_path(archive: int, view: FileView, path: bytes, how: Extraction) -> None:
    with opened(view) as root:
        extract.extract(archive, root, parse_container_path(os.fsdecode(path)), how)


def export(out: int, view: FileView) -> None:
    """An empty frame, then everything in the root, named without a slash at the front."""
    with opened(view) as root:
        fd = os.open(".", OPEN_DIRECTORY, dir_fd=root)
        try:
            write = writer(out)
            write(protocol.framed(None))
            creator = Creator(Sink(write))
            creator.add_content(fd, "")
            creator.finish()
        finally:
            os.close(fd)


def list_changes(rootfs: Rootfs) -> list[Change]:
    return [Change(path=os.fsencode(found.path), kind=found.kind) for found in upper.walk(rootfs.upper, rootfs.lower)]


def pack_changes(rootfs: Rootfs, spool: str) -> IngestedLayer | None:
    """The changes as a layer in the spool; None if there are none."""
    file = SpoolFile(spool)
    plain = hashlib.sha256()
    try:
        creator = Creator(Sink(file.write, "gzip", plain.update))
        count = 0
        for found in upper.walk(rootfs.upper, rootfs.lower):
            count += 1
            name = found.path[1:]
            if found.kind is ChangeKind.DELETED:
                creator.sink.put(header(Entry(name=whiteout_name(name), mode=0)))
            elif found.is_directory:
                creator.add_directory_only(found.parent, found.name, name)
            else:
                creator.add(found.parent, found.name, name)
        if not count:
            file.discard()
            return None
        creator.finish()
        diff_id = Digest("sha256:" + plain.hexdigest())
        return IngestedLayer(digest=file.keep(), size=file.size, diff_id=diff_id, compression="gzip")
    finally:
        file.close()
