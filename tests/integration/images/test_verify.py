"""`wharfd verify` beside a running engine, after its end, and on a store in which something was changed by hand."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import BASE_IMAGE, ROOT, Engine
from tests.images import archive, image, layer
from tests.tars import entry
from wharfd.app.verify.check import Finding, Kind, check

pytestmark = pytest.mark.root
HEX = "0" * 64


def verify(engine: Engine, *flags: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "wharfd", "verify", f"--data-root={engine.data_root}", f"--config-file={engine.config_file()}", *flags],
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        engine.load_base_image()
        engine.post("/images/load", archive(image("other:1", layers=[layer(), layer(entry("f", b"x"))]), oci=True))
        engine.create("true", name="never-started")
        engine.wait(engine.run("true", Volumes={"/data": {}}))
        yield engine


@pytest.fixture(scope="module")
def stopped(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of its data root, as a kill leaves it."""
    engine.kill()
    copy = tmp_path_factory.mktemp("copy") / "data"
    shutil.copytree(engine.data_root, copy, symlinks=True)
    engine.start()
    return copy


def test_a_store_in_use(engine: Engine) -> None:
    for flags in ([], ["--digests"]):
        code, text = verify(engine, *flags)
        assert (code, text.count("\n")) == (0, 1), text
        assert text.startswith("2 images, 2 containers, 1 volumes"), text


def test_what_is_fresh_beside_an_engine_may_be_its_work(engine: Engine) -> None:
    stray = engine.data_root / "content/blobs/sha256" / HEX
    stray.write_bytes(b"")
    code, text = verify(engine)
    assert (code, f"in work    blob sha256:{HEX}" in text) == (0, True), text
    long_ago = 1_000_000_000
    os.utime(stray, (long_ago, long_ago))
    stray.unlink()


def test_there_is_no_store(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wharfd", "verify", f"--data-root={tmp_path}"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, f"wharfd: there is no record store {tmp_path}/records.db\n")
    assert os.listdir(tmp_path) == []


def test_a_store_that_was_killed(stopped: Path) -> None:
    assert check(str(stopped), digests=True).findings == []


def first(place: Path, *, size_above: int = 0) -> Path:
    return next(each for each in sorted(place.iterdir()) if each.stat().st_size > size_above)


def spoil_bytes(root: Path) -> None:
    victim = first(root / "content/blobs/sha256", size_above=100_000)
    data = bytearray(victim.read_bytes())
    data[5000] ^= 1
    victim.write_bytes(data)


def cut_blob(root: Path) -> None:
    victim = first(root / "content/blobs/sha256", size_above=100_000)
    os.truncate(victim, 5000)


def make(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).mkdir(parents=True)


def write(name: str) -> Callable[[Path], None]:
    def written(root: Path) -> None:
        (root / name).write_bytes(b"abc")

    return written


def mark_whole(root: Path) -> None:
    """As a pull leaves it that ended before its image was recorded."""
    name = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    write(f"content/partial/{name}")(root)
    os.link(root / "content/partial" / name, root / "content/blobs/sha256" / name)


def remove(pattern: str) -> Callable[[Path], None]:
    def removed(root: Path) -> None:
        victim = sorted(root.glob(pattern))[0]
        shutil.rmtree(victim) if victim.is_dir() else victim.unlink()

    return removed


SPOILT: dict[str, tuple[Callable[[Path], None], Kind, str]] = {
    "a blob is gone": (remove("content/blobs/sha256/*"), Kind.MISSING, "blob"),
    "a blob is cut": (cut_blob, Kind.DAMAGED, "blob"),
    "a bit of a blob has changed": (spoil_bytes, Kind.DAMAGED, "blob"),
    "a container's directory is gone": (remove("containers/*"), Kind.MISSING, "directory"),
    "a container's root is gone": (remove("overlay2/containers/*"), Kind.MISSING, "root file system"),
    "a volume is gone": (remove("volumes/[0-9a-f]*"), Kind.MISSING, "volume"),
    "a layer's files are gone": (remove("overlay2/layers/*/diff"), Kind.DAMAGED, "layer"),
    "a stray blob": (write(f"content/blobs/sha256/{HEX}"), Kind.UNLISTED, "blob"),
    "a stray layer": (make(f"overlay2/layers/{HEX}"), Kind.UNLISTED, "layer"),
    "a stray root": (make(f"overlay2/containers/{HEX}"), Kind.UNLISTED, "root file system"),
    "a stray directory": (make(f"containers/{HEX}"), Kind.UNLISTED, "directory"),
    "a stray volume": (make("volumes/stray/_data"), Kind.UNLISTED, "volume"),
    "a stray build context": (make("build/trees/stray"), Kind.UNLISTED, "build context"),
    "a stray cache mount": (make("build/mounts/stray"), Kind.UNLISTED, "cache mount"),
    "an unfinished load": (make("content/ingest/x"), Kind.UNLISTED, "leftover"),
    "an unfinished layer": (make("overlay2/unpacking/x"), Kind.UNLISTED, "leftover"),
    "an unfinished deletion": (make("overlay2/trash/x"), Kind.UNLISTED, "leftover"),
    "a part of a blob": (write(f"content/partial/{HEX}"), Kind.RESUMABLE, "blob"),
    "a blob that no image has claimed": (mark_whole, Kind.RESUMABLE, "blob"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_what_is_wrong_is_told(stopped: Path, tmp_path: Path, case: str) -> None:
    spoil, kind, what = SPOILT[case]
    root = tmp_path / "data"
    shutil.copytree(stopped, root, symlinks=True)
    spoil(root)
    found: list[Finding] = check(str(root), digests=True).findings
    assert any(each.kind is kind and each.what.startswith(f"{what} ") for each in found), found
    if kind in (Kind.UNLISTED, Kind.RESUMABLE):
        assert {each.kind for each in found} <= {kind, Kind.DAMAGED}, found
        assert BASE_IMAGE not in str(found)
