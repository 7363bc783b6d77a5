"""Where results go: images, archives, directories, registries; and caches that come and go with them."""

import io
import json
import tarfile

from conformance.building import build, needs_image_store, shows, tells
from conformance.checks import holds, same
from conformance.docker_cli import ANY, Cli, scenario
from conformance.scenarios.docker_cli.registry import HOST, registry

FILES = (
    "FROM IMAGE AS b\nRUN mkdir -p /o/d && echo x > /o/d/f && ln -s d/f /o/l && chmod 750 /o/d && chown 3:4 /o/d/f\n"
    "FROM scratch\nCOPY --from=b /o /\n"
)
STEPS = "FROM IMAGE\nRUN cat /proc/sys/kernel/random/uuid > /u\nCOPY f /f\nRUN cat /f > /g\n"


@scenario("build", "--output: a tar on standard output, with modes, owners and links")
def _(docker: Cli) -> None:
    done = build(docker, FILES, "-o type=tar,dest=-")
    with tarfile.open(fileobj=io.BytesIO(done.raw)) as tar:
        found = {each.name.strip("/"): each for each in tar if each.name.strip("./")}
    same(sorted(found), ["d", "d/f", "l"])
    same((found["d"].mode & 0o777, found["d/f"].uid, found["d/f"].gid, found["l"].linkname), (0o750, 3, 4, "d/f"))


@scenario("build", "--output: a directory, over what is there")
def _(docker: Cli) -> None:
    docker.file("out/kept", "kept\n")
    build(docker, FILES, "--output type=local,dest=DIR/out")
    out = docker.directory / "out"
    same(((out / "d/f").read_text(), (out / "l").is_symlink(), (out / "kept").read_text()), ("x\n", True, "kept\n"))
    same((out / "d").stat().st_mode & 0o777, 0o750)


@scenario("build", "--output type=docker: an archive that `docker load` takes")
def _(docker: Cli) -> None:
    needs_image_store(docker.target)
    build(docker, "FROM IMAGE\nRUN echo loaded > /a\n", "-o type=docker,dest=DIR/image.tar,name=@loaded:1")
    docker("image inspect @loaded:1", code=1)
    done = docker("load -i DIR/image.tar", timeout=120)
    holds("Loaded image: " in done.out and "loaded:1" in done.out, f"{done.out!r}")
    shows(docker, "cat /a", "loaded\n", "@loaded:1")


@scenario("build", "--output type=oci: an archive and a directory with the image's layout")
def _(docker: Cli) -> None:
    needs_image_store(docker.target)
    build(docker, "FROM IMAGE\nRUN echo x > /a\n", "-o type=oci,dest=DIR/image.tar")
    with tarfile.open(docker.directory / "image.tar") as tar:
        names = tar.getnames()
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
    holds("oci-layout" in names and index["manifests"][0]["digest"].startswith("sha256:"), f"{names} {index}")
    build(docker, "FROM IMAGE\nRUN echo x > /a\n", "-o type=oci,tar=false,dest=DIR/layout")
    found = json.loads((docker.directory / "layout/index.json").read_text())
    digest = found["manifests"][0]["digest"]
    holds((docker.directory / "layout/blobs" / digest.replace(":", "/")).is_file(), f"{found}")


@scenario("build", "several platforms: an index, and archives with one directory for each")
def _(docker: Cli) -> None:
    needs_image_store(docker.target)
    text = (
        "FROM --platform=$BUILDPLATFORM IMAGE AS b\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n"
        "FROM scratch\nCOPY --from=b /arch /arch\n"
    )
    build(docker, text, "--platform linux/amd64,linux/arm64 -o DIR/out")
    for arch in ("amd64", "arm64"):
        same((docker.directory / f"out/linux_{arch}/arch").read_text(), f"{arch}\n")
    build(docker, text, "--platform linux/amd64,linux/arm64 -o type=tar,dest=DIR/out.tar")
    with tarfile.open(docker.directory / "out.tar") as tar:
        names = {name.strip("/") for name in tar.getnames()}
    holds({"linux_amd64/arch", "linux_arm64/arch"} <= names, f"{names}")
    build(docker, text, "--platform linux/amd64,linux/arm64 -o type=oci,dest=DIR/index.tar")
    with tarfile.open(docker.directory / "index.tar") as tar:
        top = json.load(tar.extractfile("index.json"))["manifests"][0]["digest"]  # type: ignore[arg-type]
        index = json.load(tar.extractfile(f"blobs/{top.replace(':', '/')}"))  # type: ignore[arg-type]
    same([each["platform"]["architecture"] for each in index["manifests"]], ["amd64", "arm64"])


@scenario("build", "--metadata-file, --iidfile")
def _(docker: Cli) -> None:
    build(docker, "FROM IMAGE\nRUN true\n", "-t @built --metadata-file DIR/meta.json --iidfile DIR/id")
    found = json.loads((docker.directory / "meta.json").read_text())
    holds(found["buildx.build.ref"].startswith("default/default/"), f"{found}")
    holds(docker.target.expand("@built") in found["image.name"], f"{found}")
    holds(found["containerimage.digest"].startswith("sha256:"), f"{found}")
    same((docker.directory / "id").read_text(), docker.inspect("@built", "image")["Id"])


