"""Which handler answers a request: by method, path and API version.

Patterns are paths in which `{id}` stands for one segment and `{name:.*}` for one or more (image names have slashes).  Fixed words win
over `{id}`, and that over `{name:.*}`.  Every route is served bare (the newest version) and under `/v1.40`.

    GET /containers/json            fixed
    GET /containers/{id}/json       one segment
    GET /images/{name:.*}/json      greedy

Docker: an unknown path, a wrong method and a route newer than the version asked for all give 404 `page not found`; so does HEAD where
only GET is registered.  OPTIONS is answered for any path.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from wharfd.api.transport import Outcome, Request, Response
from wharfd.api.versions.version import MAX, MIN, Version
from wharfd.model.errors import InvalidParameter, NotFound, NotImplementedHere

RouteHandler = Callable[[Request], Outcome | Awaitable[Outcome]]

_PLACEHOLDER = re.compile(r"\{([a-z_]+)(:\.\*)?\}")
_VERSION_PREFIX = re.compile(r"/v([0-9.]+)(/.*)", re.DOTALL)
_CACHED = 2048
_NO_PARAMS: Mapping[str, str] = MappingProxyType({})
_OPTIONS = Response(200)


class NotBuilt:
    """The handler of a route that is known but not carried out yet: 501."""

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, request: Request) -> Outcome:
        raise NotImplementedHere(self.message)


def not_built(what: str) -> NotBuilt:
    """`what` completes the sentence "… is not implemented", e.g. "exporting a container"."""
    return NotBuilt(f"{what} is not implemented by this engine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`since` and `until` are the first and the last API version that has it (`until` None: still there).

    `cancel_on_disconnect`: the work ends when the client goes away; else it is carried through (stop, kill, remove, start).
    `undocumented`: served by dockerd, though not in the API's documents.
    """

    method: str
    pattern: str
    handler: RouteHandler
    name: str
    since: str = str(MIN)
    until: str | None = None
    cancel_on_disconnect: bool = False
    undocumented: bool = False

    @property
    def built(self) -> bool:
        return not isinstance(self.handler, NotBuilt)


@dataclass(frozen=True, slots=True)
class Entry:
    """A route made ready for matching."""

    route: Route
    since: Version
    until: Version | None
    regex: re.Pattern[str] | None  # None: a fixed path
    rank: tuple[int, int]  # fewer greedy names first, then more fixed words

    def serves(self, version: Version) -> bool:
        return self.since <= version and (self.until is None or version <= self.until)


def compile_route(route: Route) -> Entry:
    """Raises ValueError for a pattern that the look-up cannot serve."""
    if not route.pattern.startswith("/") or route.pattern.startswith("/{"):
        raise ValueError(f"a pattern begins with a fixed word: {route.pattern}")
    placeholders = _PLACEHOLDER.findall(route.pattern)
    regex = None
    if placeholders:
        pieces, at = [], 0
        for found in _PLACEHOLDER.finditer(route.pattern):
            pieces.append(re.escape(route.pattern[at : found.start()]))
            pieces.append(f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})")
            at = found.end()
        regex = re.compile("".join(pieces) + re.escape(route.pattern[at:]), re.DOTALL)
    elif "{" in route.pattern:
        raise ValueError(f"malformed pattern: {route.pattern}")
    greedy = sum(1 for _, star in placeholders if star)
    words = route.pattern.count("/") - len(placeholders)
    until = None if route.until is None else Version.parse(route.until)
    return Entry(route, Version.parse(route.since), until, regex, (greedy, -words))


