"""Where the data of a sparse file lies: the four ways in which tars say it."""

from wharfd.wire.tarstream.fields import BLOCK, MAX_SPECIAL, bad_header, number, pax_number

SparseMap = list[tuple[int, int]]

OLD_HEADER_AT, OLD_HEADER_ENTRIES = 386, 4
_OLD_MORE_AT, OLD_SIZE_AT = 482, 483
OLD_BLOCK_ENTRIES = 21
_OLD_BLOCK_MORE_AT = 504
_ENTRY = 24


def old_entries(block: bytes, at: int, count: int) -> SparseMap:
    """Entries of the old GNU form up to the first empty one."""
    out: SparseMap = []
    for start in range(at, at + count * _ENTRY, _ENTRY):
        if not block[start]:
            break
        out.append((number(block[start : start + 12]), number(block[start + 12 : start + _ENTRY])))
    return out


def old_header_continues(header: bytes) -> bool:
    return header[_OLD_MORE_AT] != 0


def old_block_continues(block: bytes) -> bool:
    return block[_OLD_BLOCK_MORE_AT] != 0


def from_list(value: bytes) -> SparseMap:
    """GNU.sparse.map of version 0.1: `offset,length,offset,length`."""
    numbers = [pax_number(part) for part in value.split(b",")] if value else []
    if len(numbers) % 2:
        raise bad_header("sparse map")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


class BodyMap:
    """The map of version 1.0, which begins the body: a count, then offsets and lengths, a line each, padded to a block."""

    def __init__(self) -> None:
        self.data = b""

    def feed(self, block: bytes) -> SparseMap | None:
        """The map once enough blocks have come."""
        self.data += block
        if len(self.data) > MAX_SPECIAL:
            raise bad_header("sparse map too large")
        head, newline, _ = self.data.partition(b"\n")
        if not newline:
            if len(self.data) >= BLOCK:
                raise bad_header("sparse map")
            return None
        count = pax_number(head)
        if not 0 <= count <= MAX_SPECIAL:
            raise bad_header("sparse map too large")
        lines = self.data.split(b"\n", 2 * count + 1)
        if len(lines) < 2 * count + 2:
            return None
        numbers = [pax_number(line) for line in lines[1 : 2 * count + 1]]
        return list(zip(numbers[::2], numbers[1::2], strict=True))


def check(entries: SparseMap, size: int, stored: int) -> SparseMap:
    """Ordered, apart, inside the file, and together as long as the body; empty parts are dropped."""
    end = total = 0
    for offset, length in entries:
        if length < 0 or offset < end or offset + length > size:
            raise bad_header("sparse map")
        end = offset + length
        total += length
    if total != stored:
        raise bad_header("sparse map")
    return [(offset, length) for offset, length in entries if length]
