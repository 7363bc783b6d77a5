"""The one family of errors, by kind and not by place.

    EngineError
    ├── InvalidParameter      the request is wrong as it stands            (400)
    ├── Unauthorized          credentials are missing or refused           (401)
    ├── Forbidden             never allowed, whatever the state            (403)
    ├── NotFound              the named object does not exist              (404)
    │   ├── ContainerNotFound, ContainerFileNotFound, ImageNotFound, NetworkNotFound, VolumeNotFound, ExecNotFound
    │   └── PullDenied, ManifestNotFound, RepositoryNotFound
    ├── Conflict              the object's present state forbids it        (409)
    │   └── NameInUse
    ├── NotModified           it is so already                             (304, no body)
    ├── NotImplementedHere    this engine does not do that (yet)           (501)
    ├── Unavailable           a part that the call needs is not there      (503)
    ├── Internal              the engine's own fault                       (500)
    │   └── RegistryFailure       a registry refused in a way of its own, cannot be reached, or answers nonsense
    │       └── TooManyRequests   it wants fewer requests                  (429)
    ├── BuildFailed           a step of a build did not end well          (500)
    └── Cancelled             the caller went away                         (never answered)

Drivers translate foreign errors (errno, exit codes, registry codes) into these at their own edge; `api/errors.py` holds the one
table of statuses.  Message texts are Docker's where clients match on them, and are golden-tested.
"""

from typing import Self


class EngineError(Exception):
    """Base of all errors that may leave a port or a use case.  `str(error)` is the message for the user."""

    @property
    def message(self) -> str:
        return str(self)

    def prefixed(self, prefix: str) -> Self:
        """The same error, with `prefix` before its message."""
        self.args = (prefix + str(self), *self.args[1:])
        return self


class InvalidParameter(EngineError):
    """The request is wrong as it stands; asking again will not help."""


class Unauthorized(EngineError):
    """Credentials are missing or were refused."""


class Forbidden(EngineError):
    """Not allowed, whatever the state of the object."""


class NotFound(EngineError):
    """The named object does not exist."""


class Conflict(EngineError):
    """The present state of the object forbids it."""


class NotModified(EngineError):
    """The object is in the wanted state already."""


class NotImplementedHere(EngineError):
    """This engine, or this host, does not offer that."""


class Unavailable(EngineError):
    """A part that the call needs is absent now."""


class Internal(EngineError):
    """The engine's own fault."""


class BuildFailed(EngineError):
    """A step of a build did not end well: its own doing, or that of what it was given."""


class Cancelled(EngineError):
    """The caller went away; nobody reads the answer."""


class ContainerNotFound(NotFound):
    def __init__(self, ref: str) -> None:
        super().__init__(f"No such container: {ref}")
        self.ref = ref


class ContainerFileNotFound(NotFound):
    """`path` and `ref` as the client wrote them."""

    def __init__(self, path: str, ref: str) -> None:
        super().__init__(f"Could not find the file {path} in container {ref}")
        self.path = path
        self.ref = ref


class ImageNotFound(NotFound):
    """`ref` is the familiar form with its tag (`alpine:latest`)."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such image: {ref}")
        self.ref = ref


class NetworkNotFound(NotFound):
    def __init__(self, ref: str) -> None:
        super().__init__(f"network {ref} not found")
        self.ref = ref


class VolumeNotFound(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"get {name}: no such volume")
        self.name = name


class ExecNotFound(NotFound):
    def __init__(self, ref: str) -> None:
        super().__init__(f"No such exec instance: {ref}")
        self.ref = ref


class NameInUse(Conflict):
    """`name` without its slash; `holder` is the full id of the container that has it."""

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(
            f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
        self.name = name
        self.holder = holder


class StartFailed(EngineError):
    """A container's process could not be started.

    Carries the exit code that the container keeps (126 not executable, 127 not found, 128 anything else).  The first two are the
    caller's fault (400), the last the engine's (500); `api/errors.py` looks at `exit_code`.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class PullDenied(NotFound):
    """`reason` is the registry's, as `denied: …`.  `repository` is the familiar name.

    # Docker: a repository that is not there and one that may not be seen are told alike, by registries and by dockerd.
    """

    def __init__(self, repository: str, reason: str) -> None:
        super().__init__(
            f"pull access denied for {repository}, repository does not exist or may require 'docker login': {reason}"
        )
        self.repository = repository


class ManifestNotFound(NotFound):
    """`ref` is the familiar form with its tag or digest."""

    def __init__(self, ref: str, reason: str = "manifest unknown: manifest unknown") -> None:
        super().__init__(f"manifest for {ref} not found: {reason}")
        self.ref = ref


class RepositoryNotFound(NotFound):
    """`repository` is the familiar name."""

    def __init__(self, repository: str, reason: str = "name unknown: repository name not known to registry") -> None:
        super().__init__(f"repository {repository} not found: {reason}")
        self.repository = repository


class RegistryFailure(Internal):
    """What a registry, or the way to it, did not do, in words that name the host.

    `code` is the registry's own (`TOOMANYREQUESTS`, `UNSUPPORTED`, …), empty where it gave none; `status` that of its answer, 0 where
    there was none; `may_pass` says that the same call could succeed later.
    """

    def __init__(self, message: str, *, code: str = "", status: int = 0, may_pass: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.may_pass = may_pass


class TooManyRequests(RegistryFailure):
    """The registry wants fewer requests, from this address or this account."""
