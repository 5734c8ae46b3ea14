"""A file that remembers how far a database's audit log was seen to be whole, and what it said there.

Whoever can write the database and not this file changes nothing before that place unseen. Whoever can write both can:
for those, keep `airworthy audit head` on another machine.
"""

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from airworthy.core.errors import InputError
from airworthy.recorder import audit
from airworthy.recorder.alerts import Alert, raised
from airworthy.recorder.audit import BEGINNING, Break, Head
from airworthy.store import Database, Tx

if TYPE_CHECKING:
    from airworthy.app.config import Config

ENDING: Final = ".audit-head"
ALERT: Final = "audit"


def head_file(config: "Config") -> Path:
    """Beside the file of the database; of a server's, in the working folder, by the address it was reached under."""
    if config.database_url is None:
        return config.database_path.with_name(config.database_path.name + ENDING)
    name = re.sub(r"[^\w.-]", "", urlsplit(config.where).path) or "postgresql"
    return config.folder / f"{name}-{hashlib.sha256(config.where.encode()).hexdigest()[:8]}{ENDING}"


class Witness:
    """Of one database. Cheap while nothing was added: a row and a line of text are read."""

    def __init__(self, path: Path) -> None:
        """`path`: as `head_file` names it."""
        self.path = path

    def head(self) -> Head | None:
        """None: there is no file yet. Raises: InputError for one that is none."""
        try:
            return audit.head_from(self.path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return None

    def look(self, database: Database, now_us: int) -> Break | None:
        """Checks what was added since, and remembers it; a break is an alert, and is not remembered."""
        try:
            seen = self.head()
        except InputError as error:
            found: Break | None = Break(0, f"{self.path} is damaged: {error.message}")
        else:
            last = database.read_now(audit.head)
            if last == seen or (seen is None and last.n == 0):
                return None
            found = database.read_now(lambda tx: verified(tx, seen))
        if found is None:
            self.remember(database.read_now(audit.head), seen)
        else:
            alert = _alert(found)
            database.write_now(lambda tx: raised(tx, alert, now_us))
        return found

    def keep(self, database: Database) -> Callable[[int], Awaitable[None]]:
        """The same, again and again, beside a worker's tasks."""

        async def look(now_us: int) -> None:
            await asyncio.to_thread(self.look, database, now_us)

        return look

    def remember(self, head: Head, before: Head | None) -> None:
        """Only forward: another process may have seen more meanwhile."""
        if before is not None and head.n <= before.n:
            return
        with contextlib.suppress(
            OSError
        ):  # Where nothing can be written, nothing is remembered; that is all.
            beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
            beside.write_text(f"{head}\n", encoding="ascii")
            beside.replace(self.path)


def verified(tx: Tx, seen: Head | None) -> Break | None:
    """From the row on up to which all was seen to be whole. A log that differs there, or ends before, is broken."""
    if seen is None:
        return audit.verify(tx)
    there = audit.digest_at(tx, seen.n)
    if there is None:
        last = audit.head(tx)
        return Break(
            last.n + 1, f"The log ends with row {last.n}, and row {seen.n} was there: its end is cut off."
        )
    if there != seen.digest:
        return audit.verify(tx, seen) or Break(seen.n, f"Row {seen.n} is not the one that was there.")
    return audit.verify(tx, after=seen if seen.n else Head(0, BEGINNING))


def _alert(found: Break) -> Alert:
    return Alert(
        ALERT, "audit", "", "critical", "The audit log is not what was written.",
        f"{found.why}\nSomebody wrote to the database past airworthy, or an older copy of it was put back. Compare"
        " with the head that you keep elsewhere: airworthy audit verify --head HEAD",
    )  # fmt: skip
