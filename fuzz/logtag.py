"""Templates of tags: rendered or refused, and nothing else."""

from wharfd.model.errors import InvalidParameter
from wharfd.wire.logtag import Fields, parse

SEEDS = [
    b"{{.Name}}/{{.ID}}",
    b'{{index .ContainerLabels "com.docker.compose.service"}}-{{(.ExtraAttributes nil).MODE}}',
    b"{{truncate (upper .FullID) 8 | lower}} {{- .Name -}} x",
    b'{{join .ContainerArgs ","}}{{json .ContainerLabels}}{{pad .Name 1 2}}{{/* c */}}',
    b'{{print 1 "a" `b`}}',
]
BOX: Fields = {
    "ID": "0123456789ab",
    "FullID": "0123456789abcdef",
    "Name": "web",
    "ContainerArgs": ["a", "b"],
    "ContainerLabels": {"com.docker.compose.service": "front"},
    "ExtraAttributes": {"MODE": "fast"},
}


def fuzz_one(data: bytes) -> None:
    try:
        parse(data.decode("utf-8", "replace")[:200]).render(BOX)
    except InvalidParameter:
        pass
