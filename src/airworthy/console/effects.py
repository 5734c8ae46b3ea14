"""Effects over HTTP: look at one, have one that was done taken back. Whether one is made, the review queue decides."""

from fastapi import APIRouter

from airworthy.console.parts import Deciding, Given, Looking
from airworthy.console.tasks import Why
from airworthy.review import Command
from airworthy.runtime.documents import Document, effect_document

router = APIRouter(prefix="/effects", tags=["effects"])


@router.get("/{effect_id}")
def effect(effect_id: str, given: Given, _: Looking) -> Document:
    """With its arguments, and why it was held, if it was."""
    return effect_document(given.operations.effect(effect_id))


@router.post("/{effect_id}/undo", status_code=202)
def undo(effect_id: str, given: Given, who: Deciding, said: Why | None = None) -> Document:
    """Has an effect that was done taken back, once, by a worker; the effect that does so."""
    given.reviews().check_command(who.name, Command.LET_OUT)
    given.operations.effect(effect_id)
    return effect_document(given.operations.undo(effect_id, who.name, said.why if said is not None else ""))
