"""Writes docs/status.md: what of the API works, from the route table; settings and fields without effect, from where the code lists them.

PYTHONPATH=src python scripts/status.py            # write it
PYTHONPATH=src python scripts/status.py --check    # fail if it is out of date
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

from wharfd.api.handlers.swarm import Refusal
from wharfd.api.router import OPTIONS, NotBuilt, Route, RouteTable
from wharfd.api.versions.version import MAX, MIN
from wharfd.app.engine import Engine
from wharfd.cli.config_file import WITHOUT_EFFECT
from wharfd.engine.containers.unserved import GAPS
from wharfd.model.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "status.md"
DOCUMENTS = ROOT / "tests" / "spec" / "documents.json"

# What a row should say besides "works".  By route name.
REMARKS = {
    "networks.create": "drivers bridge, macvlan, ipvlan",
    "build.build": "both builders: the classic one, and BuildKit's with `version=2`",
    "plugins.list": "always empty: there are no managed plugins",
    "images.create": "pull (`fromImage`) and import from the body (`fromSrc=-`); import from a URL is 501",
    "images.attestations": "those that are here; a pull does not bring them",
    "volumes.create": "driver `local`, and volume plugins; cluster volumes are 503",
}
NO_SWARM = "503: this engine is in no swarm"
NO_PLUGIN = "404: there are no plugins"

# A section's title and the first words of its paths.
SECTIONS = (
    ("Containers", ("containers",)),
    ("Exec", ("exec",)),
    ("Images and builds", ("images", "build", "commit", "session", "grpc", "distribution", "auth")),
    ("Networks", ("networks",)),
    ("Volumes", ("volumes",)),
    ("System", ("_ping", "version", "info", "events", "system", "")),
    ("Plugins", ("plugins",)),
    ("Swarm", ("swarm", "nodes", "services", "tasks", "secrets", "configs")),
)

INTRODUCTION = f"""\
# What works

Made by `scripts/status.py` from the route table; change that and run the script.

Every operation of the API's documents is served at the versions {MIN} to {MAX} from the version on that brought it. *works* means carried
out; *501* means known and not built yet: the answer says so, and nothing was done. What an engine without a swarm or without plugins
answers is answered as such an engine does.
"""


class NoDriver:
    """Stands where drivers would: routes can be listed without a machine to work on."""

    def __getattr__(self, name: str) -> Self:
        return self

    def __call__(self, *args: object, **kwargs: object) -> Self:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(())


def table() -> RouteTable:
    return Engine(Settings(), cast(Any, NoDriver())).routes(MIN)


def documented() -> set[tuple[str, str]]:
    """(method, path) of the newest document."""
    newest = json.loads(DOCUMENTS.read_text(encoding="utf-8"))["versions"][str(MAX)]
    return {(method.upper(), path) for path, methods in newest["paths"].items() for method in methods}


def status(route: Route) -> str:
    handler = route.handler
    if isinstance(handler, NotBuilt):
        return f"501: {handler.message.removesuffix(' is not implemented by this engine')}"
    if isinstance(handler, Refusal):
        return NO_SWARM
    if route.name.startswith("plugins.") and route.name != "plugins.list":
        return NO_PLUGIN
    remark = REMARKS.get(route.name)
    return f"works ({remark})" if remark else "works"


def shown(pattern: str) -> str:
    return pattern.replace(":.*}", "}")


def section_of(route: Route) -> str:
    first = "exec" if route.pattern.endswith("/exec") else route.pattern.split("/")[1]
    return next(title for title, words in SECTIONS if first in words)


def rows(routes: list[Route]) -> list[str]:
    lines = ["| operation | since | |", "|---|---|---|"]
    for route in sorted(routes, key=lambda each: (shown(each.pattern), each.method)):
        mark = " (not in the documents)" if route.undocumented else ""
        lines.append(f"| {route.method} {shown(route.pattern)}{mark} | {route.since} | {status(route)} |")
    return lines


def sections(routes: RouteTable) -> list[str]:
    lines: list[str] = []
    everything = [*routes, OPTIONS.route]
    for title, _ in SECTIONS:
        lines += [f"\n## {title}\n", *rows([route for route in everything if section_of(route) == title])]
    return lines


def summary(routes: RouteTable) -> str:
    counts = Counter(status(route).split(" ")[0].rstrip(":") for route in routes if not route.undocumented)
    answers = {"works": "work", "501": "are 501", "503": "are 503 (swarm)", "404": "are 404 (plugins)"}
    parts = ", ".join(f"{counts[key]} {words}" for key, words in answers.items() if counts[key])
    others = sum(1 for route in routes if route.undocumented) + 1
    return f"Of the {sum(counts.values())} documented operations {parts}. {others} more are served, though no document has them."


def gaps() -> list[str]:
    return ["| field | why |", "|---|---|", *(f"| {gap.field} | {gap.what} |" for gap in GAPS)]


def page() -> str:
    routes = table()
    parts = [
        INTRODUCTION,
        summary(routes),
        *sections(routes),
        "\n## Fields of a create request without effect\n",
        "They are kept, and shown by inspect; the answer to the request has a warning for each that was asked for.\n",
        *gaps(),
        "\n## Keys of daemon.json without effect\n",
        "A file that has them is taken as it is; the log names each at start. Any other key that dockerd does not know is an error.\n",
        ", ".join(f"`{key}`" for key in sorted(WITHOUT_EFFECT)) + ".",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
