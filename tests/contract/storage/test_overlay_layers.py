"""What the overlay driver promises of layers beyond the contract."""

import asyncio
import os
import stat
import threading
from pathlib import Path

import pytest

from tests.contract.storage.rig import StorageRig
from tests.tars import directory, entry, hard_link, symlink
from wharfd.drivers.storage.overlay.layers import OverlayLayers
from wharfd.drivers.storage.overlay.rootfs import OverlayRootfs
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.ids import ChainId, Digest

pytestmark = pytest.mark.root


def parts(rig: StorageRig) -> tuple[OverlayLayers, OverlayRootfs]:
    assert isinstance(rig.layers, OverlayLayers)
    assert isinstance(rig.rootfs, OverlayRootfs)
    return rig.layers, rig.rootfs


def diff(rig: StorageRig, chain_id: ChainId) -> Path:
    return Path(parts(rig)[0].layout.diff(chain_id))


def is_clean(rig: StorageRig) -> bool:
    layout = parts(rig)[0].layout
    return os.listdir(layout.unpacking) == [] and os.listdir(layout.trash) == []


async def test_a_failed_layer_leaves_nothing(overlay: StorageRig) -> None:
    with pytest.raises(InvalidParameter):
        await overlay.unpack(overlay.blob(entry("good", b"x"), entry("../bad", b"x")))
    assert is_clean(overlay)
    assert os.listdir(parts(overlay)[0].layout.layers) == []


async def test_two_who_want_the_same_layer_share_the_work(overlay: StorageRig) -> None:
    blob = overlay.blob(entry("f", b"x"))
    first, second = await asyncio.gather(overlay.unpack(blob), overlay.unpack(blob))
    assert first is second


async def test_one_of_two_may_leave(overlay: StorageRig) -> None:
    blob = overlay.blob(entry("f", b"x"))
    leaving = asyncio.ensure_future(overlay.unpack(blob))
    staying = asyncio.ensure_future(overlay.unpack(blob))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await staying).diff_id == blob.diff_id


async def test_when_the_last_one_leaves_the_work_ends(overlay: StorageRig) -> None:
    fifo = str(overlay.folder / "fifo")
    os.mkfifo(fifo)
    digest = Digest("sha256:" + "1" * 64)
    stuck = asyncio.ensure_future(overlay.layers.unpack(ChainId(digest), None, digest, fifo, ""))
    layers, _ = parts(overlay)
    async with asyncio.timeout(20):
        while not os.listdir(layers.layout.unpacking):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert is_clean(overlay)
    assert digest not in layers.flights


async def test_who_comes_while_the_last_one_leaves_begins_anew(overlay: StorageRig) -> None:
    blob = overlay.blob(entry("f", b"x" * 1000))
    begun, go = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await go.wait()
            raise

    chain_id = ChainId(blob.diff_id)
    leaving = asyncio.create_task(overlay.layers.unpack(chain_id, None, blob.diff_id, blob.path, "", stubborn))
    await begun.wait()
    leaving.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    info = await overlay.layers.unpack(chain_id, None, blob.diff_id, blob.path, "")
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert list(overlay.layers.list()) == [info]


