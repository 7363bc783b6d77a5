"""The names of an image: its tags, and repositories with its digest.

`repo:tag` always brings `repo@digest` along; that goes with the last tag of its repository.  A name with a digest may also stand alone
(an image that was asked for by digest).
"""

import msgspec

from wharfd.model.image import ImageRecord
from wharfd.wire.reference import Reference, parse_normalised


def add_name(record: ImageRecord, name: Reference, now_ns: int) -> ImageRecord:
    """`name` has a tag or a digest."""
    digested = str(name.with_digest(record.id))
    tags = record.tags
    if name.tag is not None and name.digest is None:
        tagged = str(name)
        tags = [*(each for each in tags if each != tagged), tagged]
    digests = [*(each for each in record.digests if each != digested), digested]
    return msgspec.structs.replace(record, tags=sorted(tags), digests=sorted(digests), tagged_ns=now_ns)


def remove_names(record: ImageRecord, names: list[str]) -> ImageRecord:
    """`names` in canonical form, as they stand in the record."""
    tags = [each for each in record.tags if each not in names]
    kept = {repository(each) for each in tags}
    gone = {repository(each) for each in names}
    digests = [each for each in record.digests if repository(each) in kept or repository(each) not in gone]
    return msgspec.structs.replace(record, tags=tags, digests=digests)


def entries(record: ImageRecord) -> list[str]:
    """What counts as a name of its own: tags, and digests of repositories that have no tag."""
    tagged = {repository(each) for each in record.tags}
    return [*record.tags, *(each for each in record.digests if repository(each) not in tagged)]


def is_dangling(record: ImageRecord) -> bool:
    return not record.tags and not record.digests


def repository(name: str) -> str:
    """Domain and path of a canonical name."""
    return parse_normalised(name).name


def familiar(name: str) -> str:
    """A canonical name as people see it."""
    return parse_normalised(name).familiar()
