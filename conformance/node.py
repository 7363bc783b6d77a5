"""dockerode as a client, in Node.js.  A scenario runs a piece of JavaScript and looks at what it gives back as JSON.

    @scenario("containers", "a life")
    def _(node: Node) -> None:
        same(node("return (await docker.ping()).toString()"), "OK")

In scope: `docker` (a Dockerode), `image`, `name(word)`, `text(stream)` (a promise of everything that comes), `demuxed(stream)`
(a promise of {out, err}), `refusal(promise)` (a promise of [status, message]).
"""

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.checks import Mismatch, brief
from conformance.scenario import scenario_of
from conformance.target import Target

CLIENT = "dockerode"
scenario = scenario_of(CLIENT)
PACKAGES = Path(__file__).parent / "packages"
TIMEOUT_S = 60.0

FRAME = """
const Docker = require('dockerode');
const stream = require('stream');
const docker = new Docker({socketPath: process.env.SOCKET, version: process.env.API || undefined});
const image = process.env.IMAGE;
const name = word => process.env.PREFIX + word;
const collect = s => new Promise((done, failed) => {
  const parts = []; s.on('data', part => parts.push(part)); s.on('error', failed);
  const end = () => done(Buffer.concat(parts.map(part => Buffer.from(part))).toString());
  s.on('end', end); s.on('close', end);
});
const text = collect;
const demuxed = async s => {
  const out = new stream.PassThrough(), err = new stream.PassThrough();
  docker.modem.demuxStream(s, out, err);
  s.on('end', () => { out.end(); err.end(); }); s.on('close', () => { out.end(); err.end(); });
  const [o, e] = await Promise.all([collect(out), collect(err)]);
  return {out: o, err: e};
};
const refusal = async promise => { try { return ['no error', JSON.stringify(await promise)]; }
  catch (error) { return [error.statusCode, error.json ? error.json.message : String(error.reason || error)]; } };
const sleep = ms => new Promise(done => setTimeout(done, ms));
(async () => { %s
})().then(value => { process.stdout.write(JSON.stringify(value === undefined ? null : value)); process.exit(0); },
          error => { process.stderr.write(String(error && error.stack || error)); process.exit(1); });
"""


@dataclass
class Node:
    target: Target
    modules: Path
    steps: list[str] = field(default_factory=list)

    @property
    def image(self) -> str:
        return self.target.image

    def name(self, word: str) -> str:
        return f"{self.target.prefix}{word}"

    def __call__(self, script: str) -> Any:
        """What the script returns.  `@name` and IMAGE are not replaced: use name() and image."""
        self.steps.append(script.strip())
        own = {"SOCKET": self.target.socket, "API": self.target.api, "IMAGE": self.image, "PREFIX": self.target.prefix}
        return run_script(FRAME % script, {**os.environ, **own, "NODE_PATH": str(self.modules)}, TIMEOUT_S)


def run_script(program: str, environment: dict[str, str], timeout_s: float) -> Any:
    """What the program writes to its standard output, which is JSON."""
    try:
        done = subprocess.run(
            ["node", "-e", program],
            capture_output=True,
            text=True,
            env=environment,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise Mismatch(f"no end after {timeout_s:.0f} s: {brief(e.stderr)}") from None
    if done.returncode:
        raise Mismatch(f"the script failed: {brief(done.stderr, 800)}")
    return json.loads(done.stdout)


@contextlib.contextmanager
def open_node(target: Target, modules: Path) -> Iterator[Node]:
    yield Node(target, modules)


def install(package: str, place: Path) -> Path:
    """A package of `packages/` as locked; returns the directory of modules.  RuntimeError with npm's words when it cannot be had."""
    wanted = PACKAGES / package
    lock = (wanted / "package-lock.json").read_bytes()
    done_file = place / "installed"
    if not done_file.exists() or done_file.read_bytes() != lock:
        place.mkdir(parents=True, exist_ok=True)
        done_file.unlink(missing_ok=True)
        (place / "package.json").write_bytes((wanted / "package.json").read_bytes())
        (place / "package-lock.json").write_bytes(lock)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"npm ci: {(done.stderr or done.stdout).strip()[-400:]}")
        done_file.write_bytes(lock)
    return place / "node_modules"
