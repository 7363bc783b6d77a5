"""Images made here, each with what is rare in it: many layers, marks, links, attributes, holes, names, compressions, platforms.

All have the same busybox below, so that they run.
"""

import functools
import gzip
import random
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from tests.images import image
from tests.tars import Member, directory, entry, symlink, tar_of
from wharfd.model.image import RunConfig
from wharfd.wire.oci.archives import PackedImage

XATTR = "SCHILY.xattr."
OLD, NEW = 86_400 * 365, 4_102_444_800  # 1971 and 2100
Pack = Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`layers` are plain tars, the lowest first; `pack` is how each lies in the archive.  `only_here`: dockerd refuses it."""

    name: str
    layers: list[bytes]
    pack: list[Pack] = field(default_factory=list)
    architectures: tuple[str, ...] = ("amd64",)
    only_here: bool = False

    @property
    def ref(self) -> str:
        return f"wharfd/real:{self.name}"

    def images(self) -> list[PackedImage]:
        """One for each platform; the others have a file more."""
        found = []
        for architecture in self.architectures:
            layers = self.layers if architecture == "amd64" else [*self.layers, tar_of(entry(architecture, b"another"))]
            packs = [self.pack[number % len(self.pack)] if self.pack else plain for number in range(len(layers))]
            stored = [pack(layer) for pack, layer in zip(packs, layers, strict=True)]
            run = RunConfig(env=["PATH=/bin"], cmd=["true"])
            found.append(image(self.ref, layers=layers, stored=stored, architecture=architecture, run=run))
        return found


def plain(data: bytes) -> bytes:
    return data


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


def zstandard_packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(3).compress(data)


@functools.cache
def base() -> bytes:
    """Debian's busybox and what a shell needs."""
    program = Path("/bin/busybox").read_bytes()
    applets = ("sh", "cat", "echo", "ls", "sleep", "true")
    return tar_of(
        *(directory(name, mtime=OLD) for name in ("bin", "etc", "dev", "proc", "sys")),
        directory("tmp", mode=0o1777, mtime=OLD),
        entry("bin/busybox", program, mode=0o755, mtime=OLD),
        *(hard_link(f"bin/{name}", "bin/busybox", mode=0o755) for name in applets),
        file("etc/passwd", "root:x:0:0:root:/:/bin/sh\n"),
    )


def file(name: str, text: str = "", **fields: Any) -> Member:
    return entry(name, text.encode(), **{"mode": 0o644, "mtime": OLD, **fields})


def hard_link(name: str, target: str, **fields: Any) -> Member:
    """Archives repeat the attributes of the file at each of its names: the defaults are those of `file`."""
    return file(name, "", **{"type": tarfile.LNKTYPE, "linkname": target, **fields})


def forty_layers(seed: int = 1, layers: int = 40) -> Kind:
    """Each layer adds, replaces, removes, hides and links, by chance."""
    chance = random.Random(seed)
    tars = [base()]
    kinds: dict[str, str] = {}  # what is shown, below "tree"
    folders: dict[str, Member] = {}

    def gone(name: str) -> None:
        for each in [each for each in kinds if each == name or each.startswith(f"{name}/")]:
            del kinds[each]

    for number in range(layers - 1):
        made: list[Member] = [directory("tree", mtime=OLD + number)]
        touched: set[str] = set()
        if number == 0:
            for top in range(6):
                kinds[f"tree/d{top}"] = "directory"
                made.append(directory(f"tree/d{top}", mode=0o750, uid=top, gid=7, mtime=OLD))
                touched.add(f"tree/d{top}")

        def free(kind: str, touched: set[str] = touched) -> list[str]:
            """Names of that kind that this layer has said nothing about."""
            return [
                each
                for each, found in kinds.items()
                if found == kind
                and not any(each == t or each.startswith(f"{t}/") or t.startswith(f"{each}/") for t in touched)
            ]

        for step in range(8):
            name = f"{chance.choice([each for each, kind in kinds.items() if kind == 'directory'])}/{chance.choice('fghl')}{number}_{step}"
            what = chance.choice(
                ["new", "new", "replace", "remove", "opaque", "folder", "unfold", "link", "far", "symlink"]
            )
            if what == "new":
                made.append(
                    file(
                        name,
                        f"{number} {step}" * chance.randint(0, 99),
                        mode=0o600 + step,
                        uid=step,
                        mtime=OLD + number,
                    )
                )
                kinds[name] = "file"
            elif what == "symlink":
                made.append(symlink(name, f"../{number}", uid=step, mtime=OLD + number))
                kinds[name] = "symlink"
            elif what == "folder":
                made.append(directory(name, mode=0o700 + step, gid=step, mtime=OLD + number))
                kinds[name] = "directory"
            elif what == "link":
                made += [file(name, f"linked {number}", mtime=OLD), hard_link(f"{name}~", name)]
                kinds[name] = kinds[f"{name}~"] = "file"
                touched.add(f"{name}~")
            elif what == "replace" and (found := free("file")):
                name = chance.choice(found)
                made.append(file(name, f"again {number}", gid=number, mtime=OLD + number))
            elif what == "remove" and (found := free("file") + free("symlink")):
                name = chance.choice(found)
                folder, _, base_name = name.rpartition("/")
                made.append(file(f"{folder}/.wh.{base_name}"))
                gone(name)
            elif what == "unfold" and (found := [each for each in free("directory") if each.count("/") > 1]):
                name = chance.choice(found)
                folder, _, base_name = name.rpartition("/")
                gone(name)
                if chance.random() < 0.5:
                    made.append(file(f"{folder}/.wh.{base_name}"))
                else:
                    made.append(file(name, "was a directory", mtime=OLD + number))
                    kinds[name] = "file"
            elif what == "opaque" and (found := [each for each in free("directory") if each.count("/") > 0]):
                name = chance.choice(found)
                gone(name)
                made += [
                    directory(name, mode=0o711, mtime=OLD + number),
                    file(f"{name}/.wh..wh..opq"),
                    file(f"{name}/anew", f"{number}", mtime=OLD),
                ]
                kinds[name], kinds[f"{name}/anew"] = "directory", "file"
            else:
                continue
            touched.add(name)
        tars.append(tar_of(*with_parents(made, folders)))
    return Kind(name="forty", layers=tars)


