"""`docker cp`, `diff`, `export`, `import` and `commit` as the docker client does them."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.engine import BASE_IMAGE, Engine
from tests.requirements import DOCKER, needs_docker

pytestmark = needs_docker


def docker(
    engine: Engine, *words: str, stdin: bytes | None = None, ok: bool = True
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.socket}"}
    environment.pop("DOCKER_CONTEXT", None)
    done = subprocess.run([DOCKER, *words], input=stdin, capture_output=True, env=environment, check=False)
    assert not ok or done.returncode == 0, done.stderr
    return done


def tree(top: Path) -> dict[str, tuple[int, bytes | str]]:
    found: dict[str, tuple[int, bytes | str]] = {}
    for place, directories, files in os.walk(top):
        for name in [*directories, *files]:
            path = Path(place) / name
            content: bytes | str = str(path.readlink()) if path.is_symlink() else b""
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
            found[str(path.relative_to(top))] = (path.lstat().st_mode, content)
    return found


@pytest.mark.parametrize("runs", [False, True])
def test_cp_both_ways(engine: Engine, tmp_path: Path, runs: bool) -> None:
    source = tmp_path / "source"
    for number in range(2000):
        file = source / f"d{number % 20}" / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(number))
        file.chmod(0o600 + number % 64)
    (source / "link").symlink_to("d1/f1")
    ref = engine.run("sleep", "1000") if runs else engine.create("true")
    docker(engine, "cp", str(source), f"{ref}:/tmp/new")  # is made
    docker(engine, "cp", f"{ref}:/tmp/new", str(tmp_path / "back"))
    assert tree(tmp_path / "back") == tree(source)
    docker(engine, "cp", f"{source}/.", f"{ref}:/tmp")
    docker(engine, "cp", f"{ref}:/tmp/d3/.", str(tmp_path / "part"))
    assert tree(tmp_path / "part") == tree(source / "d3")


def test_cp_of_one_file_and_over_pipes(engine: Engine, tmp_path: Path) -> None:
    ref = engine.create("true")
    (tmp_path / "one").write_text("1")
    docker(engine, "cp", str(tmp_path / "one"), f"{ref}:/tmp/renamed")
    docker(engine, "cp", f"{ref}:/tmp/renamed", str(tmp_path / "again"))
    assert (tmp_path / "again").read_text() == "1"
    archive = docker(engine, "cp", f"{ref}:/tmp/renamed", "-").stdout
    docker(engine, "cp", "-", f"{ref}:/root", stdin=archive)
    docker(engine, "cp", "-L", f"{ref}:/root/renamed", str(tmp_path / "third"))
    assert (tmp_path / "third").read_text() == "1"
    failed = docker(engine, "cp", f"{ref}:/nope", str(tmp_path), ok=False)
    assert b"Could not find the file /nope in container" in failed.stderr
    failed = docker(engine, "cp", str(tmp_path / "one"), f"{ref}:/nope/", ok=False)
    assert failed.returncode != 0


def test_diff_export_import_and_commit(engine: Engine) -> None:
    ref = engine.run("sh", "-c", "echo 1 > /made; rm /etc/group")
    engine.wait(ref)
    assert docker(engine, "diff", ref).stdout.decode().split("\n")[:-1] == ["C /etc", "D /etc/group", "A /made"]
    exported = docker(engine, "export", ref).stdout
    docker(engine, "import", "-c", 'CMD ["cat", "/made"]', "-", "client/imported", stdin=exported)
    docker(engine, "commit", "-m", "words", "-a", "me", "-c", 'CMD ["cat", "/made"]', ref, "client/committed:2")
    for image in ("client/imported", "client/committed:2"):
        made = docker(engine, "create", image).stdout.decode().strip()
        assert engine.post(f"/containers/{made}/start").status == 204
        engine.wait(made)
        assert engine.output(made) == "1\n"
    assert BASE_IMAGE in docker(engine, "images", "--format", "{{.Repository}}:{{.Tag}}").stdout.decode()
