"""Which test files can reach a database, by what they import; the others say the same whatever stores the records."""

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOOR = ROOT / "tests" / "database.py"
_IMPORTS = re.compile(r"^\s*(?:from (tests[\w.]*) import ([\w, ]*)|import (tests[\w.]*))", re.MULTILINE)


def reaches(file: Path) -> bool:
    """It imports `tests.database`, or a test's kit that does, or the conftest of one of its folders does."""
    return DOOR in _needed(file) or any(
        DOOR in _needed(folder / "conftest.py")
        for folder in file.parents
        if ROOT / "tests" in folder.parents and (folder / "conftest.py").exists()
    )


def _needed(file: Path) -> set[Path]:
    """All files of the tests that come with this one."""
    found: set[Path] = set()
    todo = [file]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo.extend(_imported(each))
    return found


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    names: list[str] = []
    for package, parts, module in _IMPORTS.findall(file.read_text(encoding="utf-8")):
        names += [module or package, *(f"{package}.{part.strip()}" for part in parts.split(",") if package)]
    paths = [ROOT.joinpath(*name.split(".")) for name in names]
    files = [
        path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        for path in paths
    ]
    return tuple(path for path in files if path.exists())
