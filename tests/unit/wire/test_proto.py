"""What is generated is of the definitions beside it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLACE = "wharfd/wire/proto"


@pytest.mark.skipif(importlib.util.find_spec("grpc_tools") is None, reason="needs grpcio-tools")
def test_the_messages_are_up_to_date(tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts/proto.sh", sys.executable, tmp_path], check=True)
    made = sorted((tmp_path / PLACE).iterdir())
    assert [path.name for path in made] == sorted(path.name for path in (ROOT / "src" / PLACE).glob("*_pb2.py*"))
    for path in made:
        kept = (ROOT / "src" / PLACE / path.name).read_text()
        assert path.read_text().partition("DESCRIPTOR")[2] == kept.partition("DESCRIPTOR")[2]
