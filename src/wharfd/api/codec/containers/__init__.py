"""Containers between JSON and records: `create` and `update` read bodies, `inspect` and `listing` write answers."""
