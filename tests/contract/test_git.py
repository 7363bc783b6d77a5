"""The git driver against repositories served by a dumb web server; what strangers may not do."""

import functools
import http.server
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from wharfd.drivers.fetch import git as driver
from wharfd.drivers.fetch.fetcher import LocalFetcher, proxies
from wharfd.drivers.workers.pool import WorkerPool
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.ports.fetch import GitAccess

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
NO_ACCESS = GitAccess()


class Handler(http.server.SimpleHTTPRequestHandler):
    seen: list[str] = []  # noqa: RUF012 - shared by all requests on purpose

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization", ""))
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path == "/tagged":
            is_same = self.headers.get("If-None-Match") == '"1"'
            self.send_response(304 if is_same else 200)
            self.send_header("ETag", '"1"')
            self.send_header("Content-Disposition", 'attachment; filename="../named"')
            self.send_header("Last-Modified", "Thu, 01 Jan 1970 00:01:40 GMT")
            self.end_headers()
            if not is_same:
                self.wfile.write(b"tagged")
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def repository(folder: Path, *, submodule: str = "") -> str:
    work = folder.parent / "work"
    subprocess.run([*GIT, "init", "-q", str(work)], check=True)
    (work / "f").write_text("f")
    if submodule:
        (work / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = {submodule}\n')
        (work / "s").mkdir()
        subprocess.run(
            [*GIT, "-C", str(work), "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s"], check=True
        )
    subprocess.run([*GIT, "-C", str(work), "add", "f", *([".gitmodules"] if submodule else [])], check=True)
    subprocess.run([*GIT, "-C", str(work), "commit", "-q", "-m", "one"], check=True)
    subprocess.run([*GIT, "-C", str(work), "tag", "-a", "-m", "v", "v1"], check=True)
    subprocess.run([*GIT, "clone", "-q", "--bare", str(work), str(folder / "r.git")], check=True)
    subprocess.run([*GIT, "-C", str(folder / "r.git"), "update-server-info"], check=True)
    done = subprocess.run([*GIT, "-C", str(work), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
async def fetcher() -> AsyncIterator[LocalFetcher]:
    workers = WorkerPool()
    yield LocalFetcher(workers)
    await workers.close()


async def test_refs_and_files_of_a_commit(site: tuple[str, Path], fetcher: LocalFetcher, tmp_path: Path) -> None:
    address, folder = site
    commit = repository(folder)
    remote = f"{address}/r.git"
    for ref in ("", "main", "v1", "refs/heads/main", commit):
        assert await fetcher.git_commit(remote, ref, NO_ACCESS) == commit
    with pytest.raises(InvalidParameter, match="does not contain ref nope"):
        await fetcher.git_commit(remote, "nope", NO_ACCESS)
    into = tmp_path / "into"
    into.mkdir()
    await fetcher.git_checkout(remote, "v1", commit, str(into), NO_ACCESS, keep_git_dir=False, submodules=True)
    assert [each.name for each in into.iterdir()] == ["f"]


async def test_what_a_repository_may_not_make_us_do(
    site: tuple[str, Path], fetcher: LocalFetcher, tmp_path: Path
) -> None:
    address, folder = site
    for remote in ("--upload-pack=touch /tmp/evil", "ext::sh -c true", f"file://{folder}", str(folder)):
        with pytest.raises(InvalidParameter):
            await fetcher.git_commit(remote, "", NO_ACCESS)
    with pytest.raises(InvalidParameter):
        await fetcher.git_commit(f"{address}/r.git", "--exec=x", NO_ACCESS)
    commit = repository(folder, submodule=f"file://{folder}/r.git")
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(InvalidParameter, match="not allowed"):
        await fetcher.git_checkout(
            f"{address}/r.git", "", commit, str(into), NO_ACCESS, keep_git_dir=False, submodules=True
        )


async def test_authorization_goes_to_the_remote(site: tuple[str, Path], fetcher: LocalFetcher) -> None:
    address, folder = site
    repository(folder)
    Handler.seen.clear()
    await fetcher.git_commit(f"{address}/r.git", "", GitAccess(authorization="basic eDp5"))
    assert set(Handler.seen) == {"basic eDp5"}


async def test_a_token_in_the_address_is_told_to_nobody(
    site: tuple[str, Path], fetcher: LocalFetcher, tmp_path: Path
) -> None:
    address, folder = site
    commit = repository(folder)
    remote = f"{address.replace('//', '//user:s3cr3t@')}/r.git"
    for call in (
        fetcher.git_commit(remote.replace("r.git", "nothing.git"), "", NO_ACCESS),
        fetcher.download("http://user:s3cr3t@127.0.0.1:1/", str(tmp_path / "x")),
    ):
        with pytest.raises(InvalidParameter) as caught:
            await call
        assert "xxxxx:xxxxx@" in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
    into = tmp_path / "into"
    into.mkdir()
    await fetcher.git_checkout(remote, "", commit, str(into), NO_ACCESS, keep_git_dir=True, submodules=False)
    kept = {path.name: path.read_bytes() for path in into.rglob("*") if path.is_file()}
    assert "config" in kept
    assert [name for name, data in kept.items() if b"s3cr3t" in data] == []


async def test_downloads(site: tuple[str, Path], fetcher: LocalFetcher, tmp_path: Path) -> None:
    address, folder = site
    (folder / "file name").write_text("content")
    found = await fetcher.download(f"{address}/file%20name", str(tmp_path / "a"))
    assert found is not None
    assert (found.name, found.size, (tmp_path / "a").read_text()) == ("file name", 7, "content")
    tagged = await fetcher.download(f"{address}/tagged", str(tmp_path / "b"), authorization="Bearer x")
    assert tagged is not None
    assert (tagged.name, tagged.etag, tagged.modified_ns) == ("named", '"1"', 100 * 10**9)
    assert await fetcher.download(f"{address}/tagged", str(tmp_path / "c"), etag='"1"') is None
    assert not (tmp_path / "c").exists()
    with pytest.raises(NotFound, match="invalid response status 404"):
        await fetcher.download(f"{address}/nope", str(tmp_path / "d"))
    for address_of in ("file:///etc/passwd", "ftp://127.0.0.1/x", f"{address}/away", "http://127.0.0.1:1/"):
        with pytest.raises(InvalidParameter):
            await fetcher.download(address_of if "://" in address_of else address + address_of, str(tmp_path / "e"))


def test_refs_in_the_order_in_which_they_are_meant() -> None:
    assert driver.candidates("v1")[0] == "refs/heads/v1^{}"
    assert driver.candidates("HEAD") == ["HEAD^{}", "HEAD"]
    assert driver.parse_refs("junk\n" + "a" * 40 + "\trefs/heads/x\n") == {"refs/heads/x": "a" * 40}


def test_proxies_of_the_environment() -> None:
    assert proxies({"HTTP_PROXY": "a", "https_proxy": "b", "NO_PROXY": "c", "X": "d"}) == {
        "http": "a",
        "https": "b",
        "no": "c",
    }
