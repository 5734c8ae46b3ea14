"""Alerts over HTTP: what needs somebody and belongs to no single task."""

from typing import Annotated

from fastapi import APIRouter, Query

from airworthy.console.access import Caller
from airworthy.console.parts import FOUND_MAX, Given, Looking, Operating, Parts
from airworthy.recorder import alerts, audit
from airworthy.recorder.alerts import AlertRow
from airworthy.recorder.audit import Entry
from airworthy.runtime.documents import Document, alert_document

router = APIRouter(tags=["alerts"])


@router.get("/alerts")
def listing(
    given: Given, who: Looking, *, over: bool = False, limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = 100
) -> list[Document]:
    """The newest first. `over`: those that have ended too."""
    return [alert_document(row) for row in listed(given, who, over=over, limit=limit)]


def listed(given: Parts, who: Caller, *, over: bool, limit: int) -> list[AlertRow]:
    """Those that they may see: whoever may not see all agents sees none that concerns all."""
    agents = sorted(who.agents)
    return given.database.read_now(lambda tx: alerts.listing(tx, over=over, agents=agents, limit=limit))


@router.post("/alerts/end")
def end(key: Annotated[str, Query(max_length=1_000)], given: Given, who: Operating) -> Document:
    """Somebody has seen to it. `changed` false: it had ended before."""
    return {"key": key, "changed": ended(given, who, key)}


def ended(given: Parts, who: Caller, key: str) -> bool:
    """False when it had ended before. Raises: InputError, the same for one that they may not see."""
    now_us = given.clock.now_us()
    row = given.database.read_now(lambda tx: alerts.get(tx, key))
    if not who.sees(row.agent):
        raise alerts.unknown(key)
    return given.database.write_now(
        audit.noted(
            lambda tx: alerts.ended(tx, key, who.name, now_us),
            lambda ended: Entry("alert.end", key, who.name) if ended else None,
            now_us,
        )
    )
