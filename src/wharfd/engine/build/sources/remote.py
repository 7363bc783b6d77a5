"""Files of the web and git repositories as roots."""

import base64
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

from wharfd.engine.build.cache import BuildCache
from wharfd.engine.build.execution.relay import relay
from wharfd.engine.build.graph import content_digest
from wharfd.engine.build.ops import Copy, GitSource, HttpSource
from wharfd.engine.build.reports import Report
from wharfd.engine.build.roots import root_of
from wharfd.engine.build.scene import Scene
from wharfd.engine.build.solver import Found
from wharfd.model.build import CacheKind, CacheRecord
from wharfd.model.errors import InvalidParameter, NotFound
from wharfd.model.fileactions import Owner
from wharfd.model.ids import Digest
from wharfd.model.tree import RootView
from wharfd.ports.buildfiles import BuildFiles
from wharfd.ports.clock import Clock
from wharfd.ports.fetch import Fetched, Fetcher, GitAccess
from wharfd.ports.runfiles import Connection, RunFiles
from wharfd.ports.snapshots import SnapshotStore
from wharfd.wire.masking import masked

ETAG = "etag"
UPLOAD = "http://buildkit-session/"  # what the client sends over his session


class RemoteSources:
    """`new_id` makes 64 hex digits."""

    def __init__(
        self,
        *,
        clock: Clock,
        cache: BuildCache,
        fetcher: Fetcher,
        files: BuildFiles,
        snapshots: SnapshotStore,
        run_files: RunFiles,
        new_id: Callable[[], str],
    ) -> None:
        self.clock = clock
        self.cache = cache
        self.fetcher = fetcher
        self.files = files
        self.snapshots = snapshots
        self.run_files = run_files
        self.new_id = new_id

    # the web

    async def http(self, op: HttpSource, scene: Scene, report: Report) -> Found:
        asked = content_digest(["http", op])
        known = self.cache.find(asked)
        if known is not None and op.checksum:
            return self.again(known)
        authorization = await self.secret(op.auth_header_secret, scene)
        staged = await self.snapshots.stage(None)
        try:
            path = f"{staged.work}/file"
            etag = known.facts.get(ETAG, "") if known is not None else ""
            fetched: Fetched | None
            if op.url.startswith(UPLOAD):
                fetched = await self.fetcher.receive(scene.client.upload(op.url), path)
            else:
                fetched = await self.fetcher.download(op.url, path, authorization=authorization, etag=etag)
            if fetched is None and known is not None:
                return self.again(known)
            if fetched is None:
                raise InvalidParameter(
                    f"{masked(op.url)}: the answer says that nothing has changed, and it was never asked for before"
                )
            report.status(masked(op.url), current=fetched.size, total=fetched.size, is_done=True)
            if op.checksum and op.checksum != fetched.digest:
                raise InvalidParameter(f"digest mismatch {fetched.digest}: {op.checksum}")
            name = op.filename or fetched.name
            key = content_digest(["http-file", name, op.mode, op.uid, op.gid, fetched.digest])
            same = self.cache.find(key)
            if same is not None:
                self.cache.remember(same, ETAG, fetched.etag)
                return self.again(same, asked)
            await self.place(f"{staged.work}/file", staged.upper, name, op, fetched)
            info = await self.snapshots.keep(staged, None, fetched.size)
        finally:
            await self.snapshots.discard(staged)
        record = self.record(key, CacheKind.REGULAR, masked(op.url), [info.chain_id], fetched.size, asked)
        await self.cache.add(msgspec.structs.replace(record, facts={ETAG: fetched.etag} if fetched.etag else {}))
        return Found(key, root_of([info.chain_id]), record)

    async def place(self, path: str, upper: str, name: str, op: HttpSource, fetched: Fetched) -> None:
        """Through a worker, which keeps names inside."""
        action = Copy(
            source_input=0,
            source=path.rpartition("/")[2],
            destination=f"/{name.replace('/', '_')}",
            owner=Owner(user=op.uid, group=op.gid),
            mode=op.mode,
            timestamp_ns=fetched.modified_ns,
            create_destination=True,
        )
        await self.files.apply(RootView(upper=upper), [RootView(lower=[path.rpartition("/")[0]])], [action])

    # git

    async def git(self, op: GitSource, scene: Scene, report: Report) -> Found:
        async with AsyncExitStack() as undo:
            access = await self.access(op, scene, undo)
            commit = await self.fetcher.git_commit(op.remote, op.ref, access)
            if op.checksum and not commit.startswith(op.checksum):
                raise InvalidParameter(f"expected checksum to match {op.checksum}, got {commit}")
            key = content_digest(["git", commit, op.subdir, op.keep_git_dir and op.remote, op.skip_submodules])
            known = self.cache.find(key)
            if known is not None:
                return self.again(known)
            report.status(f"fetching {op.ref or 'HEAD'} of {masked(op.remote)}")
            layer, size = await self.check_out(op, commit, access)
            report.status(f"fetching {op.ref or 'HEAD'} of {masked(op.remote)}", is_done=True)
        record = self.record(key, CacheKind.GIT, f"git snapshot for {masked(op.remote)}#{commit}", [layer], size)
        await self.cache.add(record)
        return Found(key, root_of([layer]), record)

    async def check_out(self, op: GitSource, commit: str, access: GitAccess) -> tuple[str, int]:
        staged = await self.snapshots.stage(None)
        try:
            tree = staged.work if op.subdir else staged.upper
            await self.fetcher.git_checkout(
                op.remote,
                op.ref,
                commit,
                tree,
                access,
                keep_git_dir=op.keep_git_dir,
                submodules=not op.skip_submodules,
            )
            actions = []
            if op.subdir:
                actions = [Copy(source_input=0, source=op.subdir, destination="/", contents_only=True)]
            try:
                size = await self.files.apply(RootView(upper=staged.upper), [RootView(lower=[staged.work])], actions)
            except NotFound as e:
                raise NotFound(f"failed to get subdir {op.subdir}: {e}") from e
            info = await self.snapshots.keep(staged, None, size)
        finally:
            await self.snapshots.discard(staged)
        return info.chain_id, size

    async def access(self, op: GitSource, scene: Scene, undo: AsyncExitStack) -> GitAccess:
        header = await self.secret(op.auth_header_secret, scene)
        token = await self.secret(op.auth_token_secret, scene)
        if not header and token:
            header = "basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
        return GitAccess(
            authorization=header,
            ssh_socket=await self.agent(op.mount_ssh_socket, scene, undo),
            known_hosts=op.known_ssh_hosts,
        )

    async def agent(self, agent_id: str, scene: Scene, undo: AsyncExitStack) -> str:
        if not agent_id:
            return ""
        try:
            agent = await undo.enter_async_context(scene.client.ssh_agent(agent_id))
        except NotFound:
            return ""
        run_id = self.new_id()
        undo.push_async_callback(self.run_files.drop, run_id)

        async def serve(connection: Connection) -> None:
            far = await agent.connect()
            try:
                await relay(connection, far)
            finally:
                await far.close()

        return await self.run_files.listen(run_id, agent_id, serve, uid=0, gid=0, mode=0o600)

    # what both have

    async def secret(self, name: str, scene: Scene) -> str:
        """Empty if none is asked for, or the client has none of that name."""
        if not name:
            return ""
        try:
            return (await scene.client.secret(name)).decode().strip()
        except NotFound:
            return ""
        except UnicodeDecodeError as e:
            raise InvalidParameter(f"secret {name} is no text") from e

    def again(self, record: CacheRecord, quick: Digest | None = None) -> Found:
        record = self.cache.touch(record, quick)
        return Found(Digest(record.key), root_of(record.outputs[0]), record, cached=True)

    def record(
        self, key: Digest, kind: CacheKind, description: str, layers: list[str], size: int, quick: Digest | None = None
    ) -> CacheRecord:
        now_ns = self.clock.now_ns()
        return CacheRecord(
            id=self.new_id()[:25],
            key=key,
            quick_keys=[quick] if quick is not None else [],
            kind=kind,
            description=description,
            outputs=[layers],
            made=layers,
            size_bytes=size,
            created_ns=now_ns,
            used_ns=now_ns,
        )
