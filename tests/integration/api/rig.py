"""Handlers behind the real router and server, on a socket of their own; the drivers are fakes."""

from collections.abc import Sequence
from pathlib import Path

from tests.integration.transport.rig import Rig
from wharfd.api.errors import error_response
from wharfd.api.router import Route, Router, RouteTable
from wharfd.api.transport import Server


class ApiRig(Rig):
    def __init__(self, path: Path, routes: Sequence[Route]) -> None:
        self.table = RouteTable(routes)
        super().__init__(path)

    def make_server(self, head_timeout_s: float = 60.0) -> Server:
        return Server(Router(self.table), error_response=error_response, head_timeout_s=head_timeout_s)
