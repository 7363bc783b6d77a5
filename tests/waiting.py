"""Waiting for what others bring about, where there is no hook to wait for."""

import asyncio
import os
from collections.abc import Callable

PATIENCE_S = 20.0 * float(os.environ.get("WHARF_TEST_PATIENCE", "1"))
LOOK_S = 0.002


async def until(condition: Callable[[], object]) -> None:
    """Lets the loop run until something is so; the test fails if it takes too long."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
