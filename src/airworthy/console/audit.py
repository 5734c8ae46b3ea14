"""The audit log over HTTP, for admins: who decided or changed what, and the head to keep elsewhere.

Only for who administers all agents: what is on record there knows no agent's bounds.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from airworthy.console.access import Caller
from airworthy.console.paging import Paged
from airworthy.console.parts import FOUND_MAX, Administering, Given
from airworthy.console.problems import Forbidden
from airworthy.core.clock import iso
from airworthy.recorder import audit
from airworthy.recorder.audit import AuditQuery, AuditRow
from airworthy.runtime.documents import Document

router = APIRouter(prefix="/audit", tags=["audit log"])


class Wanted(BaseModel):
    """`what`: one word, as review.approve, or all of review. `before`: the last `n` of the page before."""

    model_config = ConfigDict(extra="forbid")

    who: str = ""
    what: str = ""
    about: str = ""
    before: Annotated[int | None, Field(ge=0, le=2**62)] = None
    limit: Annotated[int, Field(ge=1, le=FOUND_MAX)] = 100


@router.get("")
def listing(
    wanted: Annotated[Wanted, Query()], given: Given, who: Administering, page: Paged
) -> list[Document]:
    """The newest first."""
    _whole(who)
    query = AuditQuery(wanted.who, wanted.what, wanted.about, 0, wanted.before, wanted.limit)
    rows = given.database.read_now(lambda tx: audit.listing(tx, query))
    if rows:
        page.goes_on(len(rows), wanted.limit, before=rows[-1].n)
    return [document(row) for row in rows]


@router.get("/head")
def head(given: Given, who: Administering) -> Document:
    """Of the last row: whoever keeps it elsewhere can tell whether anything up to it was changed."""
    _whole(who)
    last = given.database.read_now(audit.head)
    return {"n": last.n, "digest": last.digest.hex(), "head": str(last)}


def _whole(who: Caller) -> None:
    """Raises: Forbidden."""
    if who.agents:
        raise Forbidden(
            f"{who.name} administers {', '.join(sorted(who.agents))} alone, and the audit log is of all agents.",
            mend="Ask an admin of all agents.",
        )


def document(row: AuditRow) -> Document:
    return {
        "n": row.n, "at": iso(row.at_us), "who": row.who or None, "what": row.what, "about": row.about or None,
        "outcome": row.outcome, "door": row.door, "address": row.address or None, "through": row.through or None,
        "detail": row.facts(),
    }  # fmt: skip
