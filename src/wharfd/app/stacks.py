"""What the engine is doing right now, written to a file on SIGUSR1.

Docker: dockerd writes its goroutines to a file on the same signal (dockerd's manual, "Traverse the stack").
"""

import asyncio
import logging
import sys
import threading
import traceback
from pathlib import Path

log = logging.getLogger(__name__)


def dump(path: Path) -> None:
    """Every task and thread with its stack; the file is replaced."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    with open(path, "w", encoding="utf-8") as out:
        for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
            out.write(f"task {task.get_name()}\n")
            task.print_stack(file=out)
        for ident, frame in sys._current_frames().items():
            out.write(f"thread {names.get(ident, ident)}\n")
            traceback.print_stack(frame, file=out)
    log.info("SIGUSR1: stacks written to %s", path)
