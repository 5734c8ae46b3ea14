"""Looks at what stands in the database: who works on it, what is off, what waits for a person."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airworthy.app.doctor import file, server
from airworthy.app.doctor.finding import Check, Finding, broken, caution, ok
from airworthy.app.lookup import effect_counts, workers
from airworthy.core.clock import US_PER_S
from airworthy.recorder import alerts, outgoing
from airworthy.resilience import Mode, shared
from airworthy.runtime import State
from airworthy.runtime.chores import monitored
from airworthy.store import Database, PostgresDatabase, SQLiteDatabase, StoreError, Tx
from airworthy.store import lease as leases
from airworthy.tools import EffectState

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.runtime import Agent

ALERTS_SHOWN_MAX: Final = 20


def checks(app: "App", agents: "Sequence[Agent]") -> list[Check]:
    return [
        *_of_engine(app.database),
        Check("database", lambda: _writable(app)),
        Check("workers", lambda: _workers(app, agents)),
        Check("alerts", lambda: _alerts(app)),
        Check("switches", lambda: _switches(app)),
        Check("breakers", lambda: _breakers(app)),
        Check("people", lambda: _waiting(app)),
        Check("clock", lambda: _clock(app)),
        Check("export", lambda: _export(app)),
    ]


def _of_engine(database: Database) -> list[Check]:
    """What is to be seen of this engine alone."""
    match database:
        case SQLiteDatabase():
            return file.checks(Path(database.path))
        case PostgresDatabase():
            return server.checks(database)
        case _:
            return []


def _writable(app: "App") -> Iterator[Finding]:
    def nothing(tx: Tx) -> None:
        tx.execute("DELETE FROM claims WHERE name = ''")

    try:
        app.database.write_now(nothing)
    except StoreError as error:
        where = app.database.where
        yield broken("database", f"{where} cannot be written: {error.message}", error.mend)
    else:
        yield ok("database", "It can be written.")


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
        text = "No worker runs"
        if not app.database.read_now(monitored):
            text += ", and no monitor: nothing is checked or sent meanwhile"
        yield caution("workers", f"{text}.", "Start one: airworthy run")


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
