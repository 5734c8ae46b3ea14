"""Where cases come from and go to: files, the database, and what other tools wrote."""

from pathlib import Path
from typing import TYPE_CHECKING

from airworthy.cli import show
from airworthy.core.errors import InputError

if TYPE_CHECKING:
    from airworthy.evals import Case
    from airworthy.evals.importers import Imported, Shape
    from airworthy.preflight.cases.keeping import Stored

FILE_BYTES_MAX = 256 * 2**20
SKIPPED_SHOWN = 20


def one_of(folder: Path, database: str | None, id_: str, agent: str) -> "Case":
    """A case of a file or of the database. Raises: NoSuchCase."""
    from airworthy.app.cases import suite_in
    from airworthy.preflight.cases.keeping import only

    case = next((each for each in suite_in(folder, ()).cases if each.id == id_), None)
    return case if case is not None else only(kept_cases(folder, database, agent), id_).case


def kept_cases(folder: Path, database: str | None, agent: str) -> "list[Stored]":
    """None where nothing was ever stored: looking makes no database."""
    from airworthy.app.build import NoDatabase
    from airworthy.app.cases import cases_of
    from airworthy.app.project import stored

    try:
        with stored(folder, database) as found:
            return cases_of(found).listing([agent] if agent else ())
    except NoDatabase:
        return []


def taken_in(file: Path, tool: str, shape: "Shape") -> "Imported":
    """Raises: InputError, NoAttacks."""
    from airworthy.evals.importers import imported

    if file.stat().st_size > FILE_BYTES_MAX:
        raise InputError(f"{file} is larger than {FILE_BYTES_MAX // 2**20} MiB.", mend="Split it.")
    taken = imported(tool, file.read_text(encoding="utf-8", errors="replace"), shape)
    for skipped in taken.skipped[:SKIPPED_SHOWN]:
        show.note(skipped)
    if len(taken.skipped) > SKIPPED_SHOWN:
        show.note(f"... and {len(taken.skipped) - SKIPPED_SHOWN} more were left out.")
    return taken


def write(out: Path, cases: "list[Case] | tuple[Case, ...]", head: str, *, quiet: bool) -> None:
    """Never over a file that is there. Raises: InputError."""
    from airworthy.evals.suites import yaml_text

    text = yaml_text(cases, head=head)
    if str(out) == "-":
        if quiet:
            return
        show.say_lines(text.rstrip())
        return
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"There is a file {out} already.", mend="Name another, or delete it.") from None
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}.", mend="Check the path.") from error
    if not quiet:
        show.say(f"{show.counted(len(cases), 'case')} in {out}. Check it: airworthy case check {out}")
