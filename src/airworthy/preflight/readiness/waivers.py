"""Waivers as they are stored: one for each item of an agent, the newest in place of the one before."""

import re
from datetime import UTC, datetime
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.core.errors import InputError
from airworthy.preflight.readiness.evidence import Waiver
from airworthy.preflight.readiness.questions import OF_THE_POLICY, QUESTIONS
from airworthy.recorder import audit
from airworthy.recorder.audit import Entry
from airworthy.store import Tx
from airworthy.store.database import Database

DAYS_MAX: Final = 366
_DAY_US: Final = 86_400 * US_PER_S
TEXT_CHARS_MAX: Final = 500


class BadWaiver(InputError):
    """A waiver that names nobody, no end, or nothing that could be waived."""

    code = "bad_waiver"


def waiver_of(item: str, by: str, until: str, because: str, now_us: int) -> Waiver:
    """`until`: a day, as 2026-12-31, the last on which it holds, in UTC. Raises: BadWaiver."""
    if item in OF_THE_POLICY:
        raise BadWaiver(
            f"Nobody can waive {item}: the policy itself asks for it.",
            mend="See what is missing: airworthy scope check.",
        )
    if item not in QUESTIONS:
        known = ", ".join(key for key in QUESTIONS if key not in OF_THE_POLICY)
        raise BadWaiver(f"The checklist has no item {item!r}.", mend=f"Waive one of: {known}.")
    if not by.strip():
        raise BadWaiver("A waiver needs a name.", mend="Say who answers for it: --by 'Dana Smith'.")
    if not because.strip():
        raise BadWaiver("A waiver needs a reason.", mend="Say why: --because TEXT.")
    until_us = _end_of(until)
    if until_us <= now_us:
        raise BadWaiver(f"{until} is over.", mend="Give a day that is still to come: --until DATE.")
    if until_us > now_us + DAYS_MAX * _DAY_US:
        raise BadWaiver(
            f"{until} is more than {DAYS_MAX} days away.",
            mend="Give an earlier day, and look at it again then.",
        )
    return Waiver(item, by.strip()[:TEXT_CHARS_MAX], because.strip()[:TEXT_CHARS_MAX], until_us, now_us)


def waived(database: Database, agent: str, waiver: Waiver) -> None:
    """With an entry in the audit log, in the same transaction."""

    def op(tx: Tx) -> int:
        return tx.execute(
            "INSERT INTO readiness_waivers (agent, item, by_whom, because, until_us, at_us) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (agent, item) DO UPDATE SET by_whom = excluded.by_whom, because = excluded.because,"
            " until_us = excluded.until_us, at_us = excluded.at_us",
            (agent, waiver.item, waiver.by, waiver.because, waiver.until_us, waiver.at_us),
        )

    told = Entry(
        "readiness.waive", agent, waiver.by, detail={"item": waiver.item, "until_us": waiver.until_us}
    )
    database.write_now(audit.noted(op, told, waiver.at_us))


def taken_back(database: Database, agent: str, item: str, by: str, now_us: int) -> bool:
    """False when there was none."""
    told = Entry("readiness.unwaive", agent, by, detail={"item": item})
    sql = "DELETE FROM readiness_waivers WHERE agent = ? AND item = ?"
    op = audit.noted(
        lambda tx: tx.execute(sql, (agent, item)) == 1, lambda done: told if done else None, now_us
    )
    return database.write_now(op)


def listing(tx: Tx, agent: str) -> tuple[Waiver, ...]:
    rows = tx.rows(
        "SELECT item, by_whom, because, until_us, at_us FROM readiness_waivers WHERE agent = ? ORDER BY item",
        (agent,),
    )
    return tuple(Waiver(*row) for row in rows)


def _end_of(day: str) -> int:
    """The first moment of the day after. Raises: BadWaiver."""
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
            raise ValueError  # told below, as any other that is none
        begins = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadWaiver(f"{day!r} is no day.", mend="Write it as 2026-12-31.") from error
    return int(begins.timestamp()) * US_PER_S + _DAY_US
