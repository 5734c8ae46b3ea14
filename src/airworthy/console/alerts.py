"""Alerts over HTTP: what needs somebody and belongs to no single task."""

from typing import Annotated

from fastapi import APIRouter, Query

from airworthy.console.parts import FOUND_MAX, Given, Looking, Operating
from airworthy.core.errors import InputError
from airworthy.recorder import alerts, audit
from airworthy.recorder.audit import Entry
from airworthy.runtime.documents import Document, alert_document

router = APIRouter(tags=["alerts"])


@router.get("/alerts")
def listing(
    given: Given, who: Looking, *, over: bool = False, limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = 100
) -> list[Document]:
    """The newest first. `over`: those that have ended too."""
    found = given.database.read_now(
        lambda tx: alerts.listing(tx, over=over, agents=sorted(who.agents), limit=limit)
    )
    return [alert_document(row) for row in found]


@router.post("/alerts/end")
def end(key: Annotated[str, Query(max_length=1_000)], given: Given, who: Operating) -> Document:
    """Somebody has seen to it. `changed` false: it had ended before."""
    now_us = given.clock.now_us()
    if not who.sees(given.database.read_now(lambda tx: alerts.get(tx, key)).agent):
        raise InputError(f"There is no alert {key!r}.", mend="List them with `airworthy alert list`.")
    changed = given.database.write_now(
        audit.noted(
            lambda tx: alerts.ended(tx, key, who.name, now_us),
            lambda ended: Entry("alert.end", key, who.name) if ended else None,
            now_us,
        )
    )
    return {"key": key, "changed": changed}
