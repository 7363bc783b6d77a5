"""Images of real programs, made on this machine from Debian's packages: a small root file system around busybox, without a package manager.

They take the variables and keep the places that users know from the publishers' images, but are none of theirs; their labels say so.
"""

import contextlib
import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.images import BUSYBOX, packed
from wharfd.cli.base_image import applets

CACHE = Path(os.environ.get("WHARF_IMAGES", "/var/tmp/wharf-conformance-images"))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MERGED = ("bin", "sbin", "lib", "lib64")  # links into usr
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"

POSTGRES_LEFT_OUT = (
    "perl libperl dpkg debconf adduser passwd libc-bin tar sysvinit locales libllvm libz3 libclang ucf ssl-cert openssl usrmerge libc-l10n"
).split()
PYTHON_LEFT_OUT = "perl dpkg debconf adduser passwd libc-bin tar sysvinit".split()
POSTGRES_START = """#!/bin/sh
# Make the database at the first start, then serve it; POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and PGDATA as usual.
set -eu
user=${POSTGRES_USER:-postgres}
mkdir -p "$PGDATA" /run/postgresql
chown -R postgres:postgres "$PGDATA" /run/postgresql
chmod 700 "$PGDATA"
if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf '%s\\n' "${POSTGRES_PASSWORD:?must be set}" > /tmp/password
    chown postgres /tmp/password
    gosu postgres initdb --no-sync -D "$PGDATA" -U "$user" -E UTF8 --locale=C -A scram-sha-256 --auth-local=trust --pwfile=/tmp/password
    rm /tmp/password
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    gosu postgres pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    name=${POSTGRES_DB:-$user}
    [ "$name" = postgres ] || psql -v ON_ERROR_STOP=1 -U "$user" -d postgres -c "CREATE DATABASE \\"$name\\""
    for file in /docker-entrypoint-initdb.d/*.sql; do
        [ ! -f "$file" ] || psql -v ON_ERROR_STOP=1 -U "$user" -d "$name" -f "$file"
    done
    gosu postgres pg_ctl -D "$PGDATA" -m fast -w stop
    echo 'PostgreSQL init process complete; ready for start up.'
fi
[ "${1:-}" != postgres ] || set -- gosu postgres "$@"
exec "$@"
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`left_out`: beginnings of names of packages that are not needed to run it.  `links`: programs to have in /usr/local/bin, as globs."""

    name: str
    packages: Sequence[str]
    user: str
    config: dict[str, object]
    left_out: Sequence[str] = ()
    links: Sequence[str] = ()
    files: dict[str, str] = field(default_factory=dict)
    folders: Sequence[str] = ()


RYUK = (Path(__file__).parent / "ryuk.py").read_text()

RECIPES = {
    each.name: each
    for each in (
        Recipe(
            name="redis",
            packages=["redis-server"],
            user="redis:x:999:999::/data:/bin/false",
            left_out=("perl", "dpkg", "debconf", "adduser", "passwd", "libc-bin", "tar", "sysvinit"),
            folders=("data",),
            config={
                "Cmd": ["redis-server", "--protected-mode", "no"],
                "ExposedPorts": {"6379/tcp": {}},
                "Volumes": {"/data": {}},
                "WorkingDir": "/data",
            },
        ),
        Recipe(
            name="postgres",
            packages=["postgresql", "gosu"],
            user="postgres:x:999:999::/var/lib/postgresql:/bin/sh",
            left_out=POSTGRES_LEFT_OUT,
            links=("usr/lib/postgresql/*/bin/*",),
            files={"usr/local/bin/docker-entrypoint.sh": POSTGRES_START},
            folders=("docker-entrypoint-initdb.d", "var/lib/postgresql/data"),
            config={
                "Entrypoint": ["docker-entrypoint.sh"],
                "Cmd": ["postgres", "-c", "listen_addresses=*", "-c", "fsync=off"],
                "Env": ["PGDATA=/var/lib/postgresql/data"],
                "ExposedPorts": {"5432/tcp": {}},
                "Volumes": {"/var/lib/postgresql/data": {}},
                "StopSignal": "SIGINT",
            },
        ),
        Recipe(
            name="ryuk",
            packages=["python3"],
            user="ryuk:x:999:999::/:/bin/false",
            left_out=PYTHON_LEFT_OUT,
            files={"ryuk.py": RYUK},
            config={"Cmd": ["python3", "-u", "/ryuk.py"], "ExposedPorts": {"8080/tcp": {}}},
        ),
    )
}


