"""A container's root as a tree of mounts that only this worker has.

The root file system and what belongs into it are cloned into a mount namespace of their own, which lives as long as its descriptor
is held.  So a container that does not run is seen with its volumes, what the host shows stays as it is, and a worker that dies leaves
nothing.  Nothing in the clone can be a device (nodev): a container that puts one where a file was a moment ago has nothing opened.

    with opened(view) as root:          # a descriptor: everything else is relative to it
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from wharfd.model.errors import Internal
from wharfd.model.files import FileView, PlacedPath
from wharfd.sys import mount, namespaces, openat2, pidfd
from wharfd.sys.blocking import call_in_fresh_thread

HARMLESS = mount.MOUNT_ATTR_NODEV | mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NOEXEC
OPEN_PLACE = os.O_PATH | os.O_CLOEXEC
OPEN_PLACE_DIRECTORY = OPEN_PLACE | os.O_DIRECTORY

Tmpfs = list[tuple[str, int]]  # destination, descriptor of the detached clone


@contextmanager
def opened(view: FileView) -> Iterator[int]:
    """Raises Internal if the view cannot be put together."""
    with ExitStack() as held:
        try:
            tmpfs = call_in_fresh_thread(clone_tmpfs, view) if view.pid and view.tmpfs else []
            for _, tree in tmpfs:
                held.callback(os.close, tree)
            namespace, root = call_in_fresh_thread(build, view, tmpfs)
        except OSError as e:
            raise Internal(f"the container's files cannot be looked at: {e}") from e
        held.callback(os.close, namespace)
        held.callback(os.close, root)
        yield root


def clone_tmpfs(view: FileView) -> Tmpfs:
    """On a thread that goes into the container's mount namespace, where alone its mounts can be cloned.  Empty if it has ended."""
    found: Tmpfs = []
    try:
        with ExitStack() as held:
            process = os.open(f"/proc/{view.pid}", OPEN_PLACE_DIRECTORY)
            held.callback(os.close, process)
            root = os.open("root", OPEN_PLACE_DIRECTORY, dir_fd=process)
            held.callback(os.close, root)
            namespace = os.open("ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=process)
            held.callback(os.close, namespace)
            # Asked last: all three belong to the process that began then.
            if pidfd.process_start_time(view.pid) != view.pid_start:
                return []
            namespaces.unshare(namespaces.CLONE_FS)
            namespaces.setns(namespace, namespaces.CLONE_NEWNS)
            for destination in view.tmpfs:
                with suppress(OSError):  # unmounted, or hidden by another mount
                    place = openat2.open_in_root(root, destination, OPEN_PLACE_DIRECTORY)
                    try:
                        tree = mount.open_tree("", clone=True, dir_fd=place)
                    finally:
                        os.close(place)
                    found.append((destination, tree))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def build(view: FileView, tmpfs: Tmpfs) -> tuple[int, int]:
    """On a thread of its own: descriptors of the new mount namespace and of the container's root in it."""
    namespaces.unshare(namespaces.CLONE_NEWNS)
    # What is unmounted on the host goes away here, too; nothing comes back from here.
    mount.set_propagation("/", "rslave")
    with ExitStack() as failed:
        root = mount.open_tree(view.root, clone=True)
        failed.callback(os.close, root)
        mount.set_attributes(root, HARMLESS)
        mount.move_mount(root, os.path.dirname(view.root))
        steps = [(place.destination, place) for place in view.places] + [(name, tree) for name, tree in tmpfs]
        for destination, what in sorted(steps, key=lambda step: step[0].rstrip("/").count("/")):
            if isinstance(what, PlacedPath):
                place_path(root, what)
            else:
                mount.set_attributes(what, HARMLESS)
                place_tree(root, what, destination)
        if view.read_only:
            mount.set_attributes(root, mount.MOUNT_ATTR_RDONLY)
        namespace = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        failed.pop_all()
    return namespace, root


def place_path(root: int, place: PlacedPath) -> None:
    try:
        tree = mount.open_tree(place.source, clone=True, recursive=place.recursive)
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        mount.set_attributes(tree, HARMLESS, recursive=place.recursive)
        if place.read_only:
            mount.set_attributes(tree, mount.MOUNT_ATTR_RDONLY, recursive=place.recursive and place.recursive_read_only)
        place_tree(root, tree, place.destination)
    finally:
        os.close(tree)


def place_tree(root: int, tree: int, destination: str) -> None:
    """Docker: a mount point that is not there is made, as a start would."""
    is_directory = is_dir(tree)
    target = mount_point(root, destination, is_directory=is_directory)
    try:
        if is_dir(target) == is_directory:
            mount.move_mount(tree, target)
    finally:
        os.close(target)


def mount_point(root: int, destination: str, *, is_directory: bool) -> int:
    """A descriptor of the place, made if need be.  Links on the way are followed inside the root."""
    with suppress(FileNotFoundError):
        return openat2.open_in_root(root, destination, OPEN_PLACE)
    names = [name for name in destination.split("/") if name]
    parent = openat2.open_in_root(root, "/", OPEN_PLACE_DIRECTORY)
    for number, name in enumerate(names):
        path = "/".join(names[: number + 1])
        is_last = number == len(names) - 1
        try:
            place = openat2.open_in_root(root, path, OPEN_PLACE)
        except FileNotFoundError:
            try:
                if is_last and not is_directory:
                    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o755, dir_fd=parent))
                else:
                    os.mkdir(name, 0o755, dir_fd=parent)
                place = openat2.open_in_root(root, path, OPEN_PLACE)
            finally:
                os.close(parent)
        else:
            os.close(parent)
        parent = place
    return parent


def is_dir(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)