class RouteTable:
    """All routes, in the order given; also the source of docs/status.md (`for route in table`, `route.built`)."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._fixed: dict[tuple[str, str], list[Entry]] = {}
        self._patterns: dict[
            tuple[str, str, str | None], list[Entry]
        ] = {}  # method, first word, last word (None: a name)
        names: set[str] = set()
        for route in self.routes:
            if route.name in names:
                raise ValueError(f"two routes are named {route.name}")
            names.add(route.name)
            self._add(compile_route(route))
        for entries in self._patterns.values():
            entries.sort(key=lambda entry: entry.rank)

    def _add(self, entry: Entry) -> None:
        method, pattern = entry.route.method, entry.route.pattern
        if entry.regex is None:
            self._fixed.setdefault((method, pattern), []).append(entry)
            return
        words = pattern.split("/")
        last = None if "{" in words[-1] else words[-1]
        self._patterns.setdefault((method, words[1], last), []).append(entry)

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)

    def __len__(self) -> int:
        return len(self.routes)

    def candidates(self, method: str, path: str) -> Iterator[tuple[Entry, Mapping[str, str]]]:
        """Entries that match the path (without version prefix), best first, whatever the version."""
        for entry in self._fixed.get((method, path), ()):
            yield entry, _NO_PARAMS
        if not path.startswith("/"):
            return  # the asterisk form
        first = path.split("/", 2)[1]
        last = path.rsplit("/", 1)[1]
        for key in ((method, first, last), (method, first, None)):
            for entry in self._patterns.get(key, ()):
                assert entry.regex is not None
                found = entry.regex.fullmatch(path)
                if found is not None:
                    yield entry, found.groupdict()


@dataclass(frozen=True, slots=True)
class Match:
    route: Route
    params: Mapping[str, str]
    version: Version
    path: str


class Router:
    """The server's handler: sets `params`, `version` and `cancel_on_disconnect` on the request and calls the route's handler.

    Raises (to the server, which asks `errors.error_response`): NotFound, InvalidParameter for versions out of range, and what
    handlers raise.
    """

    def __init__(self, table: RouteTable, *, min_version: Version = MIN, max_version: Version = MAX) -> None:
        self.table = table
        self.min_version = min_version
        self.max_version = max_version
        self._cache: dict[tuple[str, str], Match] = {}

    def __call__(self, request: Request) -> Outcome | Awaitable[Outcome]:
        found = self._cache.get((request.method, request.path))
        if found is None:
            found = self._find(request)
        route = found.route
        request.path = found.path
        request.params = found.params
        request.version = found.version
        request.cancel_on_disconnect = route.cancel_on_disconnect
        return route.handler(request)

    def _find(self, request: Request) -> Match:
        method, path = request.method, request.path
        text, rest = split_version(path)
        version = self.max_version if text is None else parse_version(text)
        candidates = [(OPTIONS, _NO_PARAMS)] if method == "OPTIONS" else list(self.table.candidates(method, rest))
        if not candidates:
            raise NotFound("page not found")
        if text is not None:
            request.version = version
            self._refuse_version(text, version)
        for entry, params in candidates:
            if entry.serves(version):
                match = Match(entry.route, params, version, rest)
                if len(self._cache) >= _CACHED:
                    self._cache.clear()
                self._cache[method, path] = match
                return match
        raise NotFound("page not found")

    def _refuse_version(self, text: str, version: Version) -> None:
        # Docker: clients match on these texts.
        if version < self.min_version:
            raise InvalidParameter(
                f"client version {text} is too old. Minimum supported API version is {self.min_version}, "
                "please upgrade your client to a newer version"
            )
        if version > self.max_version:
            raise InvalidParameter(
                f"client version {text} is too new. Maximum supported API version is {self.max_version}"
            )


def split_version(path: str) -> tuple[str | None, str]:
    """The version's text and the path behind it; None and the whole path if there is no prefix."""
    found = _VERSION_PREFIX.fullmatch(path)
    return (None, path) if found is None else (found[1], found[2])


def parse_version(text: str) -> Version:
    """What is made of digits and dots but no version counts as 0 or as huge, so that the answer is "too old" or "too new"."""
    try:
        return Version.parse(text)
    except ValueError:
        major = text.split(".", maxsplit=1)[0]
        return Version(9999 if len(major) > 4 else 0, 0)


def answer_options(request: Request) -> Outcome:
    return _OPTIONS


OPTIONS = Entry(
    Route(method="OPTIONS", pattern="/", handler=answer_options, name="options", undocumented=True),
    since=Version(0, 0),
    until=None,
    regex=None,
    rank=(0, 0),
)