@scenario("build", "outputs that there are none, and one that writes nothing")
def _(docker: Cli) -> None:
    done = build(docker, "FROM IMAGE\n", "-o type=nope", code=1)
    tells(done, "nope")
    build(docker, "FROM IMAGE\nRUN true\n", "-o type=cacheonly")
    holds("CACHED" in build(docker, "FROM IMAGE\nRUN true\n").err, "nothing is cached")


@scenario("build", "build --push, and what is pushed is pulled by FROM")
def _(docker: Cli) -> None:
    with registry(docker):
        build(docker, "FROM IMAGE\nRUN echo pushed > /a\n", f"--push -t {HOST}/b/pushed:1")
        docker(f"rmi {HOST}/b/pushed:1", out=ANY, code=None)
        docker("image prune -f --filter label=conformance.run=PREFIX", out=ANY)
        build(docker, f"FROM {HOST}/b/pushed:1\nRUN cat /a > /b\n")
        shows(docker, "cat /b", "pushed\n")
        docker(f"rmi {HOST}/b/pushed:1", out=ANY, code=None, err=ANY)


@scenario("build", "imagetools: inspect and create")
def _(docker: Cli) -> None:
    with registry(docker):
        build(docker, "FROM IMAGE\nRUN echo pushed > /a\n", f"--push -t {HOST}/b/tools:1")
        done = docker(f"buildx imagetools inspect {HOST}/b/tools:1")
        holds(f"{HOST}/b/tools:1" in done.out and "Digest:" in done.out, f"{done.out!r}")
        docker(f"buildx imagetools create -t {HOST}/b/tools:2 {HOST}/b/tools:1", err=ANY, out=ANY)
        docker(f"pull -q {HOST}/b/tools:2", out=ANY, timeout=120)
        shows(docker, "cat /a", "pushed\n", f"{HOST}/b/tools:2")
        docker(f"rmi {HOST}/b/tools:1 {HOST}/b/tools:2", out=ANY, code=None, err=ANY)


@scenario("build", "inline cache: an image in a registry is the cache of the next build")
def _(docker: Cli) -> None:
    docker.file("ctx/f", "1\n")
    with registry(docker):
        build(docker, STEPS, f"--push -t {HOST}/b/inline:1 --cache-to type=inline")
        first = docker(f"run --rm {HOST}/b/inline:1 cat /u", err=ANY).word
        docker(f"rmi {HOST}/b/inline:1", out=ANY, code=None)
        docker("buildx prune -af", out=ANY)
        done = build(docker, STEPS, f"-t @built --cache-from {HOST}/b/inline:1")
        tells(done, "importing cache manifest", "CACHED")
    same(docker("run --rm @built cat /u").word, first)


@scenario("build", "a local cache: written, and read by the next build")
def _(docker: Cli) -> None:
    needs_image_store(docker.target)
    docker.file("ctx/f", "1\n")
    build(docker, STEPS, "-t @built --cache-to type=local,dest=DIR/cache,mode=max")
    first = docker("run --rm @built cat /u").word
    docker("rmi -f @built", out=ANY)
    docker("buildx prune -af", out=ANY)
    build(docker, STEPS, "-t @built --cache-from type=local,src=DIR/cache")
    same(docker("run --rm @built cat /u").word, first)


@scenario("build", "a registry's cache: of all stages with mode=max")
def _(docker: Cli) -> None:
    needs_image_store(docker.target)
    docker.file("ctx/f", "1\n")
    text = STEPS.replace("FROM IMAGE", "FROM IMAGE AS one") + "FROM IMAGE\nCOPY --from=one /u /u\n"
    with registry(docker):
        build(docker, text, f"-t @built --cache-to type=registry,ref={HOST}/b/cache:1,mode=max")
        first = docker("run --rm @built cat /u").word
        docker("rmi -f @built", out=ANY)
        docker("buildx prune -af", out=ANY)
        build(docker, text, f"-t @built --cache-from type=registry,ref={HOST}/b/cache:1")
    same(docker("run --rm @built cat /u").word, first)


@scenario("build", "a cache that is not there does no harm")
def _(docker: Cli) -> None:
    with registry(docker):
        done = build(docker, "FROM IMAGE\nRUN true\n", f"-t @built --cache-from {HOST}/b/none:1")
    tells(done, "importing cache manifest from", "not found")


@scenario("build", "rewrite-timestamp: the same inputs give the same digests")
def _(docker: Cli) -> None:
    needs_image_store(docker.target)
    found = []
    for turn in range(2):
        docker.file("ctx/f", "x\n").touch()
        build(
            docker,
            "FROM IMAGE\nCOPY f /f\nRUN mkdir /d; echo y > /d/g\n",
            f"--no-cache --build-arg SOURCE_DATE_EPOCH=1600000000 -o type=oci,dest=DIR/{turn}.tar,rewrite-timestamp=true",
        )
        with tarfile.open(docker.directory / f"{turn}.tar") as tar:
            found.append(json.load(tar.extractfile("index.json"))["manifests"][0]["digest"])  # type: ignore[arg-type]
    same(found[0], found[1])
