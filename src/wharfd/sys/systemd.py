"""What systemd says of the machine."""

import logging
import shutil

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
