"""Run fuzz targets by random mutation: `python -m fuzz [TARGET …] [--seconds N] [--count N] [--seed N]`.

A target is a module of this package with `SEEDS: list[bytes]` and `fuzz_one(data: bytes) -> None`, which returns for good and for
refused input alike and raises for a fault.  The input that broke a target is printed; nothing is written.
"""

import argparse
import importlib
import pkgutil
import random
import sys
import time
import traceback
from collections.abc import Callable

import fuzz

INTERESTING = [0, 1, 0x7F, 0x80, 0xFF, 0x0A, 0x20, 0x22, 0x2E, 0x2F, 0x30, 0x39, 0x3A, 0x5C]


def mutate(rng: random.Random, seeds: list[bytes]) -> bytes:
    """One to eight random edits of a seed."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice([1, 1, 2, 3, 8])):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(8):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at % len(data)] = rng.choice(INTERESTING)
            case 2:
                data[at:at] = bytes([rng.choice(INTERESTING)]) * rng.choice([1, 1, 2, 40])
            case 3:
                del data[at : at + rng.choice([1, 2, 16])]
            case 4:
                del data[at:]
            case 5:
                other = rng.choice(seeds)
                start = rng.randrange(len(other) + 1)
                data[at:at] = other[start : start + rng.randrange(64)]
            case 6:
                end = at + rng.randrange(32)
                data[at:at] = data[at:end]
            case _:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(data[: 1 << 16])


def run(
    name: str, target: Callable[[bytes], None], seeds: list[bytes], rng: random.Random, seconds: float, count: int
) -> bool:
    """True if the target held."""
    begun = time.monotonic()
    done = 0
    inputs = iter(seeds)
    while done < count and time.monotonic() - begun < seconds:
        data = next(inputs, None)
        if data is None:
            data = mutate(rng, seeds)
        try:
            target(data)
        except Exception:
            traceback.print_exc()
            print(f"{name}: broken by {data!r}")
            return False
        done += 1
    print(f"{name}: {done} inputs in {time.monotonic() - begun:.1f} s")
    return True


def main() -> int:
    names = sorted(module.name for module in pkgutil.iter_modules(fuzz.__path__) if not module.name.startswith("__"))
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of: {', '.join(names)} (all)")
    parser.add_argument("--seconds", type=float, default=5.0, help="time for each target (5)")
    parser.add_argument("--count", type=int, default=1 << 62, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers; printed if not given")
    args = parser.parse_args()
    unknown = set(args.targets) - set(names)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    held = True
    for name in args.targets or names:
        module = importlib.import_module(f"fuzz.{name}")
        held = (
            run(name, module.fuzz_one, module.SEEDS, random.Random(f"{seed}:{name}"), args.seconds, args.count) and held
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
