"""The import rules are checked by a linter that can say no."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("engine/tasks.py", "import wharfd.drivers.clock", "layers: a package imports downwards only"),
        ("drivers/clock.py", "import wharfd.engine.tasks", "drivers never reach into the engine"),
        ("wire/stdcopy.py", "import asyncio", "formats and grammars do no I/O"),
        ("api/errors.py", "import wharfd.sys.clock", "the API speaks to the engine only"),
        ("engine/locks.py", "import subprocess", "the engine asks ports, never the kernel"),
        ("drivers/host.py", "import wharfd.drivers.paths.local", "drivers do not know each other"),
        ("engine/index.py", "import wharfd.engine.ledger", "no cycles between the parts of a package"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, file: str, line: str, contract: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / "src/wharfd" / file
    target.write_text(f"{target.read_text()}\n{line}\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout, done.stdout
