"""nftables through libnftables: rule sets in the grammar of nft(8), applied as one transaction (0.1 ms; starting `nft` costs 4).

An `Nft` is bound to the network namespace in which it was made and used by one thread at a time (it has a lock for that).
"""

import ctypes
import errno
import json
import socket
import threading
from functools import cache

from wharfd.model.json import JsonObject
from wharfd.sys.libc import load_library
from wharfd.sys.namespaces import run_in_netns
from wharfd.wire.netlink import parse_attributes, split_messages, text_of

_OUTPUT_JSON = 1 << 4
_OUTPUT_TERSE = 1 << 11

_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NFNLGRP_NFTABLES = 7
# NFNL_SUBSYS_NFTABLES with NFT_MSG_DELTABLE, …CHAIN, …RULE, …SET; and with NFT_MSG_NEWTABLE, …CHAIN
_CHANGES = frozenset(10 << 8 | kind for kind in (2, 5, 8, 11, 0, 3))
_TABLE_NAME = 1  # of all of them
_RECEIVE_BYTES = 64 * 1024


class NftError(Exception):
    """nft refused the commands; nothing was changed.  The text is nft's own, with the place in the input."""

    def __init__(self, text: str, commands: str) -> None:
        super().__init__(text or "nft failed without a word")
        self.commands = commands

    @property
    def is_missing(self) -> bool:
        """Something that the commands name does not exist (a table to delete, a chain to fill)."""
        return "No such file or directory" in str(self)

    @property
    def is_existing(self) -> bool:
        return "File exists" in str(self)


class Nft:
    """One libnftables context.  Raises MissingLibrary (an OSError) where libnftables1 is not installed."""

    def __init__(self) -> None:
        self._library = _library()
        self._lock = threading.Lock()
        self._context: int | None = self._library.nft_ctx_new(0)
        if not self._context:
            raise MemoryError("nft_ctx_new")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    @classmethod
    def in_netns(cls, namespace: str | int) -> "Nft":
        """Bound to the namespace given by its file or by a descriptor."""
        return run_in_netns(namespace, cls)

    def run(self, commands: str) -> None:
        """Carry out all of `commands` or none of them.  Raises NftError."""
        self._run(commands, 0)

    def list_json(self, command: str = "list ruleset", *, elements: bool = True) -> list[JsonObject]:
        """The objects ("table", "chain", "rule", "set" …) that a list command gives, as libnftables-json(5) has them.

        Without `elements` sets are listed as if they were empty, and not read.
        """
        output = self._run(command, _OUTPUT_JSON | (0 if elements else _OUTPUT_TERSE))
        objects: list[JsonObject] = json.loads(output)["nftables"] if output.strip() else []
        return [each for each in objects if "metainfo" not in each]

    def close(self) -> None:
        """May be called twice."""
        with self._lock:
            if self._context:
                self._library.nft_ctx_free(self._context)
                self._context = None

    def __enter__(self) -> "Nft":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, commands: str, flags: int) -> bytes:
        if "\0" in commands:
            raise ValueError("embedded NUL byte in nft commands")
        with self._lock:
            if not self._context:
                raise ValueError("the nft context is closed")
            self._library.nft_ctx_output_set_flags(self._context, flags)
            failed = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
            # Reading the buffers also empties them for the next call.
            errors = self._library.nft_ctx_get_error_buffer(self._context) or b""
            output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        if failed:
            raise NftError(errors.decode(errors="replace").strip(), commands)
        return output


class TableWatch:
    """Tells of tables that change in the network namespace in which it was made.  For the loop: `fileno`, then `changed`."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def changed(self) -> set[str] | None:
        """Names of tables, of any family, that came or went, got a chain or lost a chain, rule or set since the last call.

        None when too much has happened to be told.
        """
        names: set[str] = set()
        while True:
            try:
                data = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                return names
            except OSError as e:
                if e.errno == errno.ENOBUFS:
                    return None
                raise
            for message in split_messages(data):
                if message.kind in _CHANGES:
                    # A netfilter message has four bytes before its attributes.
                    names.add(text_of(parse_attributes(message.body, 4).get(_TABLE_NAME, b"")))


@cache
def _library() -> ctypes.CDLL:
    library = load_library("libnftables.so.1", "libnftables1")
    context = ctypes.c_void_p
    for name, result, arguments in (
        ("nft_ctx_new", context, [ctypes.c_uint32]),
        ("nft_ctx_free", None, [context]),
        ("nft_ctx_buffer_output", ctypes.c_int, [context]),
        ("nft_ctx_buffer_error", ctypes.c_int, [context]),
        ("nft_ctx_get_output_buffer", ctypes.c_char_p, [context]),
        ("nft_ctx_get_error_buffer", ctypes.c_char_p, [context]),
        ("nft_ctx_output_set_flags", None, [context, ctypes.c_uint]),
        ("nft_run_cmd_from_buffer", ctypes.c_int, [context, ctypes.c_char_p]),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
