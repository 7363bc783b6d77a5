"""Outside `api/versions` nothing spells or compares an API version; it asks for a flag."""

import re
from pathlib import Path

import wharfd

SOURCE = Path(wharfd.__file__).parent
LITERAL = re.compile(r"""["']v?1\.(2[4-9]|[345]\d)["']""")
BUILT = re.compile(r"\bVersion\(\s*1\s*,")
COMPARED = re.compile(r"\bversion\b\s*(<|>|<=|>=)\s|\s(<|>|<=|>=)\s*[\w.]*\bversion\b|\bversion\.minor\b")
# Routes carry their range; a table of them has a method and a path on each line.
ROUTE = re.compile(r"""\b(since|until)(: str )?\s*=|["'](GET|POST|PUT|DELETE|HEAD)["'].*["']/""")


def offences(root: Path) -> list[str]:
    found = []
    for path in sorted((root / "api").rglob("*.py")):
        if (root / "api" / "versions") in path.parents:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = line.split("  # ")[0]
            if ROUTE.search(code):
                continue
            if LITERAL.search(code) or BUILT.search(code) or COMPARED.search(code):
                found.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    return found


def test_no_version_numbers_outside_their_package() -> None:
    # router.py decides which routes exist in a version and what is too old or too new; that is the one comparison outside.
    assert [line for line in offences(SOURCE) if not line.startswith("api/router")] == []


def test_the_check_finds_what_it_forbids(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "bad.py").write_text(
        'if version < other: pass\nx = "1.44"\ny = Version(1, 44)\nRoute(since="1.44")\nz = "1.440"\n'
    )
    assert [line.split(":")[1] for line in offences(tmp_path)] == ["1", "2", "3"]
