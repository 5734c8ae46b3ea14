"""The review queue over HTTP: the same items, the same words and the same decisions as `airworthy review`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from airworthy.console.access import Caller
from airworthy.console.paging import goes_on
from airworthy.console.parts import FOUND_MAX, Deciding, Given, Looking, Parts
from airworthy.review import Act, ItemQuery, Kind, Status
from airworthy.runtime.documents import Document
from airworthy.runtime.review_documents import line_document, whole_document

router = APIRouter(prefix="/review", tags=["review queue"])
Note = Annotated[str, Field(max_length=20_000)]
Seen = Annotated[str, Field(max_length=100, description="`seen` of the item as it was shown.")]


class Wanted(BaseModel):
    """`kind` left out: all but delayed calls, which wait for no decision. `after`: the last id of the page before."""

    model_config = ConfigDict(extra="forbid")

    kind: list[Kind] = []
    status: list[Status] = [Status.OPEN]
    to: str = ""
    assigned: str = ""
    agent: str = ""
    task: str = ""
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=FOUND_MAX)] = 50


@router.get("")
def items(
    wanted: Annotated[Wanted, Query()], given: Given, who: Looking, request: Request, response: Response
) -> list[Document]:
    """What waits for people, the oldest first."""
    query = ItemQuery(
        tuple(wanted.kind), wanted.to, wanted.assigned, wanted.agent, wanted.task, tuple(wanted.status),
        wanted.after, wanted.limit,
    )  # fmt: skip
    found = given.reviews().listing(query, who.person)
    if found:
        goes_on(request, response, len(found), wanted.limit, after=found[-1].item.id)
    return [line_document(shown) for shown in found]


@router.get("/counts")
def counts(given: Given, _: Looking) -> dict[str, int]:
    """How many of each kind are open."""
    return {kind.value: count for kind, count in given.reviews().counts().items()}


@router.get("/{item_id}")
def item(item_id: str, given: Given, who: Looking) -> Document:
    """All that a person needs to decide. `seen` is to be handed back with the decision: what changed meanwhile is not
    decided on.
    """
    return whole_document(given.reviews().item(item_id, who.person))


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seen: Seen
    note: Note = ""


class Changed(Decision):
    """`value`: the whole changed arguments, the answer, or what the other side answered."""

    value: Any = None


class Reopened(Decision):
    """`word`: what the agent finds as `run.word`."""

    word: Annotated[str, Field(max_length=20_000)] = ""


class Passed(BaseModel):
    """`to`: a person or a team of people.toml."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[str, Field(min_length=1, max_length=200)]
    note: Note = ""


@router.post("/{item_id}/approve")
def approve(item_id: str, said: Decision, given: Given, who: Deciding) -> Document:
    """A call is made; a blocked answer goes out; an escalated task or a dead letter goes on."""
    return whole_document(given.reviews().approve(item_id, who.name, seen=said.seen, note=said.note))


@router.post("/{item_id}/edit")
def edit(item_id: str, said: Changed, given: Given, who: Deciding) -> Document:
    """Changed, then approved."""
    return whole_document(given.reviews().edit(item_id, who.name, said.value, seen=said.seen, note=said.note))


@router.post("/{item_id}/reject")
def reject(item_id: str, said: Decision, given: Given, who: Deciding) -> Document:
    """A call never happens; a task is declined; a dead letter is put away. A note is needed."""
    return whole_document(given.reviews().reject(item_id, who.name, seen=said.seen, note=said.note))


@router.post("/{item_id}/answer")
def answer(item_id: str, said: Changed, given: Given, who: Deciding) -> Document:
    """A question is answered and its task goes on; an escalated task or a dead letter ends with this answer."""
    return whole_document(
        given.reviews().answer(item_id, who.name, said.value, seen=said.seen, note=said.note)
    )


@router.post("/{item_id}/reopen")
def reopen(item_id: str, said: Reopened, given: Given, who: Deciding) -> Document:
    """An escalated task goes on with a word for its agent."""
    return whole_document(
        given.reviews().reopen(item_id, who.name, said.word, seen=said.seen, note=said.note)
    )


@router.post("/{item_id}/hold")
def hold(item_id: str, said: Decision, given: Given, who: Deciding) -> Document:
    """A delayed call waits for a yes instead of for its time."""
    return whole_document(given.reviews().hold(item_id, who.name, seen=said.seen, note=said.note))


@router.post("/{item_id}/happened")
def happened(item_id: str, said: Changed, given: Given, who: Deciding) -> Document:
    """A call in doubt did happen; `value` is what the other side answered."""
    return _settled(given, who, item_id, Act.HAPPENED, said)


@router.post("/{item_id}/not-happened")
def not_happened(item_id: str, said: Decision, given: Given, who: Deciding) -> Document:
    """A call in doubt did not happen."""
    return _settled(given, who, item_id, Act.NOT_HAPPENED, said)


@router.post("/{item_id}/again")
def again(item_id: str, said: Decision, given: Given, who: Deciding) -> Document:
    """A call in doubt is made once more."""
    return _settled(given, who, item_id, Act.AGAIN, said)


@router.post("/{item_id}/assign")
def assign(item_id: str, said: Passed, given: Given, who: Deciding) -> Document:
    """A person may then decide it whatever team they are of; a team has it from now on."""
    return whole_document(given.reviews().assign(item_id, who.name, said.to, note=said.note))


def _settled(given: Parts, who: Caller, item_id: str, how: Act, said: Decision) -> Document:
    value = said.value if isinstance(said, Changed) else None
    return whole_document(
        given.reviews().settle(item_id, who.name, how, seen=said.seen, value=value, note=said.note),
    )
