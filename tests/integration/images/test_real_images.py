"""Images of many kinds, loaded into a real engine and pulled from a real registry: what a container of each shows, path by path.

The measure is a model of the image specification; `./wharf images` compares with other engines, and adds a Debian.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.images import archive
from tests.realimages.kinds import KINDS, Kind, sparse, sparse_gnu
from tests.realimages.listing import differences
from tests.realimages.model import shown_by
from tests.realimages.peers import Peer
from tests.registries.daemon import free_port
from tests.registries.inside import registry_inside

pytestmark = pytest.mark.root
SMALL: dict[str, Callable[[], Kind]] = {
    **KINDS,
    "sparse": partial(sparse, 1 << 20),
    "sparse-gnu": partial(sparse_gnu, 1 << 20),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


def check(kind: Kind, peer: Peer, ref: str) -> None:
    assert differences(peer.export(ref), shown_by(kind.layers)) == []
    peer.run(ref, "true")


def stored(engine: Engine) -> list[str]:
    places = ("content/blobs/sha256", "content/ingest", "content/partial", "overlay2/layers", "overlay2/unpacking")
    return [name for place in places for name in os.listdir(engine.data_root / place)]


@pytest.mark.parametrize("name", SMALL)
def test_loaded(engine: Engine, name: str) -> None:
    kind, peer = SMALL[name](), Peer("own", engine.socket)
    peer.load(archive(kind.images()[0]))
    check(kind, peer, kind.ref)
    peer.remove(kind.ref)
    assert stored(engine) == []


@pytest.mark.parametrize("name", ["forty-layers", "attributes", "sparse", "compressions"])
def test_pushed_and_pulled(engine: Engine, tmp_path: Path, name: str) -> None:
    kind, peer, port = SMALL[name](), Peer("own", engine.socket), free_port()
    ref = f"127.0.0.1:{port}/real/{kind.name}:1"
    with registry_inside(engine.netns, tmp_path, port):
        peer.load(archive(kind.images()[0]))
        before = peer.inspect(kind.ref)["Id"]
        peer.tag(kind.ref, ref)
        assert peer.push(ref) == before
        for each in (ref, kind.ref):
            peer.remove(each)
        assert stored(engine) == []
        peer.pull(ref)
        assert peer.inspect(ref)["Id"] == before
        check(kind, peer, ref)
        peer.remove(ref)
        assert stored(engine) == []
