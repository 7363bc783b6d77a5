"""The use cases of images that need a registry, put together over what `assembly.py` has made."""

from dataclasses import dataclass

from wharfd.engine.images.assembly import ImageUseCases
from wharfd.engine.images.attestations import ListAttestations
from wharfd.engine.images.downloads import Downloads
from wharfd.engine.images.pull import PullImage
from wharfd.engine.images.push import PushImage
from wharfd.engine.images.questions import RegistryQuestions
from wharfd.engine.images.remote import RemoteImages
from wharfd.engine.images.signed import CheckSignatures
from wharfd.engine.ledger import Ledger
from wharfd.ports.clock import Clock
from wharfd.ports.content import ResumableContent
from wharfd.ports.host import Host
from wharfd.ports.registry import Registry
from wharfd.ports.signatures import Signatures
from wharfd.ports.storage import LayerStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeUseCases:
    pull: PullImage
    push: PushImage
    questions: RegistryQuestions
    attestations: ListAttestations


def assemble_exchange(
    images: ImageUseCases,
    *,
    ledger: Ledger,
    host: Host,
    content: ResumableContent,
    layers: LayerStore,
    clock: Clock,
    registry: Registry,
    max_downloads: int,
    max_uploads: int,
    signatures: Signatures | None = None,
) -> ExchangeUseCases:
    return ExchangeUseCases(
        pull=PullImage(
            ledger=ledger,
            content=content,
            registry=registry,
            remote=RemoteImages(content=content, registry=registry, host=host),
            downloads=Downloads(content=content, registry=registry, limit=max_downloads),
            layers=layers,
            unpacking=images.unpacking,
            publisher=images.publisher,
            garbage=images.garbage,
            leases=images.leases,
            check_signatures=CheckSignatures(signatures=signatures, registry=registry)
            if signatures is not None
            else None,
        ),
        push=PushImage(
            ledger=ledger,
            clock=clock,
            host=host,
            content=content,
            registry=registry,
            layers=layers,
            garbage=images.garbage,
            leases=images.leases,
            limit=max_uploads,
        ),
        questions=RegistryQuestions(registry),
        attestations=ListAttestations(images=images.images, content=content),
    )
