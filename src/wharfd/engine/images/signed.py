"""The signature policy at a pull: may this image come?

Signatures are cosign's, made with a key: the repository keeps them under the tag `sha256-<hex>.sig` as a manifest, each of whose layers is
what was signed, with the signature as an annotation.  What is signed is what the name stands for: of an image for several platforms its
index, and with that everything in it.
"""

import base64
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from wharfd.model.errors import Forbidden, InvalidParameter, NotFound
from wharfd.model.ids import Digest
from wharfd.ports.registry import Registry
from wharfd.ports.signatures import Signatures
from wharfd.wire.authconfig import AuthConfig
from wharfd.wire.oci import Descriptor, Manifest, decode_target
from wharfd.wire.reference import Reference
from wharfd.wire.signaturepolicy import SIGNATURE_NOTE, SIGNATURE_TYPE, Kind, Requirement, agrees, parse_claim

log = logging.getLogger(__name__)

MAX_SIGNATURES = 32
MAX_PAYLOAD = 64 << 10


class RefusedByPolicy(Forbidden):
    def __init__(self, ref: Reference, origin: str, scope: str, why: str) -> None:
        super().__init__(f"{ref.familiar()} is refused by the signature policy {origin} (scope {scope!r}): {why}")


@dataclass(frozen=True, slots=True)
class Signature:
    payload: bytes
    value: bytes


class CheckSignatures:
    def __init__(self, *, signatures: Signatures, registry: Registry) -> None:
        self.signatures = signatures
        self.registry = registry

    async def __call__(self, ref: Reference, digest: Digest, login: AuthConfig | None) -> None:
        """`digest` is what `ref` stands for.

        Raises RefusedByPolicy; Internal for a policy or key that cannot be used; what the registry port says.
        """
        policy = self.signatures.policy()
        if policy is None:
            return
        scope, required = policy.of(ref)
        if any(each.kind is Kind.REJECT for each in required):
            raise RefusedByPolicy(ref, self.signatures.origin, scope, "all images of this scope are")
        signed = [each for each in required if each.kind is Kind.SIGNED]
        if not signed:
            return
        found = [each async for each in self.fetch(ref, digest, login)]
        if not found:
            raise RefusedByPolicy(ref, self.signatures.origin, scope, f"{digest} is not signed")
        for requirement in signed:
            self.satisfy(requirement, ref, digest, scope, found)
        log.info("image=%s digest=%s scope=%s signed as the policy wants", ref.familiar(), digest, scope)

    def satisfy(
        self, requirement: Requirement, ref: Reference, digest: Digest, scope: str, found: Sequence[Signature]
    ) -> None:
        """One of the signatures must be by one of the keys, and say the right thing."""
        why = []
        for signature in found:
            if not any(
                self.signatures.is_signed_by(key, signature.value, signature.payload) for key in requirement.keys
            ):
                why.append(f"not by {' or '.join(map(str, requirement.keys))}")
                continue
            try:
                claim = parse_claim(signature.payload)
            except InvalidParameter as e:
                why.append(str(e))
                continue
            if claim.digest != digest:
                why.append(f"for {claim.digest}")
            elif not agrees(requirement.identity, ref, claim.name):
                why.append(f"for the name {claim.name}")
            else:
                return
        raise RefusedByPolicy(
            ref,
            self.signatures.origin,
            scope,
            f"no signature of {digest} is as required ({'; '.join(dict.fromkeys(why))})",
        )

    async def fetch(self, ref: Reference, digest: Digest, login: AuthConfig | None) -> AsyncIterator[Signature]:
        """What is no signature is passed over."""
        try:
            document = await self.registry.document(ref.with_tag(digest.replace(":", "-") + ".sig"), login)
        except NotFound:
            return
        manifest = decode_target(document.data, document.descriptor.media_type)
        if not isinstance(manifest, Manifest):
            return
        for layer in [each for each in manifest.layers if each.media_type == SIGNATURE_TYPE][:MAX_SIGNATURES]:
            text = (layer.annotations or {}).get(SIGNATURE_NOTE, "")
            try:
                value = base64.b64decode(text, validate=True)
            except ValueError:
                continue
            if layer.size <= MAX_PAYLOAD and (payload := await self.payload(ref, layer, login)) is not None:
                yield Signature(payload, value)

    async def payload(self, ref: Reference, layer: Descriptor, login: AuthConfig | None) -> bytes | None:
        stream = cast(AsyncGenerator[bytes], self.registry.blob(ref, layer, login))
        async with aclosing(stream):
            data = b"".join([piece async for piece in stream])
        return data if f"sha256:{hashlib.sha256(data).hexdigest()}" == layer.digest else None
