"""A real engine, and the docker command line with its buildx and compose plugins."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import PATIENCE, Engine
from tests.requirements import DOCKER, mark_below

PLUGINS = ("/usr/local/lib/docker/cli-plugins", "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins")


def plugin_directories() -> list[str]:
    places = [str(Path(DOCKER).resolve().parent / "config/cli-plugins"), *PLUGINS]
    return [place for place in places if (Path(place) / "docker-buildx").exists()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_below(Path(__file__).parent, items)
    is_missing = not DOCKER or not plugin_directories()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skipif(is_missing, reason="not installed: docker with buildx"))


@dataclass
class Docker:
    """The command line before an engine.  `directory`: where it runs."""

    engine: Engine
    config: Path
    directory: Path

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.config),
            "DOCKER_CONFIG": str(self.config),
            "DOCKER_HOST": f"unix://{self.engine.socket}",
            "BUILDX_CONFIG": str(self.config / "buildx"),
        }

    def run(self, *words: str, code: int = 0, stdin: bytes = b"") -> str:
        """Output and errors in one."""
        done = subprocess.run(
            [DOCKER, *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
            env=self.environment(),
            timeout=60 * PATIENCE,
            check=False,
        )
        text = done.stdout.decode(errors="replace")
        assert done.returncode == code, text
        return text

    def build(self, *words: str, code: int = 0, stdin: bytes = b"") -> str:
        return self.run("buildx", "build", "--progress", "plain", *words, code=code, stdin=stdin)

    def write(self, path: str, text: str) -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("engine")) as engine:
        engine.load_base_image()
        yield engine


@pytest.fixture
def docker(engine: Engine, tmp_path: Path) -> Docker:
    config = tmp_path / "config"
    config.mkdir()
    (config / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": plugin_directories()}))
    directory = tmp_path / "work"
    directory.mkdir()
    return Docker(engine, config, directory)
