"""The audit log over HTTP, for admins: who decided or changed what, and the head to keep elsewhere."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from airworthy.console.paging import goes_on
from airworthy.console.parts import FOUND_MAX, Administering, Given
from airworthy.core.clock import iso
from airworthy.recorder import audit
from airworthy.recorder.audit import AuditQuery, AuditRow
from airworthy.runtime.documents import Document

router = APIRouter(prefix="/audit", tags=["audit log"])


@router.get("")
def listing(
    request: Request,
    response: Response,
    given: Given,
    _: Administering,
    *,
    who: str = "",
    what: str = "",
    about: str = "",
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = 100,
) -> list[Document]:
    """The newest first. `what`: one word, as review.approve, or all of review."""
    query = AuditQuery(who, what, about, 0, before, limit)
    rows = given.database.read_now(lambda tx: audit.listing(tx, query))
    if rows:
        goes_on(request, response, len(rows), limit, before=rows[-1].n)
    return [document(row) for row in rows]


@router.get("/head")
def head(given: Given, _: Administering) -> Document:
    """Of the last row: whoever keeps it elsewhere can tell whether anything up to it was changed."""
    last = given.database.read_now(audit.head)
    return {"n": last.n, "digest": last.digest.hex(), "head": str(last)}


def document(row: AuditRow) -> Document:
    return {
        "n": row.n, "at": iso(row.at_us), "who": row.who or None, "what": row.what, "about": row.about or None,
        "outcome": row.outcome, "door": row.door, "address": row.address or None, "through": row.through or None,
        "detail": row.facts(),
    }  # fmt: skip
