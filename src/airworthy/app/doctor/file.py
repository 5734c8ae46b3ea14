"""Looks at the file of a database, and at the disk it lies on."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from airworthy.app.doctor.finding import Check, Finding, broken, caution, ok

FREE_BYTES_MIN: Final = 200 * 2**20
FREE_BYTES_LOW: Final = 2 * 2**30
LOG_BYTES_HIGH: Final = 2**30
INTEGRITY_S_MAX: Final = 10.0
_STEPS_BETWEEN_LOOKS = 100_000  # Of the database's own machine, at the clock.


def checks(path: Path) -> list[Check]:
    return [
        Check("database", lambda: _whole(path)),
        Check("database", lambda: _log(path)),
        Check("disk", lambda: _disk(path)),
    ]


def _whole(path: Path) -> Iterator[Finding]:
    """On a connection of its own that can change nothing and is broken off after a while."""
    until_s = time.monotonic() + INTEGRITY_S_MAX
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0)
    try:
        connection.set_progress_handler(lambda: int(time.monotonic() > until_s), _STEPS_BETWEEN_LOOKS)
        rows = connection.execute("PRAGMA quick_check(5)").fetchall()
    except sqlite3.OperationalError as error:
        if time.monotonic() > until_s:
            text = f"It is so large that {INTEGRITY_S_MAX:g} s were too few to look at all of it."
            yield caution("database", text, f"Look at leisure: sqlite3 {path} 'PRAGMA quick_check'")
            return
        yield broken("database", f"{path}: {error}", "See who locks it, and whether it can be read.")
        return
    except sqlite3.DatabaseError as error:
        yield broken("database", f"{path} is damaged: {error}", _restore(path))
        return
    finally:
        connection.close()
    if rows == [("ok",)]:
        yield ok("database", f"{path} is whole.")
    else:
        yield broken(
            "database", f"{path} is damaged: {'; '.join(str(row[0]) for row in rows)}", _restore(path)
        )


def _restore(path: Path) -> str:
    return f"Stop the workers and restore it from a backup; what can be read: sqlite3 {path} .recover"


def _log(path: Path) -> Iterator[Finding]:
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > LOG_BYTES_HIGH:
        text = (
            f"{log.name} has {size / 2**30:.1f} GiB: a reader that never ends keeps it from being folded in."
        )
        yield caution(
            "database", text, "See which process has the database open for long, and start it anew."
        )


def _disk(path: Path) -> Iterator[Finding]:
    usage = shutil.disk_usage(path.resolve().parent)
    text = f"{usage.free / 2**30:.1f} GiB are free at {path.resolve().parent}."
    if usage.free < FREE_BYTES_MIN:
        yield broken("disk", text, "Make room: without it no task can be recorded, and workers stop.")
    elif usage.free < FREE_BYTES_LOW:
        yield caution("disk", text, "Make room soon.")
    else:
        yield ok("disk", text)
