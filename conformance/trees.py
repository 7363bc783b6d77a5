"""Images that two engines build from the same Dockerfiles, compared file by file and layer by layer; times are left out.

The Dockerfiles (`dockerfiles/`) have the structure of well-known projects' ones; what those fetch from the network comes from the context.
"""

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from conformance.building import packed_tar
from conformance.target import Target

DOCKERFILES = Path(__file__).parent / "dockerfiles"
FILES = {
    "package.json": '{"name": "app"}\n',
    "package-lock.json": "{}\n",
    "requirements.txt": "first\nsecond\n",
    "src/main.txt": "main\n",
    "src/other.txt": "other\n",
    "src/deep/inner.txt": "inner\n",
    "conf/main.conf": "listen 80;\n",
    "conf/extra.conf": "extra on;\n",
    "static/index.html": "<p>index</p>\n",
    "static/css/site.css": "p { }\n",
    "static/css/site.css.map": "{}\n",
    "static/top.map": "{}\n",
    "scripts/entrypoint.sh": '#!/bin/sh\nset -e\nexec "$@"\n',
    "ignored.log": "not of the context\n",
    ".dockerignore": "*.log\n*.Dockerfile\n",
}
PACKED = {"vendor/lib/a.txt": "a\n", "vendor/lib/b.txt": "b\n", "vendor/README": "read me\n"}

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"

Layer = dict[str, str]  # what there is to say of a file, by its path


def write_context(directory: Path) -> None:
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (directory / "scripts/entrypoint.sh").chmod(0o755)
    (directory / "static/latest.html").symlink_to("index.html")
    (directory / "vendor.tar.gz").write_bytes(packed_tar(PACKED, "w:gz"))


def built_layers(target: Target, docker: str, dockerfile: Path, directory: Path) -> list[Layer]:
    """Raises RuntimeError when it is not built."""
    environment = {**os.environ, "DOCKER_HOST": f"unix://{target.socket}", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    name = f"{target.prefix}tree:1"
    file, archive = directory.parent / dockerfile.name, directory.parent / "image.tar"
    file.write_text(target.expand(dockerfile.read_text()))
    for words in (
        ["build", "--no-cache", "-q", "-t", name, "-f", str(file), str(directory)],
        ["save", "-o", str(archive), name],
    ):
        done = subprocess.run([docker, *words], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{target.name}: docker {words[0]}: {done.stderr[-2000:]}")
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
        return [layer_of(tar, path) for path in manifest["Layers"]]


def layer_of(image: tarfile.TarFile, path: str) -> Layer:
    found: Layer = {}
    with tarfile.open(fileobj=image.extractfile(path)) as tar:
        for each in tar:
            content = ""
            if each.isreg():
                file = tar.extractfile(each)
                content = hashlib.sha256(file.read() if file else b"").hexdigest()[:16]
            kind = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory"}.get(each.type, each.type.decode())
            attributes = {key: value for key, value in each.pax_headers.items() if key.startswith("SCHILY.xattr")}
            words = [kind, oct(each.mode), f"{each.uid}:{each.gid}", each.linkname, content, str(attributes or "")]
            found["/" + each.name.strip("/")] = " ".join(word for word in words if word)
    return found


def differences(one: list[Layer], other: list[Layer]) -> Iterator[str]:
    """Of the files as they are with each layer: a deletion may be told in several ways, and a directory may be told of again."""
    if len(one) != len(other):
        yield f"{len(one)} layers / {len(other)}"
    mine: Layer = {}
    theirs: Layer = {}
    told: set[str] = set()
    for number, layers in enumerate(zip(one, other, strict=False)):
        mine, theirs = apply(mine, layers[0]), apply(theirs, layers[1])
        for path in sorted(mine.keys() | theirs.keys()):
            line = f"{path}: {mine.get(path, 'not there')} / {theirs.get(path, 'not there')}"
            if mine.get(path) != theirs.get(path) and line not in told:
                told.add(line)
                yield f"layer {number}: {line}"


def apply(tree: Layer, layer: Layer) -> Layer:
    """The tree with a layer on it."""
    gone = []
    for path in layer:
        directory, _, name = path.rpartition("/")
        if name == OPAQUE:
            gone.append(f"{directory}/")
        elif name.startswith(WHITEOUT):
            gone.append(f"{directory}/{name.removeprefix(WHITEOUT)}")
    kept = {
        path: what
        for path, what in tree.items()
        if not any(path == each or path.startswith(each.rstrip("/") + "/") for each in gone)
    }
    return kept | {path: what for path, what in layer.items() if not path.rpartition("/")[2].startswith(WHITEOUT)}


def compared_trees(one: Target, other: Target, docker: str, words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each Dockerfile's name and how the two results differ."""
    with tempfile.TemporaryDirectory(prefix="conformance-trees-", dir=one.share) as place:
        context = Path(place) / "ctx"
        write_context(context)
        one.prepare()
        other.prepare()
        try:
            for dockerfile in sorted(DOCKERFILES.glob("*.Dockerfile")):
                if words and not any(word in dockerfile.name for word in words):
                    continue
                try:
                    layers = [built_layers(target, docker, dockerfile, context) for target in (one, other)]
                except RuntimeError as e:
                    yield dockerfile.stem, [str(e)]
                else:
                    yield dockerfile.stem, list(differences(*layers))
        finally:
            one.close()
            other.close()
