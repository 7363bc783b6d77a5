"""Directories of a host in memory."""

from wharfd.model.errors import InvalidParameter
from wharfd.testing.fake import Fake


class FakePaths(Fake):
    """Port `paths`.  `files` and `directories` are what exists."""

    def __init__(self) -> None:
        super().__init__()
        self.directories = {"/", "/tmp", "/var", "/var/lib", "/etc"}
        self.files = {"/etc/passwd"}

    def exists(self, path: str) -> bool:
        self.enter("exists")
        if "\0" in path:
            raise InvalidParameter(f"stat {path}: invalid argument")
        return path in self.directories or path in self.files

    def is_directory(self, path: str) -> bool:
        self.enter("is_directory")
        return path in self.directories

    def make_directory(self, path: str) -> None:
        self.enter("make_directory")
        if "\0" in path:
            raise InvalidParameter(f"error while creating mount source path '{path}': invalid argument")
        if path not in self.files:
            self.directories.add(path)
