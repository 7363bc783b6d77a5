"""Measure this engine and every other Docker socket that is given, interleaved in one run.

usage: ./wharf bench [--engine NAME=SOCKET]… [--netns NAME=FILE]… [--only MEASURE]… [--rounds N] [--quick] [--flag FLAG]…

This engine is started in a directory and network namespace of its own.  `--netns` names the file of the network namespace in which an
engine lives; without it its memory is not measured, nor what happens to images, which needs a registry there.  The floor (conmon and the
OCI runtime without an engine) is measured in the same run.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench.floor import floor
from bench.images import images
from bench.measures import MEASURES, Figures, Target
from bench.networks import NETWORK_MEASURES
from bench.streams import STREAM_MEASURES
from bench.table import Rounds, machine, render
from tests.engine import Engine
from wharfd.cli.base_image import base_image_archive

ALL = {**MEASURES, **STREAM_MEASURES, **NETWORK_MEASURES, "images": images}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="wharf bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", default=[], metavar="NAME=SOCKET")
    parser.add_argument("--netns", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--only", action="append", default=[], choices=[*ALL, "floor"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round with few repetitions, to see that it works")
    parser.add_argument("--flag", action="append", default=[], help="a flag for this engine")
    parser.add_argument("--json", metavar="FILE", help="write every round's figures there")
    args = parser.parse_args()
    namespaces = dict(word.split("=", 1) for word in args.netns)
    rounds: Rounds = {}
    with tempfile.TemporaryDirectory(prefix="wharf-bench-", dir="/var/tmp") as directory:  # noqa: SIM117
        with Engine(Path(directory), flags=args.flag) as engine:
            targets = [Target("wharfd", engine.socket, engine.netns)]
            for word in args.engine:
                name, socket = word.split("=", 1)
                targets.append(Target(name, socket, namespaces.get(name, "")))
            archive = base_image_archive()
            for target in targets:
                with target.connect() as c:
                    status, answer = c.request("POST", "/images/load", archive)
                    if status != 200 or b'"error"' in answer:
                        print(f"{target.name}: cannot load the image: {status} {answer[:300]!r}", file=sys.stderr)
                        return 1
            for number in range(1 if args.quick else args.rounds):
                for name, measure in ALL.items():
                    if args.only and name not in args.only:
                        continue
                    for target in targets:
                        print(f"round {number + 1}: {name} of {target.name}", file=sys.stderr, flush=True)
                        note(rounds, target.name, measure(target, args.quick))
                if not args.only or "floor" in args.only:
                    print(f"round {number + 1}: floor", file=sys.stderr, flush=True)
                    note(rounds, "floor", floor(5 if args.quick else 20))
    print(machine() + "\n")
    print(render(rounds))
    if args.json:
        Path(args.json).write_text(json.dumps(rounds, indent=1))
    return 0


def note(rounds: Rounds, engine: str, figures: Figures) -> None:
    for name, value in figures.items():
        rounds.setdefault(engine, {}).setdefault(name, []).append(value)


if __name__ == "__main__":
    sys.exit(main())
