"""Read a store without opening it: for tools that look at it while an engine uses it, or after one was killed."""

import contextlib
import os
import sqlite3

from wharfd.drivers.records.sqlite.documents import read_snapshot
from wharfd.drivers.records.sqlite.schema import SCHEMA
from wharfd.model.errors import NotFound, Unavailable
from wharfd.ports.records import Snapshot


def read_store(path: str) -> Snapshot:
    """Every record, as of one moment.  Nothing is written.  Raises NotFound, Unavailable."""
    if not os.path.exists(path):
        raise NotFound(f"there is no record store {path}")
    # A store that nobody has open has no log beside it, and SQLite would have to make one to read it.
    alone = not os.path.exists(f"{path}-wal")
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{path}?{'immutable=1' if alone else 'mode=ro'}", uri=True)
        ) as db:
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            if found != SCHEMA:
                raise Unavailable(f"the record store {path} has schema {found}; this wharfd reads {SCHEMA}")
            db.execute("BEGIN")
            return read_snapshot(db)
    except sqlite3.Error as e:
        raise Unavailable(f"the record store {path} cannot be read: {e}") from e
