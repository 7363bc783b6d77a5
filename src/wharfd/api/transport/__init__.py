"""HTTP/1.1 on UNIX sockets: a server, requests, answers, hijacked connections."""

from wharfd.api.transport.channel import ClientGone, PeerCredentials
from wharfd.api.transport.request import Handler, Outcome, Request
from wharfd.api.transport.response import Response, StreamResponse, json_response
from wharfd.api.transport.server import Server
from wharfd.api.transport.stream import HijackedStream, ResponseStream

__all__ = [
    "ClientGone",
    "Handler",
    "HijackedStream",
    "Outcome",
    "PeerCredentials",
    "Request",
    "Response",
    "ResponseStream",
    "Server",
    "StreamResponse",
    "json_response",
]
