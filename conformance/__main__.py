"""Drive real clients against Docker-compatible sockets and tell where an engine does something else than dockerd.

usage: ./wharf conformance [--engine NAME=SOCKET]… [--client NAME]… [--area NAME]… [WORD]…

Without --engine an engine of this checkout is started in a directory and network namespace of its own (`--engine own` starts it beside
others).  WORDs choose scenarios by their names or files.  Ends with 1 when a scenario has failed.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conformance.clients import OPENERS, Programs, versions
from conformance.debian import RECIPES, make_layer
from conformance.differ.run import compared
from conformance.report import failures, left_out, score
from conformance.runner import Outcome, run_all
from conformance.scenario import load, select
from conformance.target import Target
from conformance.trees import compared_trees
from tests.engine import Engine

OWN = "own"
# Clients whose scenarios want images of real programs.
NEED_IMAGES = ("compose", "testcontainers", "testcontainers-node")
NEWEST = "1.51"  # that dockerd 28 speaks


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="wharf conformance", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", default=[], metavar="NAME=SOCKET")
    parser.add_argument("--netns", action="append", default=[], metavar="NAME=FILE", help="where its ports are reached")
    parser.add_argument("--client", action="append", default=[], choices=list(OPENERS))
    parser.add_argument("--area", action="append", default=[])
    parser.add_argument("--api", default="", metavar="VERSION", help="what clients are to speak, if they can be told")
    parser.add_argument("--docker", default="", metavar="PATH", help="the docker command line to use")
    parser.add_argument(
        "--share",
        default="/var/tmp",
        metavar="DIR",
        help="a directory that clients and engines see under the same path",
    )
    parser.add_argument("--flag", action="append", default=[], help="a flag for this checkout's engine")
    parser.add_argument(
        "--diff",
        action="append",
        default=[],
        metavar="NAME=SOCKET",
        help="no scenarios: the same calls to two sockets (this checkout's engine if only one is given) at --api, and how they differ",
    )
    parser.add_argument(
        "--trees",
        action="append",
        default=[],
        metavar="NAME=SOCKET",
        help="no scenarios: build the Dockerfiles in conformance/dockerfiles on two engines, and how the layers' files differ",
    )
    parser.add_argument("--values", action="store_true", help="with --diff: values, too, that ought to be the same")
    parser.add_argument("--list", action="store_true", help="only list the scenarios")
    parser.add_argument("--json", metavar="FILE", help="write every outcome there")
    parser.add_argument("--quiet", action="store_true", help="no line for each scenario")
    parser.add_argument("words", nargs="*", metavar="WORD")
    return parser.parse_args()


@contextlib.contextmanager
def targets(args: argparse.Namespace) -> Iterator[Iterator[Target]]:
    """The engines in the order asked for, each started only when its turn comes."""
    namespaces = dict(word.split("=", 1) for word in args.netns)
    with contextlib.ExitStack() as stack:

        def each() -> Iterator[Target]:
            for word in args.engine or [OWN]:
                if word == OWN:
                    place = stack.enter_context(tempfile.TemporaryDirectory(prefix="wharf-conf-", dir="/var/tmp"))
                    engine = stack.enter_context(Engine(Path(place), flags=args.flag))
                    yield Target("wharfd", engine.socket, Path(args.share), engine.netns, args.api)
                else:
                    name, _, socket = word.rpartition("=")
                    name = name or Path(socket).stem
                    yield Target(name, socket, Path(args.share), namespaces.get(name, ""), args.api)

        yield each()


def diff(args: argparse.Namespace) -> int:
    args.engine = args.diff if len(args.diff) > 1 else [OWN, *args.diff]
    with targets(args) as engines:
        one, other = engines
        print(f"{one.name} / {other.name} at {args.api or NEWEST}\n")
        compared_calls = different = 0
        for call, found in compared(one, other, args.api or NEWEST, args.area, args.values):
            compared_calls += 1
            different += bool(found)
            if found:
                print(call + "".join(f"\n    {each}" for each in found))
    print(f"\n{compared_calls} calls, {different} of them answered differently")
    return 1 if different else 0


def trees(args: argparse.Namespace) -> int:
    args.engine = args.trees if len(args.trees) > 1 else [OWN, *args.trees]
    docker = Programs.find(args.docker, set()).docker
    count = different = 0
    with targets(args) as engines:
        one, other = engines
        print(f"{one.name} / {other.name}\n")
        for name, found in compared_trees(one, other, docker, args.words):
            count += 1
            different += bool(found)
            print(f"{name}: {'differs' if found else 'the same'}" + "".join(f"\n    {each}" for each in found))
    print(f"\n{count} images, {different} of them with other files")
    return 1 if different else 0


def main() -> int:
    args = arguments()
    if args.trees:
        return trees(args)
    if args.diff:
        return diff(args)
    chosen = select(load(), args.client, args.area, args.words)
    if args.list:
        for each in chosen:
            print(f"{each.title}  ({each.place})")
        print(f"{len(chosen)} scenarios")
        return 0
    programs = Programs.find(args.docker, {each.client for each in chosen})
    if any(each.client in NEED_IMAGES for each in chosen):
        for kind in RECIPES:  # now, since there may be no network where the engine lives
            make_layer(kind)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        if not args.quiet:
            sign = {"passed": "ok", "failed": "FAILED"}.get(outcome.verdict, outcome.verdict)
            line = f"{outcome.engine}: {sign} {outcome.client}/{outcome.area}: {outcome.name} ({outcome.seconds:.1f} s)"
            print(line, file=sys.stderr, flush=True)

    with targets(args) as engines:
        for target in engines:
            outcomes += run_all(target, chosen, programs, tell)
    if args.json:
        Path(args.json).write_text(json.dumps([each.to_json() for each in outcomes], indent=1))
    for part in (failures(outcomes), left_out(outcomes), score(outcomes)):
        if part:
            print(part + "\n")
    print(", ".join(f"{name} {version}" for name, version in versions(programs).items()))
    return 1 if any(each.verdict == "failed" for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
