"""errno to OSError, and libraries that are not there."""

import errno

import pytest

from wharfd.sys.libc import LIBC, MissingLibrary, check, load_library, os_error


def test_errno_becomes_the_error_that_fits() -> None:
    with pytest.raises(FileNotFoundError, match=r"opening: No such file or directory: '/no/such'"):
        check(LIBC.open(b"/no/such", 0), "opening", "/no/such")
    assert check(3, "anything") == 3


def test_errors_carry_errno_path_and_detail() -> None:
    error = os_error(errno.EBUSY, "umount", b"/x", "still used")
    assert error.errno == errno.EBUSY
    assert error.filename == "/x"
    assert str(error) == "[Errno 16] umount: Device or resource busy (still used): '/x'"


def test_missing_library_names_the_package() -> None:
    with pytest.raises(MissingLibrary, match=r"libabsent\.so\.9 is not installed \(Debian package libabsent9\)"):
        load_library("libabsent.so.9", "libabsent9")
