"""Port: directories of the host that containers are to see (bind mounts)."""

from typing import Protocol


class HostPaths(Protocol):
    def exists(self, path: str) -> bool:
        """Is anything there, links followed?

        Raises:
            InvalidParameter: the kernel does not take such a path (`stat X: invalid argument`).
        """

    def is_directory(self, path: str) -> bool: ...

    def make_directory(self, path: str) -> None:
        """With all directories above it (mode 0755, root); there already: nothing to do, also if it is a file.

        Raises:
            InvalidParameter: a path that the kernel does not take, or one that leads through a file.
            Unavailable: the file system refuses.
        """
