"""What a worker says of an error is fit for a user."""

import errno
import os

import pytest

from wharfd.model.errors import InvalidParameter
from wharfd.workers.__main__ import readable
from wharfd.workers.unpack.layer import shown


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no space left on device"),
        (OSError(errno.ENOENT, os.strerror(errno.ENOENT), "/a/b"), "/a/b: no such file or directory"),
        (OSError(errno.EIO, os.strerror(errno.EIO), b"/a/\xff"), "/a/\\udcff: input/output error"),
        (OSError("it broke"), "it broke"),
        (InvalidParameter("no archive"), "no archive"),
    ],
)
def test_words_of_an_error(error: Exception, words: str) -> None:
    assert readable(error) == words


def test_long_names_are_cut() -> None:
    assert shown("a" * 64) == repr("a" * 64)
    assert shown("a" * 5000) == repr("a" * 64) + "…"