def with_parents(made: list[Member], folders: dict[str, Member]) -> list[Member]:
    """As engines write layers: each directory on the way to a member is named before it.  `folders` are known, and get to know more."""
    folders.update((info.name, (info, data)) for info, data in made if info.isdir())
    emitted: set[str] = set()
    found: list[Member] = []
    for info, data in made:
        parts = info.name.split("/")
        for end in range(1, len(parts)):
            parent = "/".join(parts[:end])
            if parent not in emitted:
                emitted.add(parent)
                found.append(folders[parent])
        if not (info.isdir() and info.name in emitted):
            emitted.add(info.name)
            found.append((info, data))
    return found


def far_links() -> Kind:
    """Hard links to files that only a layer below has."""
    far = {"uid": 3, "mode": 0o4755}
    first = [directory("far", mtime=OLD), file("far/a", "the file", **far), file("far/other", "x")]
    second = [
        directory("far", mtime=OLD),
        directory("far/deep", mode=0o700, uid=9, mtime=OLD),
        hard_link("far/deep/b", "far/a", **far),
        hard_link("far/c", "far/a", **far),
        hard_link("far/d", "far/deep/b", **far),
    ]
    third = [
        directory("far", mtime=OLD),
        file("far/.wh.a"),
        directory("far/deep", mode=0o700, uid=9, mtime=OLD),
        file("far/deep/.wh.b"),
        hard_link("far/e", "far/other"),
    ]
    fourth = [directory("far", mtime=OLD), file("far/.wh.other")]
    return Kind(
        name="far-links", layers=[base(), *(tar_of(*each) for each in (first, second, third, fourth))], only_here=True
    )


def near_links() -> Kind:
    """Hard links within a layer, of which layers above take single names away."""
    first = [
        directory("near", mtime=OLD),
        file("near/1", "one"),
        *(hard_link(f"near/{n}", "near/1") for n in range(2, 9)),
    ]
    second = [directory("near", mtime=OLD), file("near/.wh.1"), file("near/3", "its own now", mode=0o755)]
    third = [
        directory("near", mtime=OLD),
        file("near/9", "nine"),
        hard_link("near/10", "near/9"),
        symlink("near/11", "9"),
    ]
    return Kind(name="near-links", layers=[base(), *(tar_of(*each) for each in (first, second, third))])


def capability(*numbers: int) -> str:
    """The value of security.capability, revision 2, effective."""
    permitted = sum(1 << number for number in numbers)
    return struct.pack("<IIIII", 0x02000001, permitted & 0xFFFFFFFF, 0, permitted >> 32, 0).decode("latin-1")


def attributes() -> Kind:
    """Set-id bits, large ids, odd times, devices, extended attributes and file capabilities."""
    far = {f"{XATTR}security.capability": capability(10, 13)}
    first = [
        directory("at", mode=0o2775, uid=1000, gid=1001, mtime=OLD),
        directory("at/sticky", mode=0o1777, mtime=NEW),
        file("at/ping", "x", pax=far, mode=0o755),
        file("at/owned-and-able", "x", pax=far, mode=0o755, uid=5, gid=6),
        file("at/setuid", "x", mode=0o4755, uid=1),
        file("at/setgid", "x", mode=0o2711, gid=2),
        file("at/nothing", "x", mode=0),
        file("at/large-ids", "x", uid=3_000_000_000, gid=2_999_999_999),
        file("at/old", "x", mtime=1),
        file("at/new", "x", mtime=NEW),
        entry("at/fifo", type=b"6", mode=0o640, mtime=OLD),
        entry("at/null", type=b"3", mode=0o666, devmajor=1, devminor=3, mtime=OLD),
        entry("at/loop", type=b"4", mode=0o660, devmajor=7, devminor=9, mtime=OLD),
        symlink("at/gone", "/nowhere/at all", uid=12, gid=13, mtime=OLD),
        symlink("at/self", ".", mtime=OLD),
    ]
    second = [
        directory("at", mode=0o3770, uid=1002, gid=1003, mtime=NEW),
        file("at/ping", "replaced, and without its capability"),
        file("at/late", "x", pax=far, mode=0o700),
    ]
    return Kind(name="attributes", layers=[base(), tar_of(*first), tar_of(*second)])


