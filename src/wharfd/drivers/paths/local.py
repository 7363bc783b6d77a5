"""Directories of the host, by the ordinary calls.  Each takes well below a millisecond on a local file system."""

import os

from wharfd.model.errors import InvalidParameter, Unavailable


class LocalPaths:
    def exists(self, path: str) -> bool:
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:
            return True
        except (OSError, ValueError) as e:
            raise InvalidParameter(f"stat {path}: {reason(e)}") from e
        return True

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def make_directory(self, path: str) -> None:
        try:
            if not os.path.lexists(path):
                os.makedirs(path, 0o755, exist_ok=True)
        except (NotADirectoryError, FileExistsError, ValueError) as e:
            raise InvalidParameter(f"error while creating mount source path '{path}': {reason(e)}") from e
        except OSError as e:
            raise Unavailable(f"error while creating mount source path '{path}': {reason(e)}") from e


def reason(error: Exception) -> str:
    """Go's words: a path with a NUL byte never reaches the kernel in Python."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "invalid argument"
