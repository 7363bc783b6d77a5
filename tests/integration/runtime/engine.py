"""An engine to be killed: launches one container, prints what it got, and waits for its end (never of its own accord).

python -m tests.integration.runtime.engine DIRECTORY RUNTIME COMMAND
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.integration.runtime.lab import Lab, host_facts


async def main(directory: str, runtime: str, command: str) -> None:
    root = Path(directory)
    runtime, _, way = runtime.partition(":")
    options: dict[str, Any] = {"joins_cgroups": way != "apart"}
    if runtime == "slow":
        options["runtimes"] = {"slow": str(root / "slow")}
    lab = Lab(root, str(root / "rootfs"), Lab.make_driver(root, **options), runtime, host_facts())
    await lab.driver.open(lab.on_exit)
    record = lab.record(command)
    print(json.dumps({"id": record.id}), flush=True)
    launched = await lab.driver.create(lab.launch(record))
    if command != "stay created":
        await lab.driver.start(record.id)
    print(json.dumps({"pid": launched.pid, "start": launched.pid_start, "monitor": launched.monitor_pid}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
