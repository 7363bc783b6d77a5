"""What is generated is of the definitions beside it: `scripts/proto.sh` writes down the sums of both."""

import hashlib
from pathlib import Path

PLACE = Path(__file__).parents[3] / "src/wharfd/wire/proto"


def test_the_messages_are_up_to_date() -> None:
    lines = (PLACE / "SHA256SUMS").read_text().splitlines()
    kept = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = [path for pattern in ("*.proto", "*_pb2.py", "*_pb2.pyi") for path in PLACE.glob(pattern)]
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found} == kept, "run scripts/proto.sh"
