"""Tar archives as streams: `TarReader` over a `read(n)`, `header`, `padding` and `END` for writing."""

from wharfd.wire.tarstream.entry import Entry, Kind, clean_parts
from wharfd.wire.tarstream.reader import TarReader
from wharfd.wire.tarstream.writer import END, header, padding

__all__ = ["END", "Entry", "Kind", "TarReader", "clean_parts", "header", "padding"]
