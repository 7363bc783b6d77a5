"""git, by its command line: what a repository's name stands for, and the files of a commit.

A repository is a stranger's: git gets no terminal, no configuration but ours, no protocols but those of the network (a submodule may name
anything), and no hooks.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from urllib.parse import urlsplit

from wharfd.model.errors import InvalidParameter, Unavailable
from wharfd.ports.fetch import GitAccess
from wharfd.sys.spawn import run
from wharfd.wire.masking import masked

TIMEOUT_S = 1800.0
COMMIT = re.compile(r"[0-9a-f]{40}")
PROTOCOLS = ("http", "https", "git", "ssh")
SETTINGS = (
    "protocol.allow=never",
    *(f"protocol.{name}.allow=always" for name in PROTOCOLS),
    "core.hooksPath=/dev/null",
    "core.symlinks=true",
    "safe.directory=*",
    "advice.detachedHead=false",
    "init.defaultBranch=main",
)
KEPT_VARIABLES = (
    "PATH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
)


class Git:
    """With `access` to one remote.  Leave with `close`."""

    def __init__(self, remote: str, access: GitAccess) -> None:
        path = shutil.which("git")
        if path is None:
            raise Unavailable("git is not installed; on Debian: apt-get install git")
        if remote.startswith("-"):
            raise InvalidParameter(f"invalid git remote {remote!r}")
        self.path = path
        self.remote = remote
        self.shown = masked(
            remote
        )  # a token in it is for the remote alone: not for messages, and not for what is built
        self.home = tempfile.mkdtemp(prefix="wharfd-git-")
        self.settings = [*SETTINGS]
        if access.authorization:
            parts = urlsplit(remote)
            self.settings.append(
                f"http.{parts.scheme}://{parts.netloc}/.extraHeader=Authorization: {access.authorization}"
            )
        self.environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | {
            "HOME": self.home,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_SSH_COMMAND": self.ssh_command(access),
        }
        if access.ssh_socket:
            self.environment["SSH_AUTH_SOCK"] = access.ssh_socket

    def ssh_command(self, access: GitAccess) -> str:
        options = ["-F", "/dev/null", "-o", "BatchMode=yes"]
        if access.known_hosts:
            path = f"{self.home}/known_hosts"
            with open(path, "w", encoding="utf-8") as file:
                file.write(access.known_hosts)
            options += ["-o", f"UserKnownHostsFile={path}"]
        else:
            options += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        return " ".join(["ssh", *options])

    def close(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)

    async def __call__(self, *words: str, cwd: str | None = None) -> str:
        """What it writes.  Raises InvalidParameter with what it says when it fails."""
        # By the environment, since submodules' git processes are to have them, too.
        settings = {"GIT_CONFIG_COUNT": str(len(self.settings))}
        for number, setting in enumerate(self.settings):
            key, _, value = setting.partition("=")
            settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        try:
            done = await run(
                [self.path, *words], timeout_s=TIMEOUT_S, env={**self.environment, **settings}, cwd=cwd or self.home
            )
        except TimeoutError as e:
            raise Unavailable(f"git {words[0]} {self.shown}: no end after {TIMEOUT_S:.0f} s") from e
        except OSError as e:
            raise Unavailable(f"git cannot be run: {e}") from e
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().replace(self.remote, self.shown)
            raise InvalidParameter(f"git {words[0]} {self.shown}: {said or 'exit status ' + str(done.returncode)}")
        return done.stdout.decode(errors="replace")


async def resolve(git: Git, ref: str) -> str:
    """The commit."""
    if COMMIT.fullmatch(ref):
        return ref
    wanted = ref or "HEAD"
    if wanted.startswith("-"):
        raise InvalidParameter(f"invalid git ref {ref!r}")
    found = parse_refs(await git("ls-remote", "--", git.remote, wanted, f"{wanted}^{{}}"))
    for name in candidates(wanted):
        if name in found:
            return found[name]
    raise InvalidParameter(f"repository does not contain ref {wanted}, output: {''!r}")


def candidates(ref: str) -> Sequence[str]:
    """Of an annotated tag the commit that it stands for is meant."""
    names = [ref] if ref == "HEAD" or ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}", ref]
    return [spelled for name in names for spelled in (f"{name}^{{}}", name)]


def parse_refs(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        commit, _, name = line.partition("\t")
        if COMMIT.fullmatch(commit):
            found[name] = commit
    return found


async def check_out(git: Git, ref: str, commit: str, into: str, *, keep_git_dir: bool, submodules: bool) -> None:
    await git("init", "-q", into)
    await git("remote", "add", "origin", git.remote, cwd=into)
    try:
        await git("fetch", "-q", "--depth=1", "--no-tags", "origin", commit, cwd=into)
    except InvalidParameter:
        # A server that gives no commits by their name: by the ref, with as much history as it takes.
        names = (
            ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
            if COMMIT.fullmatch(ref)
            else [ref or "HEAD"]
        )
        await git("fetch", "-q", "--no-tags", "origin", *names, cwd=into)
    await git("checkout", "-q", "--force", "--detach", commit, "--", cwd=into)
    if submodules and os.path.lexists(f"{into}/.gitmodules"):
        await git("submodule", "update", "-q", "--init", "--recursive", "--depth=1", cwd=into)
    if keep_git_dir:
        await git("update-ref", "-d", "FETCH_HEAD", cwd=into)
        await git("remote", "set-url", "origin", git.shown, cwd=into)
    else:
        # It may hold more files than should be deleted on the event loop.
        await run(["/bin/rm", "-rf", "--", f"{into}/.git"], timeout_s=TIMEOUT_S)
