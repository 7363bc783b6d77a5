"""pull, push, login and manifests, with Debian's docker-registry beside the engine."""

import contextlib
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator

from conformance.checks import Mismatch, holds, same
from conformance.docker_cli import ANY, Cli, scenario

PORT = 18500
HOST = f"127.0.0.1:{PORT}"
NEEDS = "needs Debian's package docker-registry"
PLAIN = """
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: DIR/registry}, delete: {enabled: true}}
http: {addr: "127.0.0.1:18500"}
"""
PROTECTED = PLAIN + "auth: {htpasswd: {realm: conformance, path: DIR/htpasswd}}\n"
# me:secret, by bcrypt
HTPASSWD = "me:$2y$05$36/Vi0SYFXlB3lTFsKSV5es664W.r4Yr9toca2Y23fJYv2PyoW63q\n"


@contextlib.contextmanager
def registry(docker: Cli, config: str = PLAIN) -> Iterator[None]:
    program = shutil.which("docker-registry")
    if program is None:
        raise Mismatch(NEEDS)
    docker.file("config.yml", config)
    process = subprocess.Popen(
        [program, "serve", str(docker.directory / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{HOST}/v2/", timeout=2).close()
                break
            except urllib.request.HTTPError:
                break  # it wants a password
            except OSError:
                time.sleep(0.1)
        else:
            raise Mismatch("docker-registry does not start")
        yield
    finally:
        process.terminate()
        process.wait(10)


@scenario("registry", "push, remove, pull: the same image")
def _(docker: Cli) -> None:
    with registry(docker):
        docker(f"tag IMAGE {HOST}/a/b:1")
        done = docker(f"push {HOST}/a/b:1", timeout=120)
        digest = re.search(r"1: digest: (sha256:[0-9a-f]{64}) size: \d+", done.out)
        holds(digest is not None, f"output: {done.out!r}")
        docker(f"rmi {HOST}/a/b:1", out=ANY)
        done = docker(f"pull {HOST}/a/b:1", timeout=120)
        holds(f"Status: Downloaded newer image for {HOST}/a/b:1" in done.out, f"output: {done.out!r}")
        same(done.lines[-1], f"{HOST}/a/b:1")
        docker(f"run --rm {HOST}/a/b:1 echo pulled", out="pulled\n")
        done = docker(f"pull {HOST}/a/b:1")
        holds(f"Status: Image is up to date for {HOST}/a/b:1" in done.out, f"output: {done.out!r}")
        docker(f"pull -q {HOST}/a/b:1", out=f"{HOST}/a/b:1\n")
        docker(f"rmi {HOST}/a/b:1", out=ANY)


@scenario("registry", "run pulls what is missing")
def _(docker: Cli) -> None:
    with registry(docker):
        docker(f"tag IMAGE {HOST}/a:1")
        docker(f"push -q {HOST}/a:1", out=ANY, timeout=120)
        docker(f"rmi {HOST}/a:1", out=ANY)
        done = docker(f"run --rm {HOST}/a:1 echo hi", out="hi\n", err=ANY, timeout=120)
        holds(f"Unable to find image '{HOST}/a:1' locally" in done.err, f"errors: {done.err!r}")
        docker(f"run --rm --pull always {HOST}/a:1 echo hi", out="hi\n", err=ANY, timeout=120)
        docker(f"rmi {HOST}/a:1", out=ANY)


@scenario("registry", "by digest, and RepoDigests")
def _(docker: Cli) -> None:
    with registry(docker):
        docker(f"tag IMAGE {HOST}/a:1")
        docker(f"push -q {HOST}/a:1", out=ANY, timeout=120)
        (digest,) = [each for each in docker.inspect(f"{HOST}/a:1", "image")["RepoDigests"] if each.startswith(HOST)]
        docker(f"rmi {HOST}/a:1", out=ANY)
        docker(f"pull -q {digest}", out=f"{digest}\n", timeout=120)
        docker(f"run --rm {digest} echo hi", out="hi\n")
        docker(f"rmi {digest}", out=ANY)


@scenario("registry", "what is not there: manifest unknown")
def _(docker: Cli) -> None:
    with registry(docker):
        done = docker(f"pull {HOST}/nothing:1", code=1)
        holds("not found" in done.err or "manifest unknown" in done.err, f"errors: {done.err!r}")
        done = docker(f"push {HOST}/nothing:1", code=1)
        holds("does not exist" in done.err, f"errors: {done.err!r}")


@scenario("registry", "a registry that does not answer")
def _(docker: Cli) -> None:
    done = docker("pull 127.0.0.1:1/nothing", code=1)
    holds("connection refused" in done.err, f"errors: {done.err!r}")


@scenario("registry", "login: the wrong password, the right one, push and pull with it, logout")
def _(docker: Cli) -> None:
    docker.file("htpasswd", HTPASSWD)
    with registry(docker, PROTECTED):
        docker(f"tag IMAGE {HOST}/a:1")
        done = docker(f"push {HOST}/a:1", code=1, timeout=120)
        holds("no basic auth credentials" in done.err or "authorization failed" in done.err, f"errors: {done.err!r}")
        done = docker(f"login -u me --password-stdin {HOST}", stdin="wrong", code=1)
        holds("unauthorized" in done.err or "401" in done.err, f"errors: {done.err!r}")
        done = docker(f"login -u me --password-stdin {HOST}", stdin="secret", err=ANY)
        holds("Login Succeeded" in done.out, f"output: {done.out!r}")
        docker(f"push -q {HOST}/a:1", out=ANY, timeout=120)
        docker(f"rmi {HOST}/a:1", out=ANY)
        docker(f"pull -q {HOST}/a:1", out=ANY, timeout=120)
        docker(f"logout {HOST}", out=ANY)
        docker(f"rmi {HOST}/a:1", out=ANY)
        docker(f"pull -q {HOST}/a:1", code=1)


@scenario("registry", "push -a and pull -a: every tag")
def _(docker: Cli) -> None:
    with registry(docker):
        for tag in ("1", "2"):
            docker(f"tag IMAGE {HOST}/a:{tag}")
        docker(f"push -q -a {HOST}/a", out=ANY, timeout=120)
        docker(f"rmi {HOST}/a:1 {HOST}/a:2", out=ANY)
        docker(f"pull -q -a {HOST}/a", out=ANY, timeout=120)
        docker(f"images --format '{{{{.Tag}}}}' {HOST}/a", out=re.compile("(1\n2|2\n1)\n"))
        docker(f"rmi {HOST}/a:1 {HOST}/a:2", out=ANY)


@scenario("registry", "a second push finds its layers there")
def _(docker: Cli) -> None:
    with registry(docker):
        docker(f"tag IMAGE {HOST}/a:1")
        docker(f"push {HOST}/a:1", timeout=120)
        done = docker(f"push {HOST}/a:1", timeout=120)
        holds("Layer already exists" in done.out, f"output: {done.out!r}")
        docker(f"rmi {HOST}/a:1", out=ANY)


@scenario("registry", "build with a base from a registry, and --push")
def _(docker: Cli) -> None:
    with registry(docker):
        docker(f"tag IMAGE {HOST}/base:1")
        docker(f"push -q {HOST}/base:1", out=ANY, timeout=120)
        docker(f"rmi {HOST}/base:1", out=ANY)
        docker.file("ctx/Dockerfile", f"FROM {HOST}/base:1\nRUN echo built > /made\n")
        docker(f"build --progress plain --push -t {HOST}/made:1 DIR/ctx", err=ANY, timeout=120)
        docker(f"rmi {HOST}/made:1", code=None, err=ANY)
        docker(f"run --rm {HOST}/made:1 cat /made", out="built\n", err=ANY, timeout=120)
        docker(f"rmi {HOST}/made:1", out=ANY)
        docker(f"rmi {HOST}/base:1", code=None, err=ANY)
