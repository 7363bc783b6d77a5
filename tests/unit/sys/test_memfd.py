"""Files in memory."""

import os

from wharfd.sys import memfd


def test_content_is_whole_and_the_position_at_its_start() -> None:
    content = os.urandom(2_500_000)
    fd = memfd.create("test", content)
    try:
        assert not os.get_inheritable(fd)
        assert memfd.read_all(fd) == content
        assert memfd.read_all(fd, 10) == content[:10]
        assert os.read(fd, 5) == content[:5]
        assert memfd.read_all(fd, 10) == content[:10]
    finally:
        os.close(fd)