def user_attributes() -> Kind:
    """Attributes that programs set for themselves."""
    noted = {f"{XATTR}user.note": "written down", f"{XATTR}user.empty": ""}
    members = [
        directory("ua", mtime=OLD, pax=noted),
        file("ua/file", "x", pax={**noted, f"{XATTR}user.long": "l" * 1500}),
    ]
    return Kind(name="user-attributes", layers=[base(), tar_of(*members)])


def sparse(size: int = 8 << 20) -> Kind:
    """Files with holes, and one that is large and has none."""
    layers = [base(), *(holes(size, "pax", version) for version in ("0.0", "0.1", "1.0"))]
    layers.append(tar_of(entry("large", random.Random(3).randbytes(size), mtime=OLD)))
    return Kind(name="sparse", layers=layers, pack=[zipped])


def sparse_gnu(size: int = 8 << 20) -> Kind:
    """Files with holes in the oldest format, which dockerd refuses."""
    return Kind(name="sparse-gnu", layers=[base(), holes(size, "gnu", "")], pack=[zipped], only_here=True)


def holes(size: int, form: str, version: str) -> bytes:
    """As GNU tar writes them."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "holes")
        place.mkdir()
        with (place / "front").open("wb") as out:
            out.seek(size)
            out.write(b"end")
        with (place / "back").open("wb") as out:
            out.write(b"begin")
            out.truncate(size)
        (place / "nothing").write_bytes(b"")
        with (place / "only").open("wb") as out:
            out.truncate(size)
        with (place / "many").open("wb") as out:
            for number in range(40):
                out.seek(number * (size // 40))
                out.write(b"%d" % number * 500)
        words = [f"--format={form}", *([f"--sparse-version={version}"] if version else [])]
        done = subprocess.run(
            ["tar", "-c", "--sparse", "--sort=name", "--owner=0", "--group=0", "--mtime=@86400", *words,
             f"--transform=s,^holes,{form}{version},", "-C", folder, "holes"],
            check=True, capture_output=True,
        )  # fmt: skip
    return done.stdout


def names() -> Kind:
    """Names that are not UTF-8, long, hold newlines, blanks, quotes, backslashes, or look like something else."""
    odd = [
        "caf\udce9", "\udcff\udcfe", "new\nline", "tab\tand blank ", "back\\slash", "quote'\"", "*", "-rf", "..." , "a:b", "日本語",
        "e\u0301", "\u00e9", "n" * 255, "é" * 127, "\x01\x1b[31m", "%41", "#", "?x=1", " ", ".wharf", "wh.notmark",
    ]  # fmt: skip
    made = [
        directory("odd", mtime=OLD),
        *(file(f"odd/{name}", name.encode("utf-8", "surrogateescape").hex()) for name in odd),
    ]
    deep = "odd/" + "/".join(f"{'d' * 90}{number}" for number in range(12))
    parts = deep.split("/")
    made += [directory("/".join(parts[: end + 1]), mtime=OLD) for end in range(1, len(parts))]
    made += [
        file(f"{deep}/{'f' * 200}", "deep"),
        hard_link("odd/link", f"{deep}/{'f' * 200}"),
        symlink("odd/symlink", "t" * 1000, mtime=OLD),
        symlink("odd/bytes", "../\udce9/\n", mtime=OLD),
    ]
    gnu = [
        directory("gnu", mtime=OLD),
        directory(f"gnu/{'g' * 180}", mtime=OLD),
        file(f"gnu/{'g' * 180}/{'h' * 120}", "x"),
    ]
    removing = [directory("odd", mtime=OLD), file("odd/.wh.new\nline"), file("odd/.wh.caf\udce9"), file("odd/.wh.*")]
    return Kind(
        name="names",
        layers=[base(), tar_of(*made), tar_of(*gnu, kind=tarfile.GNU_FORMAT), tar_of(*removing)],
        pack=[zipped],
    )


def compressions() -> Kind:
    members = [[directory(f"c{n}", mtime=OLD), *(file(f"c{n}/{m}", f"{m}" * m) for m in range(300))] for n in range(5)]
    return Kind(
        name="compressions",
        layers=[base(), *(tar_of(*each) for each in members)],
        pack=[zipped, zstandard_packed, plain],
    )


def platforms() -> Kind:
    return Kind(
        name="platforms", layers=[base(), tar_of(file("for", "all"))], pack=[zipped], architectures=("amd64", "arm64")
    )


KINDS: dict[str, Callable[[], Kind]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        forty_layers, far_links, near_links, attributes, user_attributes, sparse, sparse_gnu, names, compressions, platforms,
    )
}  # fmt: skip
