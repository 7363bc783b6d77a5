"""CDI specifications of this host, read from their directories; a file is read again when it has changed."""

import json
import logging
import os
from collections.abc import Sequence

from wharfd.model.errors import InvalidParameter
from wharfd.model.json import Json
from wharfd.wire.cdi import CdiSpec, parse_cdi_spec

log = logging.getLogger(__name__)

LIMIT = 16 << 20  # bytes of one file


class CdiDirectories:
    """`directories`: a file of a later one wins."""

    def __init__(self, directories: Sequence[str]) -> None:
        self.directories = directories
        self.read: dict[str, tuple[tuple[int, int, int], CdiSpec | None]] = {}

    def specs(self) -> list[CdiSpec]:
        """A broken file is told of in the log, once, and left out."""
        found: dict[str, tuple[tuple[int, int, int], CdiSpec | None]] = {}
        for directory in self.directories:
            try:
                names = sorted(name for name in os.listdir(directory) if name.endswith((".json", ".yaml", ".yml")))
            except OSError:
                continue
            for name in names:
                path = os.path.join(directory, name)
                try:
                    at = os.stat(path)
                except OSError:
                    continue
                version = (at.st_mtime_ns, at.st_size, at.st_ino)
                known = self.read.get(path)
                found[path] = known if known is not None and known[0] == version else (version, self.load(path))
        self.read = found
        return [spec for _, spec in found.values() if spec is not None]

    def load(self, path: str) -> CdiSpec | None:
        try:
            with open(path, "rb") as file:
                return parse_cdi_spec(decode(path, file.read(LIMIT)), path)
        except (OSError, ValueError, InvalidParameter) as error:
            log.warning("cdi=%s is left out: %s", path, error)
            return None


def decode(path: str, data: bytes) -> Json:
    """Raises ValueError."""
    if path.endswith(".json"):
        return json.loads(data)
    import yaml  # few machines have such files, and it takes a megabyte

    try:
        return yaml.safe_load(data)
    except yaml.YAMLError as e:
        raise ValueError(str(e)) from e
