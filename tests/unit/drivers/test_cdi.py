"""Files of vendors: JSON and YAML, broken ones left out, changed ones read again."""

import os
from pathlib import Path

from wharfd.drivers.cdi import CdiDirectories

YAML = """\
cdiVersion: "0.6.0"
kind: example.com/device
devices:
  - name: one
    containerEdits:
      env: [DEVICE=one]
"""
JSON = '{"cdiVersion": "0.6.0", "kind": "example.com/other", "devices": [{"name": "a"}]}'


def test_files_are_read_and_read_again_when_they_change(tmp_path: Path) -> None:
    directories = CdiDirectories([str(tmp_path / "absent"), str(tmp_path)])
    assert directories.specs() == []
    (tmp_path / "b.yaml").write_text(YAML)
    (tmp_path / "a.json").write_text(JSON)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "none.txt").write_text("x")
    assert [spec.kind for spec in directories.specs()] == ["example.com/other", "example.com/device"]
    assert directories.specs()[0] is directories.specs()[0]
    (tmp_path / "b.yaml").write_text(YAML.replace("name: one", "name: two-and-more"))
    assert list(directories.specs()[1].devices) == ["two-and-more"]
    os.unlink(tmp_path / "a.json")
    assert [spec.kind for spec in directories.specs()] == ["example.com/device"]
