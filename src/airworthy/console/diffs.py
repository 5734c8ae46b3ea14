"""Two runs compared, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from airworthy.console.access import Caller
from airworthy.console.parts import Given, Looking, Parts
from airworthy.core.errors import InputError
from airworthy.recorder.compare import Comparison
from airworthy.recorder.traces.find import NoSuchTrace
from airworthy.runtime import comparing
from airworthy.runtime.documents import Document
from airworthy.store import Tx

router = APIRouter(tags=["traces"])
Other = Annotated[str, Query(alias="with", max_length=200)]


class NothingToCompare(InputError):
    """No other run was named, and none that went well is near."""

    code = "nothing_to_compare"


@router.get("/traces/{trace_id}/diff")
def diff(trace_id: str, given: Given, who: Looking, other: Other = "") -> Document:
    """`with` left out: with a run of the same agent and feature that went well, the nearest in time."""
    return comparing.document(compared(given, who, trace_id, other))


def compared(given: Parts, who: Caller, id_: str, other: str) -> Comparison:
    """Raises: NoSuchTrace, also for what the caller may not see; NothingToCompare."""

    def read(tx: Tx) -> Comparison:
        left = comparing.side_of(tx, id_)
        with_ = other or comparing.similar(tx, id_)
        if not who.sees(left.agent):
            raise NoSuchTrace(f"There is no trace {id_!r}.", mend="Look for it in the list of traces.")
        if not with_:
            raise NothingToCompare(
                f"No run of {left.agent} with the same feature went well near {id_}.",
                mend="Say with which run to compare it.",
            )
        found = comparing.compared(tx, id_, with_)
        if not who.sees(found.right.agent):
            raise NoSuchTrace(f"There is no trace {with_!r}.", mend="Look for it in the list of traces.")
        return found

    return given.database.read_now(read)
