"""Load images of many kinds into engines, export each, and tell where what they show differs from what the image says, path by path.

usage: ./wharf images [--engine NAME=SOCKET]… [--pull NAME=NETNS]… [--debian DIR] [KIND]…

An engine of this checkout is always among them.  `--pull` names the file of an engine's network namespace: the images are then also pulled
there, from a docker-registry on loopback to which this checkout's engine has pushed them; and what that engine pushes is pulled back,
digest for digest.  `--debian` adds a Debian made by debootstrap, kept in DIR.  Ends with 1 when anything differs.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.engine import Engine
from tests.images import archive
from tests.realimages.debian import debian
from tests.realimages.kinds import KINDS, Kind
from tests.realimages.listing import Listing, differences, without_own_attributes
from tests.realimages.model import shown_by
from tests.realimages.peers import Peer, Refused
from tests.registries.daemon import free_port
from tests.registries.inside import registry_inside

OWN = "own"
SHOWN = 8


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="wharf images", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", default=[], metavar="NAME=SOCKET")
    parser.add_argument("--pull", action="append", default=[], metavar="NAME=NETNS")
    parser.add_argument("--debian", default="", metavar="DIR")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    return parser.parse_args()


def main() -> int:
    args = arguments()
    kinds = [KINDS[name]() for name in args.kinds or ([] if args.debian else KINDS)]
    if args.debian:
        kinds.append(debian(Path(args.debian)))
    others = [Peer(*word.split("=", 1)) for word in args.engine]
    namespaces = dict(word.split("=", 1) for word in args.pull)
    with (
        tempfile.TemporaryDirectory(prefix="wharf-images-", dir="/var/tmp") as place,
        Engine(Path(place, "e")) as engine,
    ):
        own = Peer(OWN, engine.socket)
        report = Report()
        with contextlib.ExitStack() as stack:
            port = free_port()
            places = {OWN: engine.netns, **namespaces}
            for name in places if namespaces else ():
                # Both keep their blobs in one place: what is pushed to one can be pulled from the other.
                stack.enter_context(registry_inside(places[name], Path(place, "registry"), port))
            for kind in kinds:
                compare(kind, [own, *others], report)
                for peer in others:
                    if peer.name in namespaces and not kind.only_here:
                        exchange(kind, own, peer, f"127.0.0.1:{port}", report)
        return 1 if report.failed else 0


class Report:
    def __init__(self) -> None:
        self.failed = 0

    def say(self, kind: Kind, who: str, how: str, found: list[str], more: str = "") -> None:
        self.failed += bool(found)
        print(f"{kind.name:16} {who:24} {how:6} {f'{len(found)} differences' if found else 'the same':16} {more}")
        for line in found[:SHOWN]:
            print(f"    {line}")
        sys.stdout.flush()


def compare(kind: Kind, peers: list[Peer], report: Report) -> None:
    """Loaded from an archive."""
    wanted = shown_by(kind.layers)
    data = archive(*kind.images()[:1])
    for peer in peers:
        if kind.only_here and peer.name != OWN:
            continue  # dockerd refuses it
        with told(kind, peer.name, "load", report):
            seconds = peer.load(data)
            found = differences(comparable(peer.export(kind.ref), peer), comparable(wanted, peer))
            report.say(kind, peer.name, "load", found, f"{len(wanted)} paths, {seconds:.2f} s")
            peer.run(kind.ref, "true")
            if peer.name != OWN:
                peer.remove(kind.ref)


def exchange(kind: Kind, own: Peer, peer: Peer, registry: str, report: Report) -> None:
    """Pushed by us and pulled there; pushed from there and pulled by us."""
    wanted = shown_by(kind.layers)
    there, back = f"{registry}/real/{kind.name}:1", f"{registry}/real/{kind.name}:back"
    with told(kind, f"{OWN} → {peer.name}", "pull", report):
        own.tag(kind.ref, there)
        digest = own.push(there)
        report.say(kind, f"{OWN} → {peer.name}", "pull", pulled(peer, there, digest, wanted), digest)
        peer.tag(there, back)
        digest = peer.push(back)
        own.remove(there)
        report.say(kind, f"{peer.name} → {OWN}", "pull", pulled(own, back, digest, wanted), digest)
        own.remove(back)
        peer.remove(back)
        peer.remove(there)


def pulled(peer: Peer, ref: str, digest: str, wanted: Listing) -> list[str]:
    peer.pull(ref)
    names = [name.rpartition("@")[2] for name in peer.inspect(ref)["RepoDigests"]]
    lost = [] if digest in names else [f"digest {digest} is not among {names}"]
    peer.run(ref, "true")
    return lost + differences(comparable(peer.export(ref), peer), comparable(wanted, peer))


def comparable(found: Listing, peer: Peer) -> Listing:
    return found if peer.name == OWN else without_own_attributes(found)


@contextlib.contextmanager
def told(kind: Kind, who: str, how: str, report: Report) -> Iterator[None]:
    try:
        yield
    except Refused as e:
        report.say(kind, who, how, [str(e)])


if __name__ == "__main__":
    sys.exit(main())
