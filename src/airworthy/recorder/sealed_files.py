"""Sealed parts as folders of files: written aside and renamed, each with a manifest of its hashes. Knows no database.

`<out>/<day>/<number>/` holds one Parquet file for each kind of row and manifest.json. Whatever begins with a dot is
work under way, or left by a crash; `recovered` settles it.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from airworthy.core.errors import AirworthyError
from airworthy.recorder import parquet

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_NEW, _OLD = ".new-", ".old-"
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class SealBroken(AirworthyError):
    """A sealed part is not what its manifest says. Nothing of the database was deleted because of it."""

    code = "seal_broken"


class SealBusy(AirworthyError):
    """Another process seals or erases in this folder."""

    code = "seal_busy"


@dataclass(frozen=True, slots=True)
class Part:
    """`name`: day and number, such as 2026-11-25/0001. `digest`: SHA-256 of its manifest. `counts`: rows by file."""

    name: str
    digest: str
    counts: Mapping[str, int]
    erased: int = 0


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """One process at a time; the lock goes with its process. Settles what a crash left. Raises: SealBusy."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".lock").open("w") as file:
        _lock(file, out)
        recovered(out)
        yield


def _lock(file: Any, out: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Where there is no such lock, there is one machine's user at most.
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise SealBusy(f"Another process is at work in {out}.", mend="Wait until it has ended.") from error


def names(out: Path) -> list[str]:
    """Of all parts, in order."""
    found = [f"{path.parent.name}/{path.name}" for path in out.glob("*/*") if path.is_dir()]
    return sorted(name for name in found if not name.startswith("."))


def next_name(out: Path, day: str) -> str:
    numbers = [int(name.partition("/")[2]) for name in names(out) if name.startswith(f"{day}/")]
    return f"{day}/{max(numbers, default=0) + 1:04d}"


def put(out: Path, name: str, rows: Rows, made: str, *, erased: int = 0) -> Part:
    """Writes the part, reads it back, and puts it in its place, where another of the name may stand.

    Raises: SealBroken when what was read back is not what was given.
    """
    aside = out / (_NEW + name.replace("/", "-"))
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    files: dict[str, Any] = {}
    for file in parquet.COLUMNS:
        path = aside / f"{file}.parquet"
        parquet.write(path, file, rows[file])
        if parquet.read(path, file) != [_whole(file, row) for row in rows[file]]:
            raise SealBroken(
                f"{path} does not read back as it was written.", mend="Check the disk, and seal again."
            )
        files[path.name] = {"rows": len(rows[file]), "sha256": _sha256(path), "bytes": path.stat().st_size}
        _sync(path)
    manifest = {"format": FORMAT, "part": name, "made": made, "erased": erased, "files": files}
    (aside / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    _sync(aside / MANIFEST)
    _sync(aside)
    _swap(out, name, aside)
    return check(out, name)


def check(out: Path, name: str) -> Part:
    """Raises: SealBroken, with what is wrong first."""
    folder = out / name
    try:
        raw = (folder / MANIFEST).read_bytes()
        told = orjson.loads(raw)
        files: dict[str, Any] = told["files"]
        if (
            told["format"] != FORMAT
            or told["part"] != name
            or set(files) != {f"{f}.parquet" for f in parquet.COLUMNS}
        ):
            raise ValueError("its manifest is of another part or format")
        for file, facts in files.items():
            path = folder / file
            if _sha256(path) != facts["sha256"]:
                raise ValueError(f"{file} is not what it was when it was sealed")
            if len(parquet.read(path, path.stem)) != facts["rows"]:
                raise ValueError(f"{file} has not {facts['rows']} rows")
        counts = {Path(file).stem: int(facts["rows"]) for file, facts in files.items()}
        return Part(name, hashlib.sha256(raw).hexdigest(), counts, int(told["erased"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SealBroken(
            f"The sealed part {folder} is broken: {error}.",
            mend="Restore it from a backup, or delete it and seal the day again while the records are still there.",
        ) from error


def rows_of(out: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    return {file: parquet.read(out / name / f"{file}.parquet", file) for file in parquet.COLUMNS}


def without(out: Path, name: str, refs: frozenset[str], made: str) -> Part:
    """Writes the part anew without the rows of these tasks and traces."""
    before = check(out, name)
    rows = rows_of(out, name)
    kept = {
        file: [row for row in each if row["id" if file == "traces" else "ref"] not in refs]
        for file, each in rows.items()
    }
    return put(out, name, kept, made, erased=before.erased + len(rows["traces"]) - len(kept["traces"]))


def recovered(out: Path) -> None:
    """After a crash: a part that was being replaced stands in its place again, whole, and nothing lies beside it."""
    for aside in sorted(out.glob(f"{_OLD}*")):
        target = out / _place(aside.name.removeprefix(_OLD))
        if not target.exists():  # The crash was between the two renames: the new one is whole.
            (out / (_NEW + aside.name.removeprefix(_OLD))).rename(target)
        shutil.rmtree(aside)
    for aside in out.glob(f"{_NEW}*"):
        shutil.rmtree(aside)


def _swap(out: Path, name: str, aside: Path) -> None:
    target = out / name
    target.parent.mkdir(exist_ok=True)
    old = out / (_OLD + name.replace("/", "-"))
    if target.exists():
        target.rename(old)
    aside.rename(target)
    _sync(target.parent)
    _sync(out)
    shutil.rmtree(old, ignore_errors=True)


def _place(flat: str) -> str:
    day, _, number = flat.rpartition("-")
    return f"{day}/{number}"


def _whole(file: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {column: row.get(column) for column in parquet.COLUMNS[file]}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # Some file systems sync no folders.
        if not path.is_dir():
            raise
    finally:
        os.close(handle)
