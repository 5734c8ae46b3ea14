"""Which files an agent is made of: the Python it imports from its own folder, its prompts, its lock files.

Imports are read, not run: what a run has imported by chance changes nothing. A module that is named only while the
program runs is not found; data that the agent reads is no part of a release.
"""

import ast
import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

FILES_MAX: Final = 5_000
FILE_BYTES_MAX: Final = 4 * 1024 * 1024
PROMPT_ENDS: Final = (".prompt", ".j2", ".jinja", ".jinja2", ".mustache")
PROMPT_FOLDERS: Final = frozenset({"prompts", "prompt"})
LOCKS: Final = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "requirements.txt", "pyproject.toml")
_PASSED_OVER: Final = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"}
)


def code_files(folder: Path | None, functions: Iterable[Callable[..., Any]]) -> dict[str, str]:
    """Fingerprints by path from `folder` on; a module from elsewhere, as one that is installed, by its dotted name.

    Of modules in the folder also all that they import from it; of others only themselves.
    """
    root = folder.resolve() if folder is not None else None
    found: dict[str, str] = {}
    inside: list[Path] = []
    for function in functions:
        module = getattr(inspect.unwrap(function), "__module__", None)
        file = getattr(sys.modules.get(module or ""), "__file__", None)
        if module is None or file is None:
            continue
        path = Path(file).resolve()
        if (
            root is not None
            and path.is_relative_to(root)
            and not _PASSED_OVER & set(path.relative_to(root).parts)
        ):
            inside.append(path)
        elif (raw := _read(path)) is not None:
            found[module] = fingerprint(raw)
    if root is not None:
        found |= _closure(root, inside)
    return dict(sorted(found.items()))


def prompt_files(folder: Path | None) -> dict[str, str]:
    """Files in a folder called `prompts`, and templates anywhere below."""
    if folder is None:
        return {}
    found = {}
    for path in _walked(folder):
        if path.suffix in PROMPT_ENDS or PROMPT_FOLDERS & set(path.relative_to(folder).parts[:-1]):
            raw = None if path.suffix in {".py", ".pyc"} else _read(path)
            if raw is not None:
                found[path.relative_to(folder).as_posix()] = fingerprint(raw)
    return dict(sorted(found.items()))


def lock_files(folder: Path | None) -> dict[str, str]:
    read = {name: _read(folder / name) for name in LOCKS} if folder is not None else {}
    return {name: fingerprint(raw) for name, raw in read.items() if raw is not None}


def fingerprint(raw: bytes) -> str:
    """Line ends count as one kind: a checkout on another system is the same code."""
    return "sha256:" + hashlib.sha256(raw.replace(b"\r\n", b"\n")).hexdigest()


def _closure(root: Path, begin: Iterable[Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    ahead = list(begin)
    while ahead and len(found) < FILES_MAX:
        path = ahead.pop()
        name = path.relative_to(root).as_posix()
        raw = None if name in found else _read(path)
        if raw is None:
            continue
        found[name] = fingerprint(raw)
        ahead += [each for dotted in _imported(raw, path, root) for each in _files_of(root, dotted)]
    return found


def _imported(raw: bytes, path: Path, root: Path) -> Iterator[str]:
    """Dotted names; those imported inside a function, and by `import_module("name")`, too."""
    try:
        tree = ast.parse(raw)
    except (SyntaxError, ValueError, RecursionError):
        return
    package = path.relative_to(root).parent.parts
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package[: len(package) - level + 1] if level else ()
                base = ".".join((*above, *((module,) if module else ())))
                if base:
                    yield base
                yield from (f"{base}.{alias.name}" if base else alias.name for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"), args=[first, *_]
            ):
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def _files_of(root: Path, dotted: str) -> Iterator[Path]:
    """The module's file and the packages above it, as far as they are in the folder."""
    parts = dotted.split(".")
    if not all(part.isidentifier() for part in parts):
        return
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            # Resolved, so that a link out of the folder does not count as in it.
            if path.is_file() and path.resolve().is_relative_to(root):
                yield path.resolve()


def _walked(folder: Path) -> Iterator[Path]:
    seen = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER and not name.startswith("."))
        for name in sorted(files):
            seen += 1
            if seen > FILES_MAX:
                return
            yield Path(place) / name


def _read(path: Path) -> bytes | None:
    """None for what is no plain file of a size that code has, or cannot be read."""
    try:
        if not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
            return None
        return path.read_bytes()
    except OSError:
        return None
