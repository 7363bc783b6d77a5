"""An engine whose main program is `faulty_main`: it is told where to die, and says where it could."""

import http.client
import time
from collections.abc import Callable
from pathlib import Path

from tests.engine import PATIENCE, Answer, Engine
from tests.integration.engine.faulty_main import ORDERS_VARIABLE
from wharfd.testing.faults import CALLS_VARIABLE, Fault, read_calls

MAIN = str(Path(__file__).parent / "faulty_main.py")


def faulty_engine(directory: Path) -> Engine:
    orders = {ORDERS_VARIABLE: str(directory / "orders"), CALLS_VARIABLE: str(directory / "calls")}
    return Engine(directory, main=(MAIN,), environment=orders)


def order(engine: Engine, fault: Fault | None) -> None:
    """From the next call on."""
    text = f"{fault.point}:{fault.nth}:{fault.phase}" if fault else ""
    new = engine.directory / "orders.new"
    new.write_text(text)
    new.rename(engine.directory / "orders")


def is_dead(engine: Engine) -> bool:
    return engine.process is not None and engine.process.poll() is not None


def tried(call: Callable[[], Answer]) -> int:
    """Status; 0 if the engine died before it answered."""
    try:
        return call().status
    except (OSError, http.client.HTTPException):
        return 0


def all_calls(engine: Engine) -> list[Fault]:
    """When no more come."""
    path = engine.directory / "calls"
    size = -1
    while size != path.stat().st_size:
        size = path.stat().st_size
        time.sleep(0.3 * PATIENCE)
    return read_calls(str(path))
