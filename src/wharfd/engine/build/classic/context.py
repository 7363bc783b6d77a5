"""The build context of a classic build: an archive that comes with the request, or from somewhere else, unpacked once."""

import posixpath
from collections.abc import AsyncIterator, Mapping

from wharfd.engine.build.client import NothingOffered
from wharfd.engine.build.rootfiles import LocalFiles
from wharfd.engine.build.roots import LocalDirectory
from wharfd.model.errors import EngineError, InvalidParameter, NotFound
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.localtrees import HeldTree, LocalTreeStore
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.dockerignore import PathPatterns, parse_ignore_file
from wharfd.wire.treedigest import TreeIndex

DOCKERFILE = "Dockerfile"
IGNORE_FILE = ".dockerignore"
DOCKER_HUB = ("https://index.docker.io/v1/", "index.docker.io", "docker.io")
MAX_TEXT = 16 << 20  # bytes of a Dockerfile


class OfferingClient(NothingOffered):
    """A client that has sent logins and secrets along."""

    def __init__(self, logins: Mapping[str, AuthConfig], secrets: Mapping[str, bytes]) -> None:
        self.logins = logins
        self.secrets = secrets

    async def secret(self, secret_id: str) -> bytes:
        if secret_id in self.secrets:
            return self.secrets[secret_id]
        return await super().secret(secret_id)

    async def credentials(self, host: str) -> AuthConfig | None:
        names = DOCKER_HUB if host in DOCKER_HUB else (host, f"https://{host}", f"http://{host}", f"https://{host}/v1/")
        return next((self.logins[name] for name in names if name in self.logins), None)


class ArchiveClient(OfferingClient):
    """One that has sent an archive, too.  Satisfies `Uploaded`."""

    def __init__(
        self, directory: LocalDirectory, logins: Mapping[str, AuthConfig], secrets: Mapping[str, bytes]
    ) -> None:
        super().__init__(logins, secrets)
        self.directory = directory

    async def uploaded(self) -> LocalDirectory:
        return self.directory


class ContextFiles:
    """Takes contexts in, and finds the Dockerfile in them."""

    def __init__(self, *, trees: LocalTreeStore, files: BuildFiles) -> None:
        self.trees = trees
        self.files = files

    async def receive(self, archive: AsyncIterator[bytes]) -> HeldTree:
        """Raises InvalidParameter for an archive that is broken or hostile; nothing is left then."""
        tree = await self.trees.take()
        try:
            tree.adopt(await self.files.receive(archive, tree.path))
        except BaseException:
            await self.trees.drop(tree.id)
            raise
        return tree

    async def drop(self, tree: HeldTree) -> None:
        await self.trees.drop(tree.id)

    async def dockerfile(self, directory: LocalDirectory, asked: str) -> tuple[str, bytes]:
        """Its path in the context, and its text.  Docker: without a name, `dockerfile` will do, too.

        Raises InvalidParameter (it leads outside, is not there, is empty) with dockerd's texts; dockerd answers 500 to the first two.
        """
        path = inside(asked or DOCKERFILE)
        if not asked and path not in directory.index.entries and DOCKERFILE.lower() in directory.index.entries:
            path = DOCKERFILE.lower()
        try:
            text = await LocalFiles(directory).read(path, 0, MAX_TEXT)
        except EngineError as e:
            raise InvalidParameter(f"Cannot locate specified Dockerfile: {asked or DOCKERFILE}") from e
        if not text.strip():
            raise InvalidParameter(f"the Dockerfile ({path}) cannot be empty")
        return path, text

    async def leave_out(self, directory: LocalDirectory, dockerfile: str) -> LocalDirectory:
        """Docker: of what `.dockerignore` names only itself and the Dockerfile are taken away here; the client has left out the rest."""
        try:
            text = await LocalFiles(directory).read(IGNORE_FILE, 0, MAX_TEXT)
        except NotFound:
            return directory
        patterns = PathPatterns(parse_ignore_file(text.decode(errors="replace")))
        gone = [path for path in (IGNORE_FILE, dockerfile) if patterns.match(path)]
        for path in gone:
            directory.tree.remove(path)
        return LocalDirectory(directory.tree, TreeIndex(directory.tree.index())) if gone else directory


def inside(path: str) -> str:
    """Relative to the context.  Raises InvalidParameter (dockerd answers 500)."""
    if posixpath.normpath(path.lstrip("/")).startswith("..") or "\0" in path:
        raise InvalidParameter(f"forbidden path outside the build context: {path} ()")
    return posixpath.normpath("/" + path).strip("/")
