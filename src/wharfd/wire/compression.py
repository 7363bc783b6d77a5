"""Compressions by the first bytes of a stream."""

MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
MAGIC_BYTES = 6  # enough for all of them


def detect(head: bytes) -> str:
    """`gzip`, `zstd`, `bzip2`, `xz`, or "" for anything else."""
    return next((name for magic, name in MAGIC if head.startswith(magic)), "")
