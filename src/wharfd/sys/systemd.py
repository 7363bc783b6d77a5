"""What systemd says of the machine, and what it is told of units."""

import logging
import shutil
from collections.abc import Sequence

from wharfd.sys.host import is_systemd_running
from wharfd.sys.spawn import run

log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0


async def is_machine_stopping() -> bool:
    """Whether it goes down or reboots; false where systemd does not run or does not answer."""
    program = shutil.which("systemctl")
    if program is None or not is_systemd_running():
        return False
    try:
        done = await run([program, "is-system-running"], timeout_s=_TIMEOUT_S)
    except (OSError, TimeoutError) as e:
        log.warning("systemd does not say whether the machine goes down: %s", e)
        return False
    return done.stdout.strip() == b"stopping"


async def set_properties(unit: str, words: Sequence[str]) -> None:
    """Until the unit ends; words as unit files have them ("TasksMax=20").  Nothing to be told: nothing is done.

    Raises:
        OSError: there is no systemctl, or systemd refuses.
        TimeoutError: it does not answer.
    """
    if not words:
        return
    done = await run(
        [shutil.which("systemctl") or "systemctl", "set-property", "--runtime", unit, *words], timeout_s=_TIMEOUT_S
    )
    if done.returncode != 0:
        raise OSError(done.stderr.decode(errors="replace").strip())
