"""Who one is to the API: name, roles, what they let one do, and for a person their sessions."""

from fastapi import APIRouter

from airworthy.console.access import rights_of
from airworthy.console.parts import Calling, Given
from airworthy.core.clock import iso
from airworthy.runtime.documents import Document

router = APIRouter(tags=["you"])


@router.get("/me")
def me(given: Given, who: Calling) -> Document:
    """Of the key or the session that the request came with. `agents` empty: all."""
    sessions = given.signing.sessions(who.person) if who.person else []
    return {
        "name": who.name,
        "person": who.person or None,
        "roles": sorted(who.roles),
        "rights": list(rights_of(who)),
        "agents": sorted(who.agents),
        "sessions": [
            {
                "id": session.id, "this": session.id == who.through, "by": session.way, "address": session.address,
                "browser": session.browser, "created": iso(session.created_us), "seen": iso(session.seen_us),
                "expires": iso(session.expires_us),
            }
            for session in sessions
        ],
    }  # fmt: skip
