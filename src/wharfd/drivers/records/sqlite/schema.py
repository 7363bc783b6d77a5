"""The tables, the schema number, and how an older store becomes one of today.

The number stands in SQLite's `user_version` and in each row.  Whoever changes a stored record so that its old documents no longer mean
the same raises `SCHEMA` and adds a `Step`; a field added with a default needs neither.  Steps are applied at open, all in one
transaction, after a copy of the store was put beside it.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from wharfd.model.errors import Unavailable
from wharfd.model.json import JsonObject

SCHEMA = 1

TABLES = """
CREATE TABLE records (
    number INTEGER PRIMARY KEY,             -- order of arrival
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    schema INTEGER NOT NULL,
    document BLOB NOT NULL,                 -- JSON
    UNIQUE (kind, id)
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at_ns INTEGER NOT NULL,
    document BLOB NOT NULL                  -- JSON
);
CREATE INDEX events_at ON events (at_ns);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Step:
    """What makes a store of schema `to - 1` one of schema `to`.

    `sql` changes tables.  `documents` changes rows of a kind ("container", …, "event"), one decoded document at a time, in place.
    """

    to: int
    sql: Sequence[str] = ()
    documents: Mapping[str, Callable[[JsonObject], None]] = field(default_factory=dict)


STEPS: tuple[Step, ...] = ()


def prepare(connection: sqlite3.Connection, path: str, schema: int = SCHEMA, steps: Sequence[Step] = STEPS) -> None:
    """Make the tables of an empty store, migrate an older one.

    Raises Unavailable for a store that is newer than this program, or older than its first step.
    """
    found = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if found == schema:
        return
    if found > schema:
        raise Unavailable(
            f"the record store {path} was written by a newer wharfd (schema {found}; this one knows {schema}): "
            f"start that version, or put the copy that it made when it migrated ({copy_name(path, schema)}) back in its place"
        )
    if found == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {schema}; COMMIT;")
        return
    wanted = [step for step in steps if found < step.to <= schema]
    if [step.to for step in wanted] != list(range(found + 1, schema + 1)):
        raise Unavailable(
            f"the record store {path} has schema {found}, from which this wharfd cannot migrate to {schema}"
        )
    keep_copy(connection, copy_name(path, found))
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in wanted:
            apply(connection, step)
        connection.execute(f"PRAGMA user_version = {schema}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def copy_name(path: str, schema: int) -> str:
    """Where the store of that schema is kept when it is migrated."""
    return f"{path}.schema-{schema}"


def keep_copy(connection: sqlite3.Connection, path: str) -> None:
    """Readable by the owner only, as the store is: records hold the environment of containers."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # of a migration that did not end
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    connection.execute("VACUUM INTO ?", (path,))


def apply(connection: sqlite3.Connection, step: Step) -> None:
    for statement in step.sql:
        connection.execute(statement)
    for kind, change in step.documents.items():
        if kind == "event":
            rows = connection.execute("SELECT seq, document FROM events").fetchall()
            update = "UPDATE events SET document = ? WHERE seq = ?"
        else:
            rows = connection.execute("SELECT number, document FROM records WHERE kind = ?", (kind,)).fetchall()
            update = "UPDATE records SET document = ? WHERE number = ?"
        for number, document in rows:
            decoded: JsonObject = msgspec.json.decode(document)
            change(decoded)
            connection.execute(update, (msgspec.json.encode(decoded), number))
    connection.execute("UPDATE records SET schema = ?", (step.to,))
