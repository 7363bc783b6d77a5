"""The Dockerfile language: text in, typed instructions out.  No I/O; `DockerfileError` is all that is ever raised."""

from wharfd.wire.dockerfile.errors import DockerfileError, LineRange
from wharfd.wire.dockerfile.instructions import Dockerfile
from wharfd.wire.dockerfile.parse import parse_dockerfile, parse_trigger

__all__ = ["Dockerfile", "DockerfileError", "LineRange", "parse_dockerfile", "parse_trigger"]
