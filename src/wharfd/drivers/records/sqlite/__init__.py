"""The record store on SQLite: one row per object, one table of events, write-ahead log."""

from wharfd.drivers.records.sqlite.store import SqliteRecords

__all__ = ["SqliteRecords"]
