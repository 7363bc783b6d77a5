"""Steps on directories that both kinds of blobs need."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from wharfd.model.errors import Internal


@contextmanager
def synced_directory(path: str) -> Iterator[int]:
    """A descriptor of the directory; what was put there is durable after the block."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
        os.fsync(fd)
    finally:
        os.close(fd)


def unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as e:
        raise Internal(f"content store: {e}") from e
