"""Images: names, lists, save and load, removal, history."""

import io
import json
import re
import tarfile

from conformance.checks import has, holds, same
from conformance.docker_cli import ANY, Cli, scenario

ID = re.compile(r"sha256:[0-9a-f]{64}\n")


def one_more(docker: Cli, name: str, script: str = "touch /made", change: str = "LABEL made=yes") -> str:
    """An image with one more layer; returns its id."""
    docker(f"run --name @maker IMAGE sh -c '{script}'")
    identifier = docker(f"commit -c '{change}' @maker {name}", out=ID).word
    docker("rm @maker")
    return identifier


@scenario("images", "tag, images, rmi of a name leaves the other", smoke=True)
def _(docker: Cli) -> None:
    docker("tag IMAGE @other:2", out="")
    docker("images --format '{{.Repository}}:{{.Tag}}' @other", out="@other:2\n")
    docker("rmi @other:2", out="Untagged: @other:2\n")
    docker("images -q @other", out="")
    docker("image inspect -f '{{.Os}}' IMAGE", out="linux\n")


@scenario("images", "images: columns, -q, --no-trunc, --digests, several tags of one")
def _(docker: Cli) -> None:
    identifier = one_more(docker, "@made:1")
    docker("tag @made:1 @made:2")
    row = json.loads(docker("images --format json --no-trunc @made:1").out)
    has(
        row,
        {
            "Repository": docker.target.expand("@made"),
            "Tag": "1",
            "ID": identifier,
            "CreatedSince": re.compile(".* ago"),
        },
    )
    docker("images -q @made", out=f"{identifier[7:19]}\n{identifier[7:19]}\n")
    same(sorted(docker("images --format '{{.Tag}}' @made").lines), ["1", "2"])


@scenario("images", "filters: reference, label, before, since, dangling")
def _(docker: Cli) -> None:
    one_more(docker, "@made:1")
    docker("images --format '{{.Repository}}' --filter reference=PREFIX*:1 --filter label=made", out="@made\n")
    docker(
        "images --format '{{.Repository}}' --filter label=made=yes --filter label=conformance.run=PREFIX", out="@made\n"
    )
    docker("images --format '{{.Repository}}' --filter since=IMAGE --filter label=made", out="@made\n")
    docker("images -q --filter before=IMAGE --filter label=made", out="")
    docker("images -q --filter dangling=true --filter label=made", out="")
    done = docker("images --filter nothing=1", code=1)
    holds("invalid filter 'nothing'" in done.err, f"errors: {done.err!r}")


@scenario("images", "save and load: the same image, its names, several at once")
def _(docker: Cli) -> None:
    identifier = one_more(docker, "@made:1")
    docker("tag @made:1 @other:x")
    docker("save -o DIR/i.tar @made:1 @other:x", out="")
    docker("rmi @made:1 @other:x", out=ANY)
    done = docker("load -i DIR/i.tar")
    same(sorted(done.lines), sorted(f"Loaded image: {docker.target.prefix}{name}" for name in ("made:1", "other:x")))
    same(docker.inspect("@made:1", "image")["Id"], identifier, "Id")
    docker("run --rm @other:x ls /made", out="/made\n")


@scenario("images", "save to standard output is an OCI layout that load takes from standard input")
def _(docker: Cli) -> None:
    one_more(docker, "@made:1")
    raw = docker("save @made:1").raw
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        names = set(tar.getnames())
        holds({"index.json", "oci-layout", "manifest.json"} <= names, f"names: {sorted(names)[:20]}")
        listed = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        holds(all(layer in names for layer in listed[0]["Layers"]), "layers of manifest.json are not in it")
        same(listed[0]["RepoTags"], [docker.target.expand("@made:1")])
    docker("rmi @made:1", out=ANY)
    docker("load -q", stdin=raw, out="Loaded image: @made:1\n")


@scenario("images", "load of what is no archive, save of what is not there")
def _(docker: Cli) -> None:
    docker("load", stdin="not a tar", code=1)
    done = docker("save -o DIR/x @nothing", code=1)
    holds("No such image" in done.err or "reference does not exist" in done.err, f"errors: {done.err!r}")


@scenario("images", "rmi: used by a container, by id with several names, by force")
def _(docker: Cli) -> None:
    identifier = one_more(docker, "@made:1")
    docker("run -d --name @c @made:1 sleep 1000")
    done = docker("rmi @made:1", code=1)
    holds(
        "conflict: unable to remove repository reference" in done.err or "conflict: unable to delete" in done.err,
        done.err,
    )
    holds(
        "is using its referenced image" in done.err or "image is being used by running container" in done.err, done.err
    )
    docker("rm -f @c")
    docker("tag @made:1 @other:1")
    done = docker(f"rmi {identifier}", code=1)
    holds("image is referenced in multiple repositories" in done.err, f"errors: {done.err!r}")
    done = docker(f"rmi -f {identifier}")
    holds("Untagged: " in done.out, f"output: {done.out!r}")
    docker("image inspect @made:1", code=1)


