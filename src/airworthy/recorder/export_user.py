"""Everything stored on one user, as a ZIP of JSON with a page to read it by. Personal data stays: it is theirs.

Secrets were taken out before anything was written, and stay out. What came from outside is data on the page too.
"""

import html
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson

from airworthy.core.clock import iso
from airworthy.recorder import told
from airworthy.recorder.holdings import Holding, TaskRows, trace_bytes
from airworthy.recorder.told import Told
from airworthy.store import Database, Tx

FORMAT: Final = 1
SHOWN_MAX: Final = 10_000  # rows of the page; the JSON has all
Sealed = Iterable[tuple[str, Mapping[str, Any]]]
Plain = Callable[[str], str]


@dataclass(slots=True)
class Exported:
    """`rows`: by table, over all tasks and traces."""

    user: str
    tasks: int = 0
    traces: int = 0
    sealed: int = 0
    rows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    file: str
    at: str
    agent: str
    outcome: str
    rows: int


class Exporter:
    """`plain`: makes text safe to show. Reads beside workers, a task at a time."""

    def __init__(
        self, database: Database, holdings: Sequence[Holding], tasks: TaskRows, plain: Plain
    ) -> None:
        self._database = database
        self._holdings = holdings
        self._tasks = tasks
        self._plain = plain

    def write(
        self, out: Path, users: Sequence[str], refs: Iterable[str], sealed: Sealed, now_us: int
    ) -> Exported:
        """Replaces `out` when all is written; only its owner may read it. `users[0]` is how the user is called."""
        made = Exported(users[0])
        aside = out.with_name(f".{out.name}.{os.getpid()}.part")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
                self._fill(archive, users, refs, sealed, made, now_us)
            aside.replace(out)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return made

    def _fill(
        self,
        archive: zipfile.ZipFile,
        users: Sequence[str],
        refs: Iterable[str],
        sealed: Sealed,
        made: Exported,
        now_us: int,
    ) -> None:
        lines = []
        for ref in dict.fromkeys(refs):
            found = self._database.read_now(partial(self._of, ref=ref))
            kind = "tasks" if "tasks" in found else "traces"
            made.tasks += kind == "tasks"
            made.traces += kind == "traces"
            lines.append(_line(f"{kind}/{ref}.json", found))
            _put(archive, f"{kind}/{ref}.json", found)
            _count(made, found)
        own = told.merged(
            [
                self._database.read_now(partial(told.of_user, holdings=self._holdings, user=user))
                for user in users
            ]
        )
        _put(archive, "user.json", own)
        _count(made, own)
        for name, rows in sealed:
            made.sealed += len(rows["traces"])
            _put(archive, f"sealed/{name.replace('/', '-')}.json", rows)
        about = {
            "format": FORMAT, "user": made.user, "made": iso(now_us), "tasks": made.tasks, "traces": made.traces,
            "sealed": made.sealed, "rows": made.rows,
            "tables": {h.table: h.holds for h in self._holdings if h.table in made.rows},
        }  # fmt: skip
        _put(archive, "manifest.json", about)
        archive.writestr("index.html", "".join(_page(about, lines, self._plain)))

    def _of(self, tx: Tx, *, ref: str) -> Told:
        row = tx.row(self._tasks.one, (ref,))
        return told.of_task(tx, self._holdings, ref, trace_bytes(row[0] if row is not None else ref))


def _put(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    archive.writestr(name, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def _count(made: Exported, found: Told) -> None:
    for table, rows in found.items():
        made.rows[table] = made.rows.get(table, 0) + len(rows)


def _line(file: str, found: Told) -> _Line:
    head = (found.get("tasks") or found.get("traces") or [{}])[0]
    at = str(head.get("created") or head.get("at") or "")
    return _Line(
        file,
        at,
        str(head.get("agent", "")),
        str(head.get("state") or head.get("outcome") or ""),
        told.count(found),
    )


def _page(about: Mapping[str, Any], lines: Sequence[_Line], plain: Plain) -> Iterator[str]:
    def safe(text: object) -> str:
        return html.escape(plain(str(text)))

    yield (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>What is stored</title><style>body{font:16px/1.5 system-ui;margin:2rem;max-width:60rem}"
        "td,th{text-align:left;padding:.2rem 1rem .2rem 0;vertical-align:top}</style>"
    )
    yield f"<h1>What is stored on {safe(about['user'])}</h1><p>As of {safe(about['made'])}. "
    yield f"{about['tasks']} tasks, {about['traces']} traces of other programs, {about['sealed']} in sealed days.</p>"
    yield "<h2>Kinds of records</h2><table>"
    for table, count in sorted(about["rows"].items()):
        yield f"<tr><td>{safe(table)}<td>{count}<td>{safe(about['tables'].get(table, ''))}"
    yield '</table><h2>Tasks and traces</h2><p>What belongs to no task is in <a href="user.json">user.json</a>.</p>'
    yield "<table><tr><th>When<th>Agent<th>Outcome<th>Records<th>File"
    for line in lines[:SHOWN_MAX]:
        file = safe(line.file)
        yield f"<tr><td>{safe(line.at[:19])}<td>{safe(line.agent)}<td>{safe(line.outcome)}<td>{line.rows}"
        yield f'<td><a href="{file}">{file}</a>'
    yield "</table>"
    if len(lines) > SHOWN_MAX:
        yield f"<p>{len(lines) - SHOWN_MAX} more are in the folders beside this page.</p>"
    yield "</html>\n"
