"""What registries are asked and what they give: progress lines, logins, searches, names."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from wharfd.api.codec.images import encode_descriptor
from wharfd.engine.images.attestations import Attestation
from wharfd.engine.images.progress import (
    BlobStep,
    PullBegun,
    PullEnded,
    PushBegun,
    PushedInstead,
    PushEnded,
    Step,
)
from wharfd.engine.images.questions import Distribution
from wharfd.model.errors import Forbidden, InvalidParameter
from wharfd.model.ids import short_id
from wharfd.model.json import JsonObject
from wharfd.wire.oci import Platform
from wharfd.wire.reference import Reference, is_digest, is_tag, parse_normalised

# Clients look for these words.  `{n}` are seconds, `{s}` is a repository.
STATUSES = {
    Step.ANNOUNCED: "Pulling fs layer",
    Step.WAITING: "Waiting",
    Step.DOWNLOADING: "Downloading",
    Step.RETRYING: "Retrying in {n} seconds",
    Step.VERIFYING: "Verifying Checksum",
    Step.DOWNLOADED: "Download complete",
    Step.PRESENT: "Already exists",
    Step.EXTRACTING: "Extracting",
    Step.PULLED: "Pull complete",
    Step.PUSHING: "Pushing",
    Step.PUSHED: "Pushed",
    Step.THERE: "Layer already exists",
    Step.MOUNTED: "Mounted from {s}",
}
PASSING = frozenset({Step.WAITING, Step.DOWNLOADING, Step.RETRYING, Step.EXTRACTING, Step.PUSHING})
"""A newer line of the same layer may take the place of these before they are sent."""


def encode_step(told: BlobStep) -> JsonObject:
    detail: JsonObject = {}
    if told.step in (Step.DOWNLOADING, Step.PUSHING):
        detail = {"current": told.current, "total": told.total}
    elif told.step is Step.EXTRACTING and told.current:
        detail = {"current": told.current, "units": "s"}
    status = STATUSES[told.step].format(n=told.current, s=told.source)
    return {"status": status, "progressDetail": detail, "id": short_id(told.digest)}


def encode_exchange(
    told: PullBegun | PullEnded | PushBegun | PushedInstead | PushEnded | BlobStep,
) -> Sequence[JsonObject]:
    match told:
        case BlobStep():
            return [encode_step(told)]
        case PullBegun(repository, what):
            return [{"status": f"Pulling from {repository}", "id": what}]
        case PullEnded(digest, name, is_newer):
            status = "Downloaded newer image for" if is_newer else "Image is up to date for"
            return [{"status": f"Digest: {digest}"}, {"status": f"Status: {status} {name}"}]
        case PushBegun(repository):
            return [{"status": f"The push refers to repository [{repository}]"}]
        case PushedInstead(index, manifest):
            aux = {
                "manifestPushedInsteadOfIndex": True,
                "originalIndex": encode_descriptor(index),
                "selectedManifest": encode_descriptor(manifest),
            }
            return [{"progressDetail": {}, "aux": aux}]
        case PushEnded(tag, digest, size):
            # Docker: with its own store it adds the second line, with containerd's it does not; clients read the digest from either.
            return [
                {"status": f"{tag}: digest: {digest} size: {size}"},
                {"progressDetail": {}, "aux": {"Tag": tag, "Digest": digest, "Size": size}},
            ]


def decode_pulled(image: str, tag: str) -> Reference:
    """What `fromImage` and `tag` (a tag or a digest; it goes first) name together.  No tag and no digest: all tags.

    Raises InvalidParameter, Forbidden.
    """
    ref = parse_normalised(image)
    if ref.familiar_name == "scratch":
        raise Forbidden("'scratch' is a reserved name")
    return with_tag_or_digest(ref, tag) if tag else ref


def decode_pushed(name: str, tag: str) -> Reference:
    """No tag: all of them.  Raises InvalidParameter."""
    ref = parse_normalised(name)
    return with_tag_or_digest(ref, tag) if tag else ref


def with_tag_or_digest(ref: Reference, text: str) -> Reference:
    if is_digest(text):
        return ref.with_digest(text)
    if not is_tag(text):
        raise InvalidParameter("invalid tag format")
    return replace(ref, tag=text)


def decode_limit(text: str) -> int:
    """0 if none is given.  Raises InvalidParameter."""
    try:
        return int(text) if text else 0
    except ValueError:
        raise InvalidParameter(f'invalid limit specified: strconv.Atoi: parsing "{text}": invalid syntax') from None


def encode_distribution(found: Distribution) -> JsonObject:
    platforms = None if found.platforms is None else [encode_platform(each) for each in found.platforms]
    return {"Descriptor": encode_descriptor(found.descriptor), "Platforms": platforms}


def encode_platform(platform: Platform) -> JsonObject:
    """Docker: architecture and os are there even if they are empty."""
    return {"architecture": "", "os": "", **msgspec.to_builtins(platform)}


def encode_attestation(found: Attestation) -> JsonObject:
    doc: JsonObject = {"Descriptor": encode_descriptor(found.descriptor), "PredicateType": found.predicate_type}
    if found.statement is not None:
        doc["Statement"] = found.statement
    return doc
