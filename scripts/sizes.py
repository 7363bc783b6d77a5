"""The ten longest modules and the ten longest functions of the product."""

import ast
from pathlib import Path

modules: list[tuple[int, str]] = []
functions: list[tuple[int, str]] = []
for file in sorted(Path("src").rglob("*.py")):
    text = file.read_text()
    modules.append((text.count("\n"), str(file)))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.append(((node.end_lineno or node.lineno) - node.lineno + 1, f"{file}:{node.lineno} {node.name}"))
for title, rows in (("modules", modules), ("functions", functions)):
    print(title)
    for length, place in sorted(rows, reverse=True)[:10]:
        print(f"  {length:5} {place}")
