"""The local base image: a small root file system around Debian's statically linked busybox, for machines without a registry.

It is called `wharfd/busybox:local` and says in its labels how it was made, so that nobody takes it for the busybox project's image.
On one machine the result is the same each time.
"""

import hashlib
import os
import struct
import subprocess  # noqa: TID251 - the front door; run once, before there is an engine
import sys
from collections.abc import Iterator

from wharfd.model.errors import Unavailable
from wharfd.model.image import HistoryEntry, RunConfig
from wharfd.wire.oci import ConfigDocument, RootFS, digest_of, encode_config, from_machine
from wharfd.wire.oci.archives import PackedImage, oci_archive
from wharfd.wire.tarstream import END, Entry, Kind, header, padding
from wharfd.wire.timestamps import format_rfc3339_nano

NAME = "wharfd/busybox:local"
BUSYBOX = "/bin/busybox"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

DIRECTORIES = (
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("lib", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("sbin", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("usr/bin", 0o755),
    ("usr/sbin", 0o755),
    ("var", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
)
FILES = (
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n"
        "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
        "bin:x:2:2:bin:/bin:/bin/false\n"
        "www-data:x:33:33:www-data:/var/www:/bin/false\n"
        "nobody:x:65534:65534:nobody:/home:/bin/false\n",
    ),
    (
        "etc/group",
        "root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\ndisk:x:6:\nwheel:x:10:root\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n",
    ),
    ("etc/shells", "/bin/sh\n/bin/ash\n"),
)


def base_image_archive(busybox: str = BUSYBOX) -> bytes:
    """The archive for `/images/load`.

    Raises:
        Unavailable: there is no statically linked busybox.
    """
    try:
        with open(busybox, "rb") as file:
            program = file.read()
            mtime_s = int(os.fstat(file.fileno()).st_mtime)
    except OSError as e:
        raise Unavailable(f"{busybox}: {e.strerror} (Debian package busybox-static)") from e
    if not is_static(program):
        raise Unavailable(f"{busybox} needs shared libraries: install the package busybox-static in its place")
    layer = b"".join(root_file_system(program, applets(busybox), mtime_s))
    image = PackedImage(config=config_of(program, layer, mtime_s), layers=[layer], names=[NAME])
    return b"".join(oci_archive([image]))


def write_base_image(path: str) -> int:
    """For the command line; returns the exit code."""
    try:
        archive = base_image_archive()
    except Unavailable as e:
        print(f"wharfd: {e}", file=sys.stderr)
        return 1
    if path == "-":
        sys.stdout.buffer.write(archive)
        sys.stdout.buffer.flush()
        return 0
    try:
        with open(path, "wb") as file:
            file.write(archive)
    except OSError as e:
        print(f"wharfd: {path}: {e.strerror}", file=sys.stderr)
        return 1
    return 0


def applets(busybox: str) -> list[str]:
    """Paths of the programs that busybox can be, without the leading slash."""
    done = subprocess.run([busybox, "--list-full"], capture_output=True, check=True, text=True)
    return sorted(line for line in done.stdout.split() if line != "bin/busybox")


def is_static(program: bytes) -> bool:
    """A 64- or 32-bit little-endian ELF without an interpreter segment."""
    if program[:4] != b"\x7fELF" or program[5] != 1:
        return False
    wide = program[4] == 2
    start = struct.unpack_from("<Q" if wide else "<I", program, 32 if wide else 28)[0]
    size, count = struct.unpack_from("<HH", program, 54 if wide else 42)
    kinds = {struct.unpack_from("<I", program, start + number * size)[0] for number in range(count)}
    pt_interp = 3
    return pt_interp not in kinds


def root_file_system(program: bytes, names: list[str], mtime_s: int) -> Iterator[bytes]:
    mtime_ns = mtime_s * 1_000_000_000
    made = {path for path, _ in DIRECTORIES}
    for path, mode in (("./", 0o755), *DIRECTORIES):
        yield header(Entry(name=path, kind=Kind.DIRECTORY, mode=mode, mtime_ns=mtime_ns))
    yield header(Entry(name="bin/busybox", mode=0o755, size=len(program), mtime_ns=mtime_ns))
    yield program
    yield padding(len(program))
    for path in names:
        if os.path.dirname(path) in made:
            yield header(Entry(name=path, kind=Kind.HARD_LINK, mode=0o755, link="bin/busybox", mtime_ns=mtime_ns))
    for path, text in FILES:
        yield header(Entry(name=path, mode=0o644, size=len(text), mtime_ns=mtime_ns))
        yield text.encode()
        yield padding(len(text))
    yield END


def config_of(program: bytes, layer: bytes, mtime_s: int) -> bytes:
    platform = from_machine(os.uname().machine)
    created = format_rfc3339_nano(mtime_s * 1_000_000_000)
    origin = f"{BUSYBOX} (Debian package busybox-static), sha256 {hashlib.sha256(program).hexdigest()}"
    return encode_config(
        ConfigDocument(
            created=created,
            architecture=platform.architecture,
            variant=platform.variant,
            os="linux",
            config=RunConfig(
                env=[PATH],
                cmd=["sh"],
                labels={
                    "org.opencontainers.image.title": NAME,
                    "org.opencontainers.image.description": (
                        "Made on this machine by `wharfd base-image`; not the image of the busybox project"
                    ),
                    "wharfd.base-image.origin": origin,
                },
            ),
            rootfs=RootFS(diff_ids=[digest_of(layer)]),
            history=[HistoryEntry(created=created, created_by=f"wharfd base-image: {origin}")],
        )
    )
