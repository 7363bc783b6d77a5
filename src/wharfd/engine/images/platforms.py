"""Which of an image's platforms is meant."""

from collections.abc import Sequence

from wharfd.model.image import ImagePlatform
from wharfd.ports.host import Host
from wharfd.wire.oci import Platform, best_match, from_machine, runnable


def as_platform(each: ImagePlatform) -> Platform:
    return Platform(os=each.os, architecture=each.architecture, variant=each.variant, os_version=each.os_version)


def host_platform(host: Host) -> Platform:
    return from_machine(host.facts().architecture)


def matching(runs: Sequence[ImagePlatform], wanted: Sequence[Platform]) -> ImagePlatform | None:
    """The one whose content is here and that comes first among the wanted."""
    here = [each for each in runs if each.available]
    index = best_match([as_platform(each) for each in here], wanted)
    return None if index is None else here[index]


def preferred(runs: Sequence[ImagePlatform], host: Host) -> ImagePlatform | None:
    """What this host runs best; Docker: an image for other machines only is taken as it is."""
    return matching(runs, runnable(host_platform(host))) or next((each for each in runs if each.available), None)
