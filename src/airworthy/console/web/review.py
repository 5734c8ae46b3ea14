"""The pages of the review queue: what waits, the most urgent first; one item with its evidence; the decision by form.

Every decision is the queue's own operation with the seal of what was seen, so two who click decide once, and whoever
was slower is told.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from airworthy.console.access import Caller
from airworthy.console.parts import Given, Parts
from airworthy.console.problems import status_of
from airworthy.console.web import review_page
from airworthy.console.web.pages import render
from airworthy.console.web.visitor import VisitDeciding, Visiting, Visitor
from airworthy.core.errors import AirworthyError
from airworthy.review import Act, ItemQuery, Kind, NoSuchItem, Status, items
from airworthy.runtime.documents import evidence_of
from airworthy.runtime.looking import Look
from airworthy.runtime.review_documents import whole_document
from airworthy.runtime.reviews import Reviews, Whole, told_decision

router = APIRouter(include_in_schema=False)
SHOWN_MAX: Final = 200
_Doing = Callable[[Reviews, Look, str, Mapping[str, str]], Whole]


class Asked(BaseModel):
    """What of the queue is shown. `over`: what was decided lately instead of what is open."""

    kind: Annotated[str, Field(max_length=40)] = ""
    to: Annotated[str, Field(max_length=200)] = ""
    agent: Annotated[str, Field(max_length=200)] = ""
    mine: Annotated[str, Field(max_length=5)] = ""
    over: Annotated[str, Field(max_length=5)] = ""


@router.get("/review")
def queue(request: Request, given: Given, who: Visiting, asked: Annotated[Asked, Query()]) -> HTMLResponse:
    """Delayed calls stand apart: they wait for no decision."""
    name, agents = who.caller.name, tuple(sorted(who.caller.agents))
    query = ItemQuery(
        (Kind(asked.kind),) if asked.kind in tuple(Kind) else tuple(Kind),
        asked.to, name if asked.mine else "", asked.agent, limit=SHOWN_MAX,
        statuses=(Status.DECIDED, Status.GONE) if asked.over else (Status.OPEN,),
        by_deadline_for=name, agents=agents,
    )  # fmt: skip
    looks = given.reviews().listing(query, who.caller.person)
    counts = given.database.read_now(lambda tx: items.counts(tx, agents))
    lines = [_line(given, who.caller, look) for look in looks]
    leaving = [line for line in lines if line["due_us"] is not None and not asked.over]
    return render(
        request, "review.html", who=who, title="Review", twin="/api/v1/review",
        entries=[line for line in lines if line not in leaving],
        leaving=sorted(leaving, key=lambda line: int(line["due_us"])),
        full=len(looks) == SHOWN_MAX,
        kinds=[(each.value, review_page.KINDS[each], counts.get(each, 0)) for each in Kind],
        chosen=asked,
        teams=sorted(given.people().teams), agents=sorted(each for each in given.policies if who.caller.sees(each)),
    )  # fmt: skip


@router.get("/review/{item_id}")
def item(request: Request, item_id: str, given: Given, who: Visiting) -> HTMLResponse:
    return _page(request, given, who, item_id)


@router.post("/review/{item_id}/{act}")
async def decide(request: Request, item_id: str, act: str, given: Given, who: VisitDeciding) -> Response:
    form = await request.form()
    sent = {key: value for key, value in form.items() if isinstance(value, str)}
    return await run_in_threadpool(_decided, request, given, who, item_id, act, sent)


def _decided(
    request: Request, given: Parts, who: Visitor, item_id: str, act: str, sent: Mapping[str, str]
) -> Response:
    doing = _DOINGS.get(act)
    look = _seen(given, who.caller, item_id).look
    if doing is None:
        raise NoSuchItem(f"Nothing can be {act!r} with {item_id}.", mend="Go back to the item.")
    try:
        doing(given.reviews(), look, who.caller.name, sent)
    except AirworthyError as error:
        # On the page itself, with what they wrote, so that nothing is written twice.
        return _page(request, given, who, item_id, problem=error, sent=sent, tried=act)
    back = sent.get("back", "")
    return RedirectResponse(back if back.startswith("/traces/") else f"/review/{item_id}", 303)


def _seen(given: Parts, who: Caller, item_id: str) -> Whole:
    """Raises: NoSuchItem, also for what they may not see."""
    whole = given.reviews().item(item_id, who.person)
    if not who.sees(whole.look.item.agent):
        raise NoSuchItem(f"Nothing in the review queue has the id {item_id!r}.", mend="Go back to the queue.")
    return whole


def _page(
    request: Request,
    given: Parts,
    who: Visitor,
    item_id: str,
    *,
    problem: AirworthyError | None = None,
    sent: Mapping[str, str] | None = None,
    tried: str = "",
) -> HTMLResponse:
    whole = _seen(given, who.caller, item_id)
    shown = review_page.offered(given, who.caller, whole.look)
    document = whole_document(whole)
    return render(
        request, "review_item.html", who=who, status=200 if problem is None else status_of(problem),
        title=f"{shown.kind} {item_id}", twin=f"/api/v1/review/{item_id}",
        shown=shown, look=whole.look, told=document, overdue=whole.overdue,
        problem=problem, sent=sent or {}, tried=tried,
        decision="" if shown.is_open else told_decision(whole.look.item), as_text=review_page.as_text,
        people=_people(given, who.caller), rules=_rules(whole.look), blocked=review_page.blocked_of(whole.look),
    )  # fmt: skip


def _line(given: Parts, who: Caller, look: Look) -> dict[str, Any]:
    shown = review_page.offered(given, who, look)
    mine = look.item.assigned == who.name
    due_us = look.effect.due_us if look.effect is not None and look.item.kind is Kind.DELAYED else None
    return {
        "shown": shown,
        "mine": mine,
        "due_us": due_us,
        "decision": "" if shown.is_open else told_decision(look.item),
    }


def _rules(look: Look) -> list[dict[str, Any]]:
    """Why a call was held, rule by rule."""
    evidence = evidence_of(look.effect) if look.effect is not None else None
    rules = evidence.get("rules") if isinstance(evidence, dict) else None
    return [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []


def _people(given: Parts, who: Caller) -> list[str]:
    """To whom it can be passed on."""
    people = given.people()
    return [*sorted(people.teams), *sorted(people.people)] if who.may("decide") or who.may("operate") else []


def _said(sent: Mapping[str, str]) -> dict[str, Any]:
    """What every decision is sent with: the seal of what was seen, and a note."""
    return {"seen": sent.get("seen", ""), "note": sent.get("note", "")}


def _edit(queue: Reviews, look: Look, by: str, sent: Mapping[str, str]) -> Whole:
    return queue.edit(look.item.id, by, review_page.changed(look, sent), **_said(sent))


def _answer(queue: Reviews, look: Look, by: str, sent: Mapping[str, str]) -> Whole:
    return queue.answer(look.item.id, by, review_page.spoken(look, sent.get("value", "")), **_said(sent))


def _settle(how: Act) -> _Doing:
    def settle(queue: Reviews, look: Look, by: str, sent: Mapping[str, str]) -> Whole:
        value = review_page.settled(sent.get("value", "")) if how is Act.HAPPENED else None
        return queue.settle(look.item.id, by, how, value=value, **_said(sent))

    return settle


_DOINGS: Final[Mapping[str, _Doing]] = {
    "approve": lambda queue, look, by, sent: queue.approve(look.item.id, by, **_said(sent)),
    "edit": _edit,
    "reject": lambda queue, look, by, sent: queue.reject(look.item.id, by, **_said(sent)),
    "answer": _answer,
    "reopen": lambda queue, look, by, sent: queue.reopen(
        look.item.id, by, sent.get("word", ""), **_said(sent)
    ),
    "hold": lambda queue, look, by, sent: queue.hold(look.item.id, by, **_said(sent)),
    "happened": _settle(Act.HAPPENED),
    "not-happened": _settle(Act.NOT_HAPPENED),
    "again": _settle(Act.AGAIN),
    "assign": lambda queue, look, by, sent: queue.assign(
        look.item.id, by, sent.get("to", ""), note=sent.get("note", "")
    ),
}
