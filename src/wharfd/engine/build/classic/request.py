"""What a client asks of the classic door, and what it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wharfd.engine.build.requests import ExecLimits
from wharfd.model.config import Ulimit
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicRequest:
    """Fields of the query, decoded.

    `build_args`: a value None takes the argument away from the defaults.  `logins` by registry (X-Registry-Config).  `secrets`: what a
    client without a session has sent along.
    """

    build_id: str = ""
    remote: str = ""
    dockerfile: str = ""
    names: Sequence[Reference] = ()
    target: str = ""
    platform: str = ""
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cache_from: Sequence[str] = ()
    extra_hosts: Sequence[str] = ()
    ulimits: Sequence[Ulimit] = ()
    network_mode: str = ""
    shm_size: int = 0
    limits: ExecLimits = field(default_factory=ExecLimits)
    no_cache: bool = False
    pull: bool = False
    remove: bool = True
    force_remove: bool = False
    quiet: bool = False
    logins: Mapping[str, AuthConfig] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the stream."""

    text: str


@dataclass(frozen=True, slots=True)
class ImageMade:
    """The id of what a stage has come to."""

    image_id: str


Told = Text | ImageMade
