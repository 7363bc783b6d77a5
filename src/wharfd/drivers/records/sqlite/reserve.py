"""Space that is kept for a full disk: without it nothing could be removed there, since a removal has to be written down, too."""

import os


class Reserve:
    """A file of `size_bytes` that is given up when the disk is full, and made again when there is room."""

    def __init__(self, path: str, size_bytes: int) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.is_kept = False

    def keep(self) -> None:
        """Make the file unless it is there, or would take the last that is free."""
        try:
            if os.stat(self.path).st_size == self.size_bytes:
                self.is_kept = True
                return
        except FileNotFoundError:
            pass
        free = os.statvfs(os.path.dirname(self.path) or ".")
        self.is_kept = False
        if free.f_bavail * free.f_frsize < 2 * self.size_bytes:
            return
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, self.size_bytes)
            self.is_kept = True
        except OSError:
            self.give()
        finally:
            os.close(fd)

    def give(self) -> bool:
        """Free the space; false if there was none kept."""
        self.is_kept = False
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return False
        return True
