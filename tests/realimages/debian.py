"""A Debian made by debootstrap: more than 10,000 files in one layer, and a package's files in a second one.  Kept between runs."""

import io
import subprocess
import tarfile
from pathlib import Path

from tests.realimages.kinds import OLD, Kind, file, zipped
from tests.tars import directory, tar_of

SUITE = "bookworm"
EXTRA = "perl,python3"  # with these it has the number of files that is wanted


def debian(folder: Path) -> Kind:
    """`folder`: where the tree is kept, or made from the mirrors that apt uses (a minute or two)."""
    tree = folder / "debian"
    done = folder / "debian.done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={EXTRA}", SUITE, str(tree)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        done.touch()
    words = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "--sort=name", "--format=pax"]
    packed = subprocess.run(["tar", "-c", *words, "-C", str(tree), "."], check=True, capture_output=True).stdout
    return Kind(name="debian", layers=[packed, changes(packed)], pack=[zipped])


def changes(packed: bytes) -> bytes:
    """What somebody may do upon it: documents go, a directory is made anew, a file is replaced."""
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        share = tar.getmember("./usr/share")
    folders = [directory("usr", mtime=OLD), directory("usr/share", mode=share.mode, mtime=OLD)]
    return tar_of(
        *folders,
        file("usr/share/.wh.doc"),
        directory("usr/share/man", mtime=OLD),
        file("usr/share/man/.wh..wh..opq"),
        file("usr/share/man/README", "none here"),
        directory("etc", mtime=OLD),
        file("etc/debian_version", "another\n"),
    )
