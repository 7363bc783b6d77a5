"""Policy and keys as files of this host: the `Signatures` port.  Both are read each time, so that a change needs no restart."""

from typing import TYPE_CHECKING

from wharfd.model.errors import Internal, InvalidParameter
from wharfd.wire.signaturepolicy import Key, Policy, parse_policy

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes


class LocalSignatures:
    def __init__(self, path: str) -> None:
        """`path` empty: no policy."""
        self.path = path

    @property
    def origin(self) -> str:
        return self.path

    def policy(self) -> Policy | None:
        if not self.path:
            return None
        try:
            return parse_policy(read(self.path))
        except (OSError, InvalidParameter) as e:
            raise Internal(f"the signature policy {self.path} cannot be used: {words(e)}") from e

    def is_signed_by(self, key: Key, signature: bytes, data: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature  # 5 MB, for who has a policy only
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

        public = load(key)
        try:
            if isinstance(public, ec.EllipticCurvePublicKey):
                public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
            elif isinstance(public, rsa.RSAPublicKey):
                public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            elif isinstance(public, ed25519.Ed25519PublicKey):
                public.verify(signature, data)
            else:
                raise Internal(f"{key} is of a kind that is not supported: ECDSA, RSA and Ed25519 are")
        except InvalidSignature:
            return False
        return True


def load(key: Key) -> "PublicKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return load_pem_public_key(key.pem or read(key.path))
    except (OSError, ValueError, UnsupportedAlgorithm) as e:
        raise Internal(f"{key} cannot be used as a public key: {words(e)}") from e


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
