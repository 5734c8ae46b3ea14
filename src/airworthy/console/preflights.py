"""Preflights over HTTP: which there were, what each came to, and its report. Starts none: that takes code."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from airworthy.console.access import Caller
from airworthy.console.parts import FOUND_MAX, Given, Looking, Parts
from airworthy.core.clock import iso
from airworthy.preflight import records
from airworthy.preflight.records import Stored, UnknownPreflight
from airworthy.preflight.report import Report
from airworthy.preflight.reporting import to_document
from airworthy.runtime.documents import Document, usd
from airworthy.store import Tx

router = APIRouter(tags=["preflights"])


@router.get("/preflights")
def listing(
    given: Given,
    who: Looking,
    agent: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = 100,
) -> list[Document]:
    """The newest first. `verdict` is null while one is under way."""
    return [document(row) for row in listed(given, who, agent=agent, limit=limit)]


@router.get("/preflights/{id_}")
def one(id_: str, given: Given, who: Looking) -> Document:
    """The whole report, in the form in which `airworthy preflight` writes it."""
    return to_document(found(given, who, id_))


def listed(given: Parts, who: Caller, *, agent: str, limit: int) -> list[Stored]:
    """Those of agents that they may see."""

    def read(tx: Tx) -> list[Stored]:
        names = [name for name in records.agents(tx) if who.sees(name) and agent in ("", name)]
        return records.listing(tx, names, limit)

    return given.database.read_now(read)


def found(given: Parts, who: Caller, id_: str) -> Report:
    """Raises: UnknownPreflight, the same for one that they may not see and for one without a report yet."""
    report = given.database.read_now(lambda tx: records.get(tx, id_))
    if report is None or not who.sees(report.agent):
        raise UnknownPreflight(
            "There is no such preflight, or it has no report yet.", mend="List them: GET /api/v1/preflights."
        )
    return report


def document(row: Stored) -> dict[str, Any]:
    return {
        "id": row.id,
        "agent": row.agent,
        "release": row.release,
        "state": row.state.value,
        "verdict": row.verdict or None,
        "began": iso(row.began_us),
        "ended": iso(row.ended_us),
        "seed": row.seed,
        "seconds": row.worked_us / 1e6,
        "cost_usd": usd(row.spent_nano),
    }