@scenario("images", "rmi tells what was untagged and deleted")
def _(docker: Cli) -> None:
    identifier = one_more(docker, "@made:1")
    lines = docker("rmi @made:1").lines
    same(lines[0], docker.target.expand("Untagged: @made:1"))
    holds(f"Deleted: {identifier}" in lines, f"lines: {lines}")
    docker("rmi @made:1", code=1, err=re.compile("Error response from daemon: No such image: @made:1"))


@scenario("images", "by short id, by digest, by a wrong name")
def _(docker: Cli) -> None:
    identifier = one_more(docker, "@made:1")
    for way in (identifier, identifier[7:], identifier[7:19], "@made:1"):
        docker(f"image inspect -f '{{{{.Id}}}}' {way}", out=f"{identifier}\n")
    done = docker("image inspect UPPER/Case", code=1)
    holds("invalid reference format" in done.err, f"errors: {done.err!r}")
    docker("tag IMAGE not//good", code=1)
    done = docker("tag @nothing @x", code=1)
    holds("No such image: " in done.err, f"errors: {done.err!r}")


@scenario("images", "history: sizes, comments, who made it")
def _(docker: Cli) -> None:
    one_more(docker, "@made:1", "head -c 3000000 /dev/zero > /big", "ENV A=1")
    rows = [json.loads(line) for line in docker("history --format json --no-trunc @made:1").lines]
    same(rows[0]["Size"], "3MB")
    holds("head -c 3000000" in rows[0]["CreatedBy"], f"CreatedBy {rows[0]['CreatedBy']!r}")
    docker("history -q @made:1", out=ANY)


@scenario("images", "inspect: the whole Config of the base image")
def _(docker: Cli) -> None:
    image = docker.inspect("IMAGE", "image")
    has(image, {"Os": "linux", "RepoTags": [docker.target.image], "RootFS": {"Type": "layers"}, "Author": ""})
    has(image["Config"], {"Cmd": ["sh"], "Labels": {"conformance.run": docker.target.prefix}})
    holds(image["Size"] > 500_000, f"Size {image['Size']}")
    holds(re.fullmatch(r"\d{4}-\d\d-\d\dT.*", image["Created"]) is not None, f"Created {image['Created']!r}")


@scenario("images", "prune: dangling ones, then with -a unused ones")
def _(docker: Cli) -> None:
    one_more(docker, "@made:1", change="LABEL @prune=1")
    docker("run --name @m2 @made:1 touch /more")
    docker("commit @m2 @made:1", out=ANY)
    docker("rm @m2")
    done = docker("image prune -f --filter label=@prune")
    holds("Total reclaimed space: " in done.out, f"output: {done.out!r}")
    docker("image inspect @made:1", out=ANY)
    done = docker("image prune -af --filter label=@prune")
    holds(f"untagged: {docker.target.expand('@made:1')}" in done.out.lower(), f"output: {done.out!r}")


@scenario("images", "import with a message, changes and a platform")
def _(docker: Cli) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("f")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"hello"))
    docker("import -m note -c 'LABEL k=v' -c 'WORKDIR /w' - @flat:1", stdin=out.getvalue(), out=ID)
    image = docker.inspect("@flat:1", "image")
    has(image, {"Comment": "note", "Config": {"Labels": {"k": "v"}, "WorkingDir": "/w"}})
    docker("create --name @c @flat:1 x")
    with tarfile.open(fileobj=io.BytesIO(docker("cp @c:/f -").raw)) as tar:
        same([member.name for member in tar], ["f"])


@scenario("images", "an image without a command cannot be created without one")
def _(docker: Cli) -> None:
    docker("import - @flat:1", stdin=tar_of_nothing(), out=ID)
    done = docker("create @flat:1", code=1)
    holds("no command specified" in done.err, f"errors: {done.err!r}")


def tar_of_nothing() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w"):
        pass
    return out.getvalue()


@scenario("images", "what an image brings: environment, volumes, ports, user, entrypoint, stop signal")
def _(docker: Cli) -> None:
    docker("run --name @maker IMAGE true")
    docker(
        "commit -c 'ENV A=image B=image' -c 'VOLUME /v' -c 'EXPOSE 81/udp' -c 'USER nobody' -c 'WORKDIR /tmp' "
        "-c 'ENTRYPOINT [\"sh\", \"-c\"]' -c 'CMD [\"echo $A $B; pwd; id -u\"]' -c 'STOPSIGNAL SIGINT' @maker @made:1",
        out=ID,
    )
    docker("run --rm -e B=own @made:1", out="image own\n/tmp\n65534\n")
    docker("create --name @c @made:1")
    config = docker.inspect("@c")
    has(config["Config"], {"ExposedPorts": {"81/udp": {}}, "StopSignal": "SIGINT", "Volumes": {"/v": {}}})
    same([mount["Destination"] for mount in config["Mounts"]], ["/v"])
