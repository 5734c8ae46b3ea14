"""`audit`: who decided or changed what, and whether anybody has touched the log since."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airworthy.cli import options, show
from airworthy.cli.exits import Exit

if TYPE_CHECKING:
    from airworthy.recorder.audit import AuditRow

app = typer.Typer(
    rich_markup_mode=None, add_completion=False, no_args_is_help=True,
    help="Who decided or changed what; whether the log was touched.",
)  # fmt: skip


@app.command(name="list")
def list_(
    *,
    who: Annotated[str, typer.Option("--who", metavar="NAME", help="Only of this person or program.")] = "",
    what: Annotated[
        str, typer.Option("--what", metavar="WORD", help="Only this, as review.approve, or all of review.")
    ] = "",
    about: Annotated[
        str, typer.Option("--about", metavar="ID", help="Only about this task, item, key or person.")
    ] = "",
    before: Annotated[int | None, typer.Option(metavar="N", help="Only rows before this one.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, max=10_000)] = 50,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """List who decided or changed what, the newest first.

    \b
    Examples:
      airworthy audit list --who dana
      airworthy audit list --what review --limit 200 --json
    """
    from airworthy.app.project import stored
    from airworthy.recorder import audit
    from airworthy.recorder.audit import AuditQuery

    whole = show.unicode_text
    query = AuditQuery(whole(who), whole(what), whole(about), 0, before, limit)
    with stored(folder, database) as found:
        rows = found.database.read_now(lambda tx: audit.listing(tx, query))
    if as_json:
        for row in rows:
            show.emit(audit_document(row), line=True)
    elif not rows:
        show.note("Nothing of this kind is in the log.")
    else:
        show.table(
            ("n", "when", "who", "what", "about", "from", "outcome"),
            [(row.n, show.when(row.at_us), row.who or "(nobody known)", row.what, row.about, _from(row), row.outcome)
             for row in rows],
        )  # fmt: skip


@app.command(name="verify")
def verify(
    *,
    head: Annotated[
        list[str] | None,
        typer.Option(
            "--head", metavar="HEAD", help="A head you kept; the log must hold it. May be given again."
        ),
    ] = None,
    accept: Annotated[
        bool,
        typer.Option("--accept", help="Take the log as it is from here on, after you have put a copy back."),
    ] = False,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Say whether the log is what was written, and where it is not.

    By itself it finds changes by whoever did not recompute what follows. With a head that was kept elsewhere it finds
    every change before that. A file beside the database, NAME.audit-head, is such a head as well, for whoever can write
    the database and not the folder; of a PostgreSQL it lies in the working folder.

    \b
    Examples:
      airworthy audit verify
      airworthy audit verify --head 812:9f2c...
    """
    from airworthy.app.project import stored
    from airworthy.app.witness import Witness
    from airworthy.recorder import audit
    from airworthy.recorder.audit import Entry

    heads = [audit.head_from(show.unicode_text(each)) for each in head or ()]
    with stored(folder, database) as found:
        assert found.head_file is not None
        witness = Witness(found.head_file)
        now_us = found.clock.now_us()
        if accept:
            options.confirmed("Take the log as it is?", yes=as_json)
            entry = Entry("audit.accept")
            found.database.write_now(audit.noted(lambda _: None, entry, now_us))
            witness.remember(found.database.read_now(audit.head), None)
        kept = witness.head()
        wanted = [*heads, kept] if kept is not None else heads
        broken = found.database.read_now(lambda tx: audit.verify(tx, *wanted))
        last = found.database.read_now(audit.head)
    if as_json:
        show.emit({"whole": broken is None, "rows": last.n, "head": str(last), "first_broken": broken and broken.n,
                   "why": broken and broken.why})  # fmt: skip
    elif broken is None:
        beside = f", as {len(heads)} kept head{'s' if len(heads) > 1 else ''} and" if heads else ", as"
        show.say(
            f"All {show.counted(last.n, 'row')} are what was written{beside} the file {witness.path.name} says."
        )
    else:
        show.say(f"The log is not what was written, from row {broken.n} on. {broken.why}", "bold red")
    if broken is not None:
        raise typer.Exit(Exit.FAILED)


@app.command(name="head")
def head(
    *,
    as_json: options.AsJson = False,
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Print the number and digest of the last row, to keep where whoever writes the database cannot.

    \b
    Examples:
      airworthy audit head | ssh backup 'cat >> airworthy-heads'
    """
    from airworthy.app.project import stored
    from airworthy.recorder import audit

    with stored(folder, database) as found:
        last = found.database.read_now(audit.head)
    if as_json:
        show.emit({"n": last.n, "digest": last.digest.hex(), "head": str(last)})
    else:
        show.say(str(last))


@app.command(name="export")
def export(
    *,
    after: Annotated[int, typer.Option("--after", metavar="N", min=0, help="Only rows after this one.")] = 0,
    as_json: options.AsJson = True,  # noqa: ARG001  # it is in any case; scripts may say so
    folder: options.Folder = Path(),
    database: options.Database = None,
) -> None:
    """Write all rows as JSON lines, the oldest first, each with its digest.

    A row's digest is SHA-256 over the 32 bytes of the one before (zeros for the first) and the JSON array of n, at_us,
    who, what, about, outcome, door, address, through and detail, the last as text, without spaces.

    \b
    Examples:
      airworthy audit export > audit.jsonl
    """
    from airworthy.app.project import stored
    from airworthy.recorder import audit

    with stored(folder, database) as found:
        while rows := found.database.read_now(lambda tx, n=after: audit.batch(tx, n)):  # type: ignore[misc]
            for row in rows:
                show.emit({**audit_document(row), "at_us": row.at_us, "detail_text": row.detail,
                           "digest": row.digest.hex()}, line=True)  # fmt: skip
            after = rows[-1].n


def audit_document(row: "AuditRow") -> dict[str, object]:
    return {
        "n": row.n, "at": show.iso(row.at_us), "who": row.who or None, "what": row.what, "about": row.about or None,
        "outcome": row.outcome, "door": row.door, "address": row.address or None, "through": row.through or None,
        "detail": row.facts(),
    }  # fmt: skip


def _from(row: "AuditRow") -> str:
    return " ".join(each for each in (row.door, row.address) if each)
