"""The engine under test, as one run of scenarios sees it: how to reach it, what the run calls its own there, and how that is removed.

Whatever a run makes can be told from what others have: names begin with the run's prefix (`@web` in a scenario), and containers carry a
label that they inherit from the run's base image (`IMAGE` in a scenario).  Nothing else is ever removed.
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from conformance.debian import debian_image
from conformance.images import base_image
from tests.engine import call

LABEL = "conformance.run"
_NAME = re.compile(r"(?<![\w@])@([a-z][a-z0-9_.-]*)")
_IMAGE = re.compile(r"\b(IMAGE|REDIS|POSTGRES)\b")
_DIRECTORY = re.compile(r"\bDIR\b")
_PREFIX = re.compile(r"\bPREFIX\b")


@dataclass
class Target:
    name: str
    socket: str
    share: Path  # a directory that clients and engine see under the same path
    netns: str = ""  # file of the network namespace in which the engine's ports are reached; empty: this one
    api: str = ""  # version that clients are told to speak; empty: what they negotiate
    prefix: str = field(default_factory=lambda: f"cf{os.getpid()}-")
    info: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)  # by kind: images that are loaded for the whole run

    @property
    def image(self) -> str:
        return f"{self.prefix}busybox:1"

    @property
    def run_label(self) -> str:
        return f"{LABEL}={self.prefix}"

    def expand(self, text: str) -> str:
        """`@web` is the run's own "web" (its prefix: PREFIX), IMAGE its base image, DIR the scenario's directory.

        REDIS and POSTGRES are images of real programs.
        """
        text = _PREFIX.sub(self.prefix, text)
        text = _IMAGE.sub(lambda found: self.loaded(found[1].lower()), text)
        return _NAME.sub(rf"{self.prefix}\1", _DIRECTORY.sub(str(self.directory), text))

    def loaded(self, kind: str) -> str:
        """The name of an image of that kind, loaded at the first time that a scenario wants it."""
        if kind == "image":
            return self.image
        if kind not in self.kept:
            name = f"{self.prefix}{kind}:1"
            self.load(debian_image(kind, name))
            self.kept[kind] = name
        return self.kept[kind]

    @property
    def directory(self) -> Path:
        return self.share / self.prefix.rstrip("-")

    def request(
        self, method: str, path: str, body: Any = None, *, timeout: float = 60.0, **query: Any
    ) -> tuple[int, Any]:
        """Status and JSON; `body` bytes are sent as they are."""
        words = {key: value if isinstance(value, str) else json.dumps(value) for key, value in query.items()}
        target = quote(path) + (f"?{urlencode(words)}" if words else "")
        return call(self.socket, method, target, body, timeout=timeout)

    def prepare(self) -> None:
        """Load the base image.  RuntimeError when the engine does not take it."""
        self.info = self.request("GET", "/info")[1]
        self.load(base_image(self.image, {LABEL: self.prefix}))

    def load(self, archive: bytes) -> None:
        status, answer = self.request("POST", "/images/load", archive, timeout=300)
        if status != 200 or '"error' in str(answer):
            raise RuntimeError(f"{self.name} does not load an image: {status} {answer}")

    def clean(self) -> None:
        """Remove what the run has left, the base image excepted."""
        for container in self.request("GET", "/containers/json", all="1")[1]:
            names = [name.lstrip("/") for name in container["Names"] or []]
            labels = container.get("Labels") or {}
            if labels.get(LABEL) == self.prefix or any(name.startswith(self.prefix) for name in names):
                self.request("DELETE", f"/containers/{container['Id']}", force="1", v="1")
        for network in self.request("GET", "/networks")[1]:
            if network["Name"].startswith(self.prefix):
                for endpoint in self.request("GET", f"/networks/{network['Id']}")[1].get("Containers") or {}:
                    self.request(
                        "POST", f"/networks/{network['Id']}/disconnect", {"Container": endpoint, "Force": True}
                    )
                self.request("DELETE", f"/networks/{network['Id']}")
        for volume in self.request("GET", "/volumes")[1]["Volumes"] or []:
            if volume["Name"].startswith(self.prefix):
                self.request("DELETE", f"/volumes/{volume['Name']}", force="1")
        for image in self.request("GET", "/images/json")[1]:
            for tag in image["RepoTags"] or []:
                if tag.startswith(self.prefix) and tag not in (self.image, *self.kept.values()):
                    self.request("DELETE", f"/images/{tag}", force="1")
        self.request("POST", "/images/prune", filters={"dangling": ["true"], "label": [self.run_label]})

    def close(self) -> None:
        self.clean()
        for image in (self.image, *self.kept.values()):
            self.request("DELETE", f"/images/{image}", force="1")