@pytest.mark.parametrize("step", ["mkdir", "finish", "publish"])
async def test_who_leaves_in_the_middle_of_a_step_leaves_nothing_unknown(
    overlay: StorageRig, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that has begun goes to its end; its caller is gone by then."""
    layers, _ = parts(overlay)
    begun, go = threading.Event(), threading.Event()
    owner = os if step == "mkdir" else layers
    plain = getattr(owner, step)

    def held(*args: object) -> object:
        begun.set()
        go.wait()
        return plain(*args)

    monkeypatch.setattr(owner, step, held)
    blob = overlay.blob(entry("f", b"x" * 1000))
    leaving = asyncio.create_task(overlay.unpack(blob))
    await asyncio.to_thread(begun.wait)
    leaving.cancel()
    await asyncio.sleep(0)
    go.set()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    assert is_clean(overlay)
    assert len(os.listdir(layers.layout.layers)) == len(layers.list())


async def test_layers_are_unpacked_side_by_side(overlay: StorageRig) -> None:
    blobs = [overlay.blob(entry(f"f{number}", b"x")) for number in range(6)]
    infos = await asyncio.gather(*(overlay.unpack(blobs[n], *blobs[:n]) for n in range(len(blobs))))
    assert [info.parent for info in infos] == [None, *(info.chain_id for info in infos[:-1])]


async def test_with_a_broken_parent_the_child_fails_too(overlay: StorageRig) -> None:
    bad, good = overlay.blob(entry("../x")), overlay.blob(entry("f"))
    results = await asyncio.gather(overlay.unpack(bad), overlay.unpack(good, bad), return_exceptions=True)
    assert [type(result) for result in results] in ([InvalidParameter, InvalidParameter], [InvalidParameter, NotFound])
    assert list(overlay.layers.list()) == []
    assert is_clean(overlay)


async def test_layers_survive_and_half_made_ones_do_not(overlay: StorageRig) -> None:
    info = await overlay.unpack(overlay.blob(entry("f", b"x")))
    layers, rootfs = parts(overlay)
    os.makedirs(f"{layers.layout.unpacking}/half/diff")
    os.makedirs(f"{layers.layout.trash}/half")
    os.makedirs(f"{layers.layout.layers}/{'e' * 64}/diff")
    again = OverlayLayers(layers.layout, layers.pool, layers.workers)
    await OverlayRootfs(layers.layout, again, rootfs.pool).open()
    await again.trash.settle()
    assert list(again.list()) == [info]
    assert os.listdir(layers.layout.layers) == [info.chain_id.removeprefix("sha256:")]
    assert is_clean(overlay)


async def test_unsaid_directories_are_as_below(overlay: StorageRig) -> None:
    lower = [
        directory("./", 0o750, uid=5, gid=6, mtime=1000),
        directory("tmp", 0o1777, mtime=2000),
        directory("home", 0o711, uid=1000, mtime=3000, pax={"SCHILY.xattr.user.note": "x"}),
        directory("home/user", 0o700, uid=1000, gid=1000),
    ]
    chain = await overlay.stack(
        lower, [entry("unrelated")], [entry("tmp/f", b"x"), entry("home/user/g", b"y"), entry("new/h")]
    )
    top = diff(overlay, chain[-1])

    def look(name: str) -> tuple[int, int, int]:
        status = (top / name).lstat()
        return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid

    assert look("") == (0o750, 5, 6)
    assert look("tmp") == (0o1777, 0, 0)
    assert (top / "tmp").lstat().st_mtime == 2000
    assert look("home") == (0o711, 1000, 0)
    assert os.getxattr(top / "home", "user.note") == b"x"
    assert look("home/user") == (0o700, 1000, 1000)
    assert look("new") == (0o755, 0, 0)
    assert look("tmp/f") == (0o644, 0, 0)


async def test_a_directory_that_was_deleted_below_is_not_looked_at(overlay: StorageRig) -> None:
    chain = await overlay.stack([directory("d", 0o700, uid=7)], [entry(".wh.d")], [entry("d/f")])
    status = (diff(overlay, chain[-1]) / "d").lstat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o755, 0)


async def test_a_link_to_a_file_below_becomes_a_copy(overlay: StorageRig) -> None:
    lower = [directory("bin"), entry("bin/tool", b"elf", mode=0o4755, uid=3, mtime=5000)]
    chain = await overlay.stack(lower, [hard_link("tool2", "bin/tool")])
    copy = diff(overlay, chain[-1]) / "tool2"
    status = copy.lstat()
    assert copy.read_bytes() == b"elf"
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_mtime) == (0o4755, 3, 5000)
    info = overlay.layers.get(chain[-1])
    assert info is not None
    assert info.size_bytes == 3


async def test_names_of_one_file_below_become_names_of_one_copy(overlay: StorageRig) -> None:
    links = [hard_link("d/b", "a"), hard_link("c", "a"), hard_link("e", "d/b")]
    chain = await overlay.stack([entry("a", b"one"), directory("d")], [directory("d", mtime=1000), *links])
    top = diff(overlay, chain[-1])
    assert {(top / name).stat().st_ino for name in ("d/b", "c", "e")} == {(top / "c").stat().st_ino}
    assert (top / "e").read_bytes() == b"one"
    assert (top / "d").stat().st_mtime == 1000


async def test_a_link_on_the_way_to_a_copy_leads_nowhere(overlay: StorageRig) -> None:
    """What a hostile archive might do: a place in the layer, seen as a directory first, is a link out of it at the end."""
    outside = overlay.folder / "outside"
    outside.mkdir(mode=0o755)
    lower = [entry("payload", b"x", mode=0o4755), directory("d", 0o700, uid=77), directory("q", 0o711, uid=78)]
    for upper in (
        [hard_link("d/x", "payload"), symlink("d", str(outside))],
        [entry("q/y"), symlink("q", str(outside))],
        [hard_link("x", "payload"), symlink("x", f"{outside}/x")],
        [hard_link("d/x", "payload"), directory("d"), symlink("d/x", f"{outside}/x")],
        [hard_link("d/x", "payload"), entry("d", b"a file now")],
    ):
        await overlay.stack(lower, upper)
        status = outside.stat()
        assert (list(outside.iterdir()), stat.S_IMODE(status.st_mode), status.st_uid) == ([], 0o755, 0)


async def test_the_last_word_on_a_name_counts(overlay: StorageRig) -> None:
    lower = [entry("payload", b"below")]
    upper = [hard_link("x", "payload"), entry("x", b"here"), hard_link("y", "payload"), entry(".wh.y")]
    chain = await overlay.stack(lower, upper)
    assert (diff(overlay, chain[-1]) / "x").read_bytes() == b"here"
    assert (diff(overlay, chain[-1]) / "y").read_bytes() == b"below"


async def test_a_link_to_nowhere_is_refused(overlay: StorageRig) -> None:
    with pytest.raises(InvalidParameter, match="does not exist"):
        await overlay.stack([entry("a")], [hard_link("h", "b")])
    assert len(overlay.layers.list()) == 1
    assert is_clean(overlay)


async def test_a_large_layer_goes_in_the_background(overlay: StorageRig) -> None:
    layers, _ = parts(overlay)
    info = await overlay.unpack(overlay.blob(*(entry(f"d{number}/f") for number in range(300))))
    await layers.remove(info.chain_id)
    assert os.listdir(layers.layout.layers) == []
    await layers.trash.settle()
    assert is_clean(overlay)


async def test_what_an_engine_did_not_finish_deleting_the_next_one_does(overlay: StorageRig) -> None:
    layers, rootfs = parts(overlay)
    for number in range(300):
        os.makedirs(f"{layers.layout.trash}/left/{number}")
    again = OverlayLayers(layers.layout, layers.pool, layers.workers)
    await OverlayRootfs(layers.layout, again, rootfs.pool).open()
    await again.trash.settle()
    assert is_clean(overlay)
