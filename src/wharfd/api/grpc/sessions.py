"""Sessions: connections on which the client is the server.  Known by the id that it gives in the head of its request.

Builds name their session; it may come a little after the build that needs it, and goes when the client goes.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wharfd.api.grpc.rpc import RpcConnection
from wharfd.model.errors import Unavailable

WAIT_S = 5.0  # for a session that is not there yet
ID = "x-docker-expose-session-uuid"
NAME = "x-docker-expose-session-name"
SHARED_KEY = "x-docker-expose-session-sharedkey"
METHOD = "x-docker-expose-session-grpc-method"


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """`shared_key` names the client's directory over several builds; `methods` in lower case."""

    id: str
    connection: RpcConnection
    shared_key: str = ""
    methods: frozenset[str] = frozenset()

    def offers(self, path: str) -> bool:
        return path.lower() in self.methods


class Sessions:
    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._waiters: dict[str, set[asyncio.Future[Session]]] = {}

    def add(self, session: Session) -> None:
        """Docker: a session of the same id takes the place of an older one; one without an id is found by nobody."""
        self._sessions[session.id] = session
        for waiter in self._waiters.pop(session.id, ()):
            if not waiter.done():
                waiter.set_result(session)

    def remove(self, session: Session) -> None:
        if self._sessions.get(session.id) is session:
            del self._sessions[session.id]

    async def get(self, session_id: str, wait_s: float = WAIT_S) -> Session:
        """Raises Unavailable."""
        session = self._sessions.get(session_id)
        if session is not None and session_id:
            return session
        waiter: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(session_id, set())
        waiters.add(waiter)
        try:
            async with asyncio.timeout(wait_s):
                return await waiter
        except TimeoutError as e:
            raise Unavailable(f"no active session for {session_id}: context deadline exceeded") from e
        finally:
            waiters.discard(waiter)
            if not waiters and self._waiters.get(session_id) is waiters:
                del self._waiters[session_id]


def open_session(headers: Mapping[str, Sequence[str]], connection: RpcConnection) -> Session:
    """Of a request's headers, or of a call's metadata (names in lower case)."""
    return Session(
        id="".join(headers.get(ID, ())[:1]),
        connection=connection,
        shared_key="".join(headers.get(SHARED_KEY, ())[:1]),
        methods=frozenset(method.lower() for method in headers.get(METHOD, ())),
    )
