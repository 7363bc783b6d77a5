"""A real engine is killed in the middle of loading; what it leaves is what the next one can explain."""

import http.client
import os
import threading
import time
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.images import archive, image, layer
from tests.tars import entry

pytestmark = pytest.mark.root

LAYERS = [layer(*(entry(f"l{n}/d{m // 50}/f{m}", b"x" * 700) for m in range(600))) for n in range(3)]
ARCHIVE = archive(image("big:1", layers=LAYERS))


def stored(engine: Engine) -> dict[str, list[str]]:
    places = ("content/blobs/sha256", "content/ingest", "overlay2/layers", "overlay2/unpacking")
    return {place: sorted(os.listdir(engine.data_root / place)) for place in places}


def load_until_the_end(engine: Engine) -> None:
    try:
        engine.post("/images/load", ARCHIVE)
    except (OSError, http.client.HTTPException):
        return  # the engine died under us


def check(engine: Engine) -> bool:
    """Everything or nothing.  True for everything."""
    listed = engine.get("/images/json").json
    found = stored(engine)
    assert found["content/ingest"] == []
    if not listed:
        assert found["content/blobs/sha256"] == []
        assert found["overlay2/layers"] == []
        return False
    (doc,) = listed
    assert doc["RepoTags"] == ["big:1"]
    assert len(found["content/blobs/sha256"]) == len(LAYERS) + 2
    created = engine.post("/containers/create", {"Image": "big:1", "Cmd": ["/x"]})
    assert created.status == 201
    assert len(stored(engine)["overlay2/layers"]) == len(LAYERS)
    engine.delete(f"/containers/{created.json['Id']}")
    return True


def test_killed_while_it_loads(tmp_path: Path) -> None:
    with Engine(tmp_path / "e") as engine:
        began = time.monotonic()
        load_until_the_end(engine)
        whole_s = time.monotonic() - began
        assert check(engine)
        engine.delete("/images/big:1")
        for part in (0.2, 0.5, 0.8, 0.95):
            loading = threading.Thread(target=load_until_the_end, args=(engine,))
            loading.start()
            time.sleep(whole_s * part)
            engine.kill()
            loading.join()
            engine.start()
            if check(engine):
                engine.delete("/images/big:1")
            assert not check(engine)
