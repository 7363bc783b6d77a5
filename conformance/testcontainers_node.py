"""testcontainers for Node.js as a client.  A scenario runs a program of its own, as a test run is one, and looks at what that gives back.

    @scenario("containers", "a port")
    def _(tests: NodeTests) -> None:
        same(tests('''
            const c = await new GenericContainer(image).withCommand(["sleep", "1000"]).start();
            return c.getId().length;
        '''), 64)

In scope: `image`, `redis` (names of images), `name(word)`, everything that testcontainers exports.
"""

import os
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.node import run_script
from conformance.scenario import scenario_of
from conformance.target import Target

CLIENT = "testcontainers-node"
scenario = scenario_of(CLIENT)
TIMEOUT_S = 120.0

FRAME = """
const { GenericContainer, Network, Wait } = require('testcontainers');
const http = require('http'), net = require('net');
const image = process.env.IMAGE_BASE, redis = process.env.IMAGE_REDIS;
const name = word => process.env.PREFIX + word;
const page = url => new Promise((done, failed) => http.get(url, answer => {
  let text = ''; answer.on('data', part => text += part); answer.on('end', () => done(text));
}).on('error', failed));
setInterval(() => {}, 1000);  // testcontainers lets Node.js end while it waits for a log
(async () => { {script}
})().then(value => { process.stdout.write(JSON.stringify(value === undefined ? null : value)); process.exit(0); },
          error => { process.stderr.write(String(error && error.stack || error)); process.exit(1); });
"""


@dataclass
class NodeTests:
    target: Target
    modules: Path
    home: Path
    steps: list[str] = field(default_factory=list)

    def __call__(self, script: str, *, reaper: bool = False) -> Any:
        """What the script returned.  With `reaper`, testcontainers starts a stand-in for Ryuk first."""
        script = textwrap.dedent(script)
        self.steps.append(script.strip())
        own = {
            "DOCKER_HOST": f"unix://{self.target.socket}",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),  # a lock of its own
            "NODE_PATH": str(self.modules),
            "PREFIX": self.target.prefix,
            "IMAGE_BASE": self.target.image,
            "IMAGE_REDIS": self.target.loaded("redis"),
            "RYUK_CONTAINER_IMAGE": self.target.loaded("ryuk") if reaper else "",
            "TESTCONTAINERS_RYUK_RECONNECTION_TIMEOUT": "2s",
            "TESTCONTAINERS_RYUK_DISABLED": "false" if reaper else "true",
        }
        return run_script(FRAME.replace("{script}", script), {**os.environ, **own}, TIMEOUT_S)
