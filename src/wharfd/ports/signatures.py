"""Port: the operator's signature policy, and the arithmetic of public keys."""

from typing import Protocol

from wharfd.wire.signaturepolicy import Key, Policy


class Signatures(Protocol):
    @property
    def origin(self) -> str:
        """Where the policy stands, for messages."""

    def policy(self) -> Policy | None:
        """As it is now; None where none is set.  Raises Internal, in words, for one that cannot be read or understood."""

    def is_signed_by(self, key: Key, signature: bytes, data: bytes) -> bool:
        """Raises Internal for a key that cannot be read."""