def make_layer(kind: str) -> Path:
    """The file of its layer in CACHE, made at the first use (seconds, from apt's mirrors).

    Raises:
        RuntimeError: apt could not fetch it; holds what it said.
    """
    recipe = RECIPES[kind]
    made_from = hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]
    kept = CACHE / f"{kind}-{made_from}.tar"
    if not kept.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as place:
            tree = Path(place) / "tree"
            fetch(recipe, Path(place), tree)
            layer = pack(tree, recipe)
        beside = kept.with_suffix(f".{os.getpid()}")
        beside.write_bytes(layer)
        beside.rename(kept)
    return kept


def debian_image(kind: str, name: str) -> bytes:
    """An archive for `/images/load`.  Raises as `make_layer`."""
    recipe, kept = RECIPES[kind], make_layer(kind)
    environment = [f"PATH={PATH}", *recipe.config.get("Env", ())]  # type: ignore[misc]
    origin = {
        "wharfd.origin": f"made on this machine from Debian's packages {' '.join(recipe.packages)}; not the publisher's image"
    }
    return packed(name, [kept.read_bytes()], {**recipe.config, "Env": environment, "Labels": origin})


def fetch(recipe: Recipe, place: Path, tree: Path) -> None:
    """The package and all that it depends on, unpacked; none of their scripts is run."""
    (place / "archives/partial").mkdir(parents=True)
    (place / "status").touch()
    options = {"Dir::State::status": place / "status", "Dir::Cache::archives": place / "archives"}
    options |= {"APT::Sandbox::User": "root", "APT::Install-Recommends": "false"}  # type: ignore[dict-item]
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    done = subprocess.run(
        ["apt-get", "-qy", *words, "--download-only", "install", *recipe.packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"apt-get could not fetch {recipe.packages}: {done.stderr.strip()[-300:]}")
    for link in MERGED:
        (tree / "usr" / link).mkdir(parents=True, exist_ok=True)
        (tree / link).symlink_to(f"usr/{link}")
    for package in sorted((place / "archives").glob("*.deb")):
        if not package.name.startswith(tuple(recipe.left_out)):
            subprocess.run(["dpkg", "-x", str(package), str(tree)], check=True)


def pack(tree: Path, recipe: Recipe) -> bytes:
    """The tree as a layer, with busybox for all that Debian's packages do not bring."""
    for unwanted in ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/lintian"):
        subprocess.run(["rm", "-rf", str(tree / unwanted)], check=True)
    (tree / "usr/bin/busybox").write_bytes(Path(BUSYBOX).read_bytes())
    (tree / "usr/bin/busybox").chmod(0o755)
    for path in applets(BUSYBOX):
        place = tree / "usr" / path.removeprefix("usr/")
        if not os.path.lexists(place) and place.parent.is_dir():
            place.symlink_to("/usr/bin/busybox")
    for folder in (*recipe.folders, "tmp", "root", "run", "proc", "sys", "dev", "etc", "var/tmp", "usr/local/bin"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
    (tree / "tmp").chmod(0o1777)
    if not os.path.lexists(tree / "var/run"):
        (tree / "var/run").symlink_to("/run")
    name, number = recipe.user.split(":")[0], recipe.user.split(":")[2]
    texts = {"etc/passwd": f"{USERS}{recipe.user}\n", "etc/group": f"{GROUPS}{name}:x:{number}:\n"}
    for path, text in {**texts, **recipe.files}.items():
        (tree / path).write_text(text)
        (tree / path).chmod(0o755 if text.startswith("#!") else 0o644)
    for pattern in recipe.links:
        for program in sorted(tree.glob(pattern)):
            with contextlib.suppress(FileExistsError):
                (tree / "usr/local/bin" / program.name).symlink_to("/" + str(program.relative_to(tree)))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in ("", *sorted(str(each.relative_to(tree)) for each in tree.rglob("*"))):
            tar.add(tree / path, arcname=f"./{path}", recursive=False)
    return out.getvalue()
