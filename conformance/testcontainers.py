"""testcontainers for Python as a client.  A scenario runs a program of its own, as a test run is one, and looks at what that gives back.

    @scenario("containers", "a port")
    def _(tests: Tests) -> None:
        same(tests('''
            with DockerContainer(image).with_command("sleep 1000") as c:
                give(c.get_wrapped_container().status)
        '''), ["running"])

In scope: `image`, `redis` and `postgres` (names of images), `name(word)`, `give(value)`; what was given comes back as a list.
"""

import contextlib
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.checks import Mismatch, brief
from conformance.docker_cli import Cli
from conformance.scenario import scenario_of
from conformance.target import Target

CLIENT = "testcontainers"
scenario = scenario_of(CLIENT)
TIMEOUT_S = 120.0

FRAME = """
import json, os, socket, time, warnings
warnings.simplefilter("ignore")
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage
from testcontainers.core.network import Network
from testcontainers.core.waiting_utils import wait_for_logs
image, redis, postgres = (os.environ[f"IMAGE_{kind}"] for kind in ("BASE", "REDIS", "POSTGRES"))
given = []
give = given.append
def name(word):
    return os.environ["PREFIX"] + word
{script}
print("GIVEN" + json.dumps(given))
"""


@dataclass
class Tests:
    target: Target
    home: Path
    docker: Cli | None  # for what needs the docker command line
    steps: list[str] = field(default_factory=list)

    def environment(self, reaper: bool) -> dict[str, str]:
        own = {
            "DOCKER_HOST": f"unix://{self.target.socket}",
            "HOME": str(self.home),
            "PREFIX": self.target.prefix,
            "IMAGE_BASE": self.target.image,
            "IMAGE_REDIS": self.target.loaded("redis"),
            "IMAGE_POSTGRES": self.target.loaded("postgres"),
            "RYUK_CONTAINER_IMAGE": self.target.loaded("ryuk") if reaper else "",
            "RYUK_RECONNECTION_TIMEOUT": "2s",
            "TESTCONTAINERS_RYUK_DISABLED": "false" if reaper else "true",
            "TC_POOLING_INTERVAL": "0.2",
        }
        path = {"PATH": os.environ["PATH"]}
        if self.docker is not None:
            path = {
                "PATH": f"{Path(self.docker.program).parent}:{os.environ['PATH']}",
                "DOCKER_CONFIG": str(self.docker.config),
            }
        return {**os.environ, **own, **path}

    def __call__(self, script: str, *, reaper: bool = False) -> list[Any]:
        """What the script gave.  With `reaper`, testcontainers starts a stand-in for Ryuk first."""
        script = textwrap.dedent(script)
        self.steps.append(script.strip())
        try:
            done = subprocess.run(
                [sys.executable, "-c", FRAME.replace("{script}", script)],
                capture_output=True,
                text=True,
                env=self.environment(reaper),
                timeout=TIMEOUT_S,
                check=False,
                cwd=self.target.directory,
            )
        except subprocess.TimeoutExpired as e:
            raise Mismatch(f"no end after {TIMEOUT_S:.0f} s: {brief(e.stderr)}") from None
        if done.returncode or "GIVEN" not in done.stdout:
            raise Mismatch(f"the script failed: {done.stderr.strip()[-900:]}")
        given: list[Any] = json.loads(done.stdout.rpartition("GIVEN")[2])
        return given


@contextlib.contextmanager
def open_tests(target: Target, docker: Cli | None, home: Path) -> Iterator[Tests]:
    yield Tests(target, home, docker)
