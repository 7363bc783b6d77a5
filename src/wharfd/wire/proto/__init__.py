"""Messages of the BuildKit doors, generated from the `.proto` files beside this one by `scripts/proto.sh`.

The definitions are this project's own: names are ours, field numbers are the wire's.  Importing them costs some 9 MiB, so only what
serves a builder imports them, and only when a client comes.
"""
