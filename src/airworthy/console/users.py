"""Users over HTTP: what is stored on one, all of it as a ZIP, and its erasure. Names travel in bodies, never in paths.

Only who administers all agents may: what is stored on a user knows no agent's bounds.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from airworthy.console.access import Caller
from airworthy.console.parts import Administering, Given, Parts, Users
from airworthy.console.problems import Forbidden
from airworthy.core.errors import ConfigError

router = APIRouter(prefix="/users", tags=["users"])
Document = dict[str, Any]


class Named(BaseModel):
    """`user`: as tasks were submitted with."""

    model_config = ConfigDict(extra="forbid")

    user: Annotated[str, Field(min_length=1, max_length=500)]


class ToErase(Named):
    """`cancel`: what is open of the user is cancelled before."""

    cancel: bool = False


@router.post("/look")
def look(named: Named, given: Given, who: Administering) -> Document:
    """How much is stored on a user, and which of their tasks are not over, so that they cannot be erased yet."""
    found = _users(given, who).looked(named.user)
    blocked = [{"task": each.task, "state": each.state, "held_by": each.table} for each in found.blocked]
    return {"tasks": found.tasks, "traces": found.traces, "open": blocked}


@router.post("/erase")
def erase(named: ToErase, given: Given, who: Administering) -> Document:
    """Takes a user out of the records; 409 while something of theirs is open. Twice is once."""
    return _users(given, who).erased(named.user, who.name, cancel=named.cancel)


@router.post(
    "/export",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
def export(named: Named, given: Given, who: Administering) -> FileResponse:
    """Everything that is stored on a user, as a ZIP of JSON with a page to read it by."""
    users = _users(given, who)
    folder = tempfile.TemporaryDirectory(prefix="airworthy-export-")
    try:
        out = Path(folder.name) / "user.zip"
        users.exported(named.user, who.name, out)
    except BaseException:
        folder.cleanup()
        raise
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return FileResponse(
        out, media_type="application/zip", filename="user.zip", headers=headers,
        background=BackgroundTask(folder.cleanup),
    )  # fmt: skip


def _users(given: Parts, who: Caller) -> Users:
    """Raises: Forbidden; ConfigError where nobody gave them."""
    if who.agents:
        raise Forbidden(
            f"{who.name} administers {', '.join(sorted(who.agents))} alone, and a user's records know no such bounds.",
            mend="Ask an admin of all agents.",
        )
    if given.users is None:
        raise ConfigError("This server does not look after users.", mend="Use `airworthy erase`.")
    return given.users
