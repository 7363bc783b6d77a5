"""Texts of ps and of the kernel's counters."""

import pytest

from wharfd.drivers.runtime.stats import blkio_rows, blkio_v2, parse_system_cpu
from wharfd.drivers.runtime.top import parse_table, validate_arguments
from wharfd.model.errors import InvalidParameter

PS = """UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 10:00 ?        00:00:01 /sbin/init splash
root          17       1  0 10:00 ?        00:00:00 sh -c 'a  b'
root          18      17  0 10:00 ?        00:00:00 sleep 9
"""


def test_rows_of_the_wanted_processes() -> None:
    titles, rows = parse_table(PS, [17, 18])
    assert titles == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert [row[1] for row in rows] == ["17", "18"]
    assert rows[0][-1] == "sh -c 'a  b'"


def test_threads_follow_their_process() -> None:
    text = "PID LWP CMD\n5 - other\n- 5 other\n7 - mine\n- 7 mine\n- 8 mine\n"
    assert [row[1] for row in parse_table(text, [7])[1]] == ["-", "7", "8"]


def test_a_table_without_pids_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="Couldn't find PID field"):
        parse_table("USER CMD\nroot x\n", [1])


def test_a_column_may_not_pose_as_the_pid() -> None:
    validate_arguments("-o pid=PID,comm")
    with pytest.raises(InvalidParameter, match='specifying "ppid=PID" is not allowed'):
        validate_arguments("-o ppid=PID")


def test_processor_time() -> None:
    text = "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n"
    total_ns, cpus = parse_system_cpu(text)
    assert (total_ns, cpus) == ((10 + 20 + 30 + 40 + 50 + 60 + 70) * 10_000_000, 2)


def test_block_io_of_v1() -> None:
    text = "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\nTotal 30\n"
    assert blkio_rows(text) == [(8, 0, "Read", 10), (8, 0, "Write", 20), (8, 0, "Total", 30)]
    assert blkio_rows("8:16 77\n") == [(8, 16, "", 77)]


def test_block_io_of_v2() -> None:
    text = "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n"
    assert blkio_v2(text) == {
        "io_service_bytes_recursive": [(8, 0, "read", 10), (8, 0, "write", 20)],
        "io_serviced_recursive": [(8, 0, "read", 1), (8, 0, "write", 2)],
    }
