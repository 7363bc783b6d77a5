"""Secrets, sockets and shared directories of build steps, on the real driver."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wharfd.drivers.runfiles.local import LocalRunFiles
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.model.errors import InvalidParameter
from wharfd.ports.runfiles import Connection
from wharfd.sys.blocking import Pool

pytestmark = pytest.mark.root


@pytest.fixture
async def files(tmp_path: Path) -> AsyncIterator[LocalRunFiles]:
    pool, workers = Pool("storage", 2), WorkerPool()
    made = LocalRunFiles(run_root=f"{tmp_path}/run", data_root=f"{tmp_path}/data", pool=pool, remover=workers)
    await made.open([])
    yield made
    for run_id in list(made.listeners):
        await made.drop(run_id)
    while made.removals:
        await next(iter(made.removals))
    await workers.close()
    pool.close()


async def test_a_secret_is_there_for_its_owner_until_the_step_ends(files: LocalRunFiles) -> None:
    path = files.secret("run", "../we ird", b"hidden", uid=7, gid=8, mode=0o440)
    status = os.stat(path)
    assert Path(path).read_bytes() == b"hidden"
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (7, 8, 0o440)
    assert path.startswith(files.run_root)
    await files.drop("run")
    await files.drop("run")
    assert os.listdir(files.run_root) == []


async def test_connections_to_a_socket_are_served(files: LocalRunFiles) -> None:
    async def echo(connection: Connection) -> None:
        while data := await connection.read():
            await connection.write(data.upper())

    path = await files.listen("run", "agent", echo, uid=0, gid=0, mode=0o600)
    for _ in range(2):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"hi")
        assert await reader.read(10) == b"HI"
        writer.close()
    await files.drop("run")
    with pytest.raises(OSError):
        await asyncio.open_unix_connection(path)


async def test_a_shared_directory_outlives_steps_and_restarts_if_it_is_known(files: LocalRunFiles) -> None:
    path, is_new = await files.shared("kept", uid=3, gid=4, mode=0o700)
    assert is_new
    assert (os.stat(path).st_uid, stat.S_IMODE(os.stat(path).st_mode)) == (3, 0o700)
    Path(path, "f").write_bytes(b"12345")
    assert await files.shared("kept", uid=0, gid=0, mode=0o755) == (path, False)
    assert await files.size("kept") == 5
    assert await files.size("nothing") == 0
    await files.shared("other", uid=0, gid=0, mode=0o755)
    files.secret("run", "s", b"x", uid=0, gid=0, mode=0o400)
    await files.open(["kept"])
    while files.removals:
        await next(iter(files.removals))
    assert os.listdir(files.data_root) == ["kept"]
    assert os.listdir(files.run_root) == []
    await files.remove("kept")
    await files.remove("kept")
    assert not os.path.exists(path)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/a", "trash-x", "a" * 200])
async def test_names_that_lead_elsewhere_are_refused(files: LocalRunFiles, name: str) -> None:
    with pytest.raises(InvalidParameter):
        await files.shared(name, uid=0, gid=0, mode=0o755)
    with pytest.raises(InvalidParameter):
        files.secret(name, "s", b"", uid=0, gid=0, mode=0o400)
