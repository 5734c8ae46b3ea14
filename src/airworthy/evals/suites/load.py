"""Reads suites: files, folders and functions, held against each other. Everything wrong is told at once."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from airworthy.core.chars import quoted
from airworthy.core.errors import told
from airworthy.evals.case import Case
from airworthy.evals.suites.among import between, weak
from airworthy.evals.suites.building import built, wrong_defaults
from airworthy.evals.suites.reach import Reach, beyond
from airworthy.evals.suites.read_csv import read_csv
from airworthy.evals.suites.read_yaml import Document, Unreadable, read_yaml
from airworthy.evals.suites.suite import Flaw, Notice, Place, Suite, SuiteError
from airworthy.evals.suites.wording import did_you_mean, key_text

FILE_BYTES_MAX: Final = 16 * 2**20
FILES_MAX: Final = 1_000
CASES_MAX: Final = 20_000
_ENDINGS: Final = (".yaml", ".yml", ".json", ".csv")
_TOP: Final = ("cases", "defaults")


def load(paths: Iterable[str | Path], *, more: Iterable[Case] = (), reach: Reach | None = None) -> Suite:
    """`paths`: files (YAML, JSON, CSV), folders, which are searched through, and `module:function`, whose function
    gives cases or mappings. `more`: cases that come from elsewhere, as from the console's button; checked likewise.
    `reach`: what the policy allows, for cases that ask for more.

    Raises: SuiteError.
    """
    reading = _Reading(reach)
    for path in paths:
        if isinstance(path, str) and is_function(path):
            _read_function(reading, path)
        else:
            for file in _files(reading, Path(path)):
                _read_file(reading, file)
    for case in more:
        reading.add(
            case.model_dump(exclude_defaults=True), Place(case.origin or "stored cases"), {}, None, ()
        )
    clashing, alike = between(reading.cases)
    reading.flaws += clashing
    if reading.flaws:
        raise SuiteError(reading.flaws)
    cases = tuple(case for case, _ in reading.cases)
    warnings = (*reading.warnings, *alike, *weak(reading.cases))
    return Suite(cases, warnings, {case.id: place for case, place in reading.cases})


@dataclass(slots=True)
class _Reading:
    reach: Reach | None = None
    cases: list[tuple[Case, Place]] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)

    def add(
        self,
        raw: Any,
        place: Place,
        defaults: Mapping[str, Any],
        document: Document | None,
        path: tuple[str | int, ...],
    ) -> None:
        """`document` and `path`: where the lines of its keys are found; without, all is told at `place`."""
        if len(self.cases) >= CASES_MAX:
            if len(self.cases) == CASES_MAX:
                self.flaws.append(
                    Flaw(place, f"There are more than {CASES_MAX} cases.", "Load fewer at once.")
                )
            return
        case, found = built(raw, defaults)
        if case is not None and self.reach is not None:
            found += beyond(case, self.reach)
        name = case.id if case is not None else _id_of(raw)
        for wrong in found:
            at = place if document is None else Place(place.name, document.line((*path, *wrong.path)))
            self.flaws.append(Flaw(at, wrong.says, wrong.mend, name, key_text(wrong.path)))
        if case is not None:
            if not case.origin:
                case = case.model_copy(update={"origin": str(place)})
            self.cases.append((case, place))

    def refuse(self, place: Place, says: str, mend: str = "") -> None:
        self.flaws.append(Flaw(place, says, mend))


def _id_of(raw: Any) -> str:
    return quoted(raw["id"], 100) if isinstance(raw, Mapping) and isinstance(raw.get("id"), str) else ""


def is_function(path: str) -> bool:
    """Whether it names a function, as `module:function`, and no file."""
    module, colon, function = path.partition(":")
    return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _files(reading: _Reading, path: Path) -> Iterator[Path]:
    if path.is_dir():
        # Files behind links are not searched for: a folder must not lead out of itself, nor round in a circle.
        found = sorted(
            file for file in path.rglob("*")
            if file.suffix.lower() in _ENDINGS and file.is_file() and not file.is_symlink()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )  # fmt: skip
        if len(found) > FILES_MAX:
            reading.refuse(
                Place(str(path)), f"There are more than {FILES_MAX} files in it.", "Name a smaller folder."
            )
            return
        if not found:
            reading.warnings.append(
                Notice(
                    str(Place(str(path))),
                    "No file of cases is in it.",
                    f"Files end in {', '.join(_ENDINGS)}.",
                )
            )
        yield from found
    elif not path.exists():
        reading.refuse(Place(str(path)), "There is no such file or folder.", "Check the path.")
    elif path.suffix.lower() == ".py":
        reading.refuse(
            Place(str(path)), "Code is not run for lying there.", f"Name its function: {path.stem}:FUNCTION."
        )
    elif path.suffix.lower() not in _ENDINGS:
        reading.refuse(Place(str(path)), f"A file of cases ends in {', '.join(_ENDINGS)}.", "Rename it.")
    else:
        yield path


def _read_file(reading: _Reading, path: Path) -> None:
    place = Place(str(path))
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            reading.refuse(place, f"It is larger than {FILE_BYTES_MAX // 2**20} MiB.", "Split it.")
            return
        text = data.decode("utf-8-sig")
        if path.suffix.lower() == ".csv":
            for line, raw in read_csv(text):
                reading.add(raw, Place(place.name, line), {}, None, ())
        else:
            _add_all(reading, place, read_yaml(text))
    except Unreadable as error:
        reading.refuse(Place(place.name, error.line), error.says, error.mend)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        reading.refuse(
            Place(place.name, line),
            f"The byte 0x{data[error.start]:02x} is not UTF-8.",
            "Save the file as UTF-8.",
        )
    except OSError as error:
        reading.refuse(place, f"It cannot be read: {error.strerror or error}.", "Check its permissions.")


def _add_all(reading: _Reading, place: Place, document: Document) -> None:
    data, path, defaults = document.data, (), {}  # type: Any, tuple[str | int, ...], Mapping[str, Any]
    if isinstance(data, Mapping):
        for key in data:
            if key not in _TOP:
                mend = (
                    "Write the case as an entry of cases."
                    if key in Case.model_fields
                    else did_you_mean(key, _TOP)
                )
                reading.refuse(
                    Place(place.name, document.line((key,))),
                    f"The key {quoted(key, 80)!r} is not known.",
                    mend,
                )
        defaults = data.get("defaults") or {}
        found = wrong_defaults(defaults)
        for wrong in found:
            there = Place(place.name, document.line(("defaults", *wrong.path)))
            reading.flaws.append(Flaw(there, wrong.says, wrong.mend, "", key_text(("defaults", *wrong.path))))
        defaults = {} if found else defaults
        data, path = data.get("cases"), ("cases",)
    if data is None:
        reading.warnings.append(Notice(str(place), "The file has no case."))
    elif not isinstance(data, list):
        reading.refuse(
            Place(place.name, document.line(path)),
            "The cases are no list.",
            "Write cases: and then - id: NAME for each.",
        )
    else:
        for at, raw in enumerate(data):
            line = document.line((*path, at))
            reading.add(raw, Place(place.name, line), defaults, document, (*path, at))


def _read_function(reading: _Reading, path: str) -> None:
    """The user's own code: whatever it raises is told, and nothing of it is caught but errors."""
    import importlib

    module_name, _, name = path.partition(":")
    place = Place(path)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # As when the agent itself is imported: from the folder one stands in.
    try:
        function = getattr(importlib.import_module(module_name), name)
        given = function() if callable(function) else function
        for count, each in enumerate(given):
            if count > CASES_MAX:
                break
            raw = each.model_dump(exclude_defaults=True) if isinstance(each, Case) else each
            reading.add(raw, place, {}, None, ())
    except Exception as error:  # noqa: BLE001  # any error of foreign code becomes one of the suite
        reading.refuse(
            place, f"It raised {type(error).__name__}: {quoted(told(error), 300)}", "Run it by itself first."
        )
