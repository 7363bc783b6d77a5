"""Swarm mode, as an engine that is in no swarm answers: 503 with the text that clients know."""

from collections.abc import Sequence

from wharfd.api.router import Route
from wharfd.api.transport import Request, Response
from wharfd.model.errors import Unavailable

NO_MANAGER = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
NO_MEMBER = "This node is not part of a swarm"
NO_SWARM = "swarm mode is not offered by this engine"


def refuse(text: str) -> "Refusal":
    return Refusal(text)


class Refusal:
    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, request: Request) -> Response:
        raise Unavailable(self.text)


# name, method, pattern, since, text
TABLE = [
    ("swarm.inspect", "GET", "/swarm", "1.24", NO_MANAGER),
    ("swarm.init", "POST", "/swarm/init", "1.24", NO_SWARM),
    ("swarm.join", "POST", "/swarm/join", "1.24", NO_SWARM),
    ("swarm.leave", "POST", "/swarm/leave", "1.24", NO_MEMBER),
    ("swarm.update", "POST", "/swarm/update", "1.24", NO_MANAGER),
    ("swarm.unlockkey", "GET", "/swarm/unlockkey", "1.25", NO_MANAGER),
    ("swarm.unlock", "POST", "/swarm/unlock", "1.25", NO_MEMBER),
    ("nodes.list", "GET", "/nodes", "1.24", NO_MANAGER),
    ("nodes.inspect", "GET", "/nodes/{id}", "1.24", NO_MANAGER),
    ("nodes.delete", "DELETE", "/nodes/{id}", "1.24", NO_MANAGER),
    ("nodes.update", "POST", "/nodes/{id}/update", "1.24", NO_MANAGER),
    ("services.list", "GET", "/services", "1.24", NO_MANAGER),
    ("services.create", "POST", "/services/create", "1.24", NO_MANAGER),
    ("services.inspect", "GET", "/services/{id}", "1.24", NO_MANAGER),
    ("services.delete", "DELETE", "/services/{id}", "1.24", NO_MANAGER),
    ("services.update", "POST", "/services/{id}/update", "1.24", NO_MANAGER),
    ("services.logs", "GET", "/services/{id}/logs", "1.25", NO_MANAGER),
    ("tasks.list", "GET", "/tasks", "1.24", NO_MANAGER),
    ("tasks.inspect", "GET", "/tasks/{id}", "1.24", NO_MANAGER),
    ("tasks.logs", "GET", "/tasks/{id}/logs", "1.29", NO_MANAGER),
    ("secrets.list", "GET", "/secrets", "1.25", NO_MANAGER),
    ("secrets.create", "POST", "/secrets/create", "1.25", NO_MANAGER),
    ("secrets.inspect", "GET", "/secrets/{id}", "1.25", NO_MANAGER),
    ("secrets.delete", "DELETE", "/secrets/{id}", "1.25", NO_MANAGER),
    ("secrets.update", "POST", "/secrets/{id}/update", "1.26", NO_MANAGER),
    ("configs.list", "GET", "/configs", "1.30", NO_MANAGER),
    ("configs.create", "POST", "/configs/create", "1.30", NO_MANAGER),
    ("configs.inspect", "GET", "/configs/{id}", "1.30", NO_MANAGER),
    ("configs.delete", "DELETE", "/configs/{id}", "1.30", NO_MANAGER),
    ("configs.update", "POST", "/configs/{id}/update", "1.30", NO_MANAGER),
    ("volumes.update", "PUT", "/volumes/{name}", "1.42", NO_MANAGER),
]


def swarm_routes() -> Sequence[Route]:
    return [
        Route(method=method, pattern=pattern, handler=refuse(text), name=name, since=since)
        for name, method, pattern, since, text in TABLE
    ]
