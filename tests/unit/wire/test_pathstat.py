import base64
import json
import stat

import pytest

from wharfd.model.files import PathStat
from wharfd.wire.pathstat import encode_path_stat, go_mode


@pytest.mark.parametrize(
    ("mode", "expected"),
    [  # Go's os.FileMode
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFREG | 0o4755, 0o755 | 1 << 23),
        (stat.S_IFREG | 0o2755, 0o755 | 1 << 22),
        (stat.S_IFDIR | 0o1777, 0o777 | 1 << 31 | 1 << 20),
        (stat.S_IFLNK | 0o777, 0o777 | 1 << 27),
        (stat.S_IFBLK | 0o660, 0o660 | 1 << 26),
        (stat.S_IFCHR | 0o660, 0o660 | 1 << 26 | 1 << 21),
        (stat.S_IFIFO | 0o600, 0o600 | 1 << 25),
        (stat.S_IFSOCK | 0o600, 0o600 | 1 << 24),
    ],
)
def test_modes_are_gos(mode: int, expected: int) -> None:
    assert go_mode(mode) == expected


def decoded(status: PathStat) -> object:
    return json.loads(base64.b64decode(encode_path_stat(status), validate=True))


def test_the_header_is_what_the_docker_client_reads() -> None:
    status = PathStat(name=b"mtab", size=12, mode=stat.S_IFLNK | 0o777, mtime_ns=1_500, link_target=b"/proc/mounts")
    assert decoded(status) == {
        "name": "mtab",
        "size": 12,
        "mode": 134218239,
        "mtime": "1970-01-01T00:00:00.0000015Z",
        "linkTarget": "/proc/mounts",
    }


def test_the_epoch_is_a_time_and_names_may_be_any_bytes() -> None:
    found = decoded(PathStat(name=b"a\xffb", size=0, mode=stat.S_IFREG, mtime_ns=0))
    assert isinstance(found, dict)
    assert (found["mtime"], found["name"]) == ("1970-01-01T00:00:00Z", "a\ufffdb")
