"""A little HTTP server in the test's own loop, for what no real registry does on request."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.registries.certificates import Pair

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, *, tls: Pair | None = None, port: int = 0) -> AsyncIterator[str]:
    """Every request goes to `handler`.  Gives the URL, without a slash at its end."""
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
    await site.start()
    try:
        bound = runner.addresses[0][1]
        yield f"{'https' if tls is not None else 'http'}://127.0.0.1:{bound}"
    finally:
        await runner.cleanup()
