"""Looks at the database and at what stands in it that waits for a person."""

import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airworthy.app.doctor.finding import Check, Finding, broken, caution, ok
from airworthy.app.lookup import effect_counts, workers
from airworthy.core.clock import US_PER_S
from airworthy.recorder import alerts, outgoing
from airworthy.resilience import Mode, shared
from airworthy.runtime import State
from airworthy.runtime.chores import monitored
from airworthy.store import StoreError, Tx
from airworthy.store import lease as leases
from airworthy.tools import EffectState

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent

FREE_BYTES_MIN: Final = 200 * 2**20
FREE_BYTES_LOW: Final = 2 * 2**30
LOG_BYTES_HIGH: Final = 2**30
INTEGRITY_S_MAX: Final = 10.0
ALERTS_SHOWN_MAX: Final = 20
_STEPS_BETWEEN_LOOKS = 100_000  # Of the database's own machine, at the clock.


def checks(path: Path, app: "App", agents: "Sequence[Agent]") -> list[Check]:
    return [
        Check("database", lambda: _whole(path)),
        Check("database", lambda: _writable(path, app)),
        Check("disk", lambda: _disk(path)),
        Check("workers", lambda: _workers(app, agents)),
        Check("alerts", lambda: _alerts(app)),
        Check("switches", lambda: _switches(app)),
        Check("breakers", lambda: _breakers(app)),
        Check("people", lambda: _waiting(app)),
        Check("clock", lambda: _clock(app)),
        Check("export", lambda: _export(app)),
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


def _writable(path: Path, app: "App") -> Iterator[Finding]:
    def nothing(tx: Tx) -> None:
        tx.execute("DELETE FROM claims WHERE name = ''")

    try:
        app.database.write_now(nothing)
    except StoreError as error:
        yield broken("database", f"{path} cannot be written: {error.message}", error.mend)
    else:
        yield ok("database", "It can be written.")
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


def _workers(app: "App", agents: "Sequence[Agent]") -> Iterator[Finding]:
    counts, running = app.operations.counts(), workers(app)
    due = counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)
    if running:
        yield ok("workers", f"{len(running)} at work: {', '.join(f'pid {row.pid}' for row in running)}.")
        if not app.database.read_now(monitored):
            text = "No monitor is at work: reviews, notices, health checks and retention stand still."
            yield broken("monitor", text, "Start one: airworthy up --roles monitor")
    elif due:
        yield broken(
            "workers", f"{due} tasks are to be worked on and no worker runs.", "Start one: airworthy run"
        )
    elif agents:
        yield caution(
            "workers", "No worker runs; nothing is checked or sent meanwhile.", "Start one: airworthy run"
        )


def _alerts(app: "App") -> Iterator[Finding]:
    standing = app.database.read_now(lambda tx: alerts.listing(tx, limit=ALERTS_SHOWN_MAX))
    for row in standing:
        about = row.text.splitlines()[0] if row.text else ""
        found = broken if row.severity == "critical" else caution
        yield found(f"alert {row.key}", f"{row.title}. {about}", "airworthy alert show " + row.key)
    if not standing:
        yield ok("alerts", "None stands.")


def _switches(app: "App") -> Iterator[Finding]:
    off = app.operations.switches()
    for row in off:
        name = row.scope.removeprefix("agent:")
        option = "--all" if row.scope == name else f"--agent {name}"
        text = f"Paused by {row.by_whom}: {row.reason or 'no reason is given'}"
        # By itself it pauses for what would fail every task; a person has a reason.
        found = broken if row.by_whom == "airworthy" else caution
        yield found(f"agent {name}", text, f"When its cause is mended: airworthy resume {option}")
    if not off:
        yield ok("switches", "Nothing is paused.")


def _breakers(app: "App") -> Iterator[Finding]:
    rows = app.database.read_now(shared.listing)
    for row in rows:
        if row.state.mode is Mode.OPEN:
            mend = (
                f"When it is well again: airworthy breaker close {row.name!r}"
                if row.state.forced
                else ("It is tried again by itself; see whether the other side is well.")
            )
            yield caution(f"breaker {row.name}", f"Open: {row.state.reason}", mend)
    if all(row.state.mode is not Mode.OPEN for row in rows):
        yield ok("breakers", f"{len(rows)} known, none open.")


def _waiting(app: "App") -> Iterator[Finding]:
    counts, effects = app.operations.counts(), effect_counts(app)
    waits = [
        (counts.get(State.ESCALATED, 0), "tasks wait for a person", "airworthy review list"),
        (counts.get(State.DEAD_LETTERED, 0), "tasks could not be processed", "airworthy dead-letter list"),
        (effects.get(EffectState.HELD, 0), "actions wait for an approval", "airworthy review list"),
        (effects.get(EffectState.IN_DOUBT, 0), "actions are in doubt", "airworthy review list"),
    ]
    for count, what, mend in waits:
        if count:
            yield caution("people", f"{count} {what}.", mend)
    if not any(count for count, _, _ in waits):
        yield ok("people", "Nothing waits for a person.")


def _clock(app: "App") -> Iterator[Finding]:
    """Against the other machines that share the database: each says how long its lease runs."""
    now_us = app.clock.now_us()
    ahead_us = app.database.read_now(
        lambda tx: max((row.expires_us - now_us for row in leases.alive(tx, "", now_us)), default=0)
    )
    ahead_s = ahead_us / US_PER_S - leases.LEASE_S
    if ahead_s > 1.0:
        text = f"A worker's clock is {ahead_s:.0f} s ahead of this machine's."
        yield broken("clock", text, "Set the clocks by NTP: leases are held against them.")


def _export(app: "App") -> Iterator[Finding]:
    standing, waiting = app.database.read_now(lambda tx: (outgoing.standing(tx), outgoing.waiting(tx)))
    if standing is None:
        return
    lost = (
        f", {standing.rejected} refused, {standing.dropped} given up"
        if standing.rejected or standing.dropped
        else ""
    )
    text = f"{standing.sent} spans went to the collector{lost}; {waiting} ended tasks wait to be sent."
    if standing.failures:
        yield caution(
            "export", f"{text} {standing.error}", "Look at the collector, and at [export] in recorder.toml."
        )
    elif lost:
        yield caution(
            "export", f"{text} {standing.error}".strip(), "See why the collector does not take them."
        )
    else:
        yield ok("export", text)
