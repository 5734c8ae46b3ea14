"""Feedback and results over HTTP: what users say of a task, and what came of it."""

import io
from collections.abc import Iterable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from airworthy.console.paging import goes_on
from airworthy.console.parts import FOUND_MAX, Given, Looking, Parts, Submitting
from airworthy.core.errors import InputError
from airworthy.review.feedback import Feedback, Thumb
from airworthy.review.links import LINK_S_DEFAULT
from airworthy.runtime.afterwards import Refused, Told
from airworthy.runtime.documents import (
    Document,
    feedback_document,
    result_document,
    tally_document,
    told_document,
)
from airworthy.runtime.results_csv import at_us, told_in

router = APIRouter(tags=["feedback and results"])
RESULTS_MAX = 100_000


class Said(BaseModel):
    """At least one of thumb, correction and text."""

    model_config = ConfigDict(extra="forbid")

    thumb: Thumb | None = None
    correction: str = ""
    text: str = ""
    by: str = ""


@router.post("/tasks/{task_id}/feedback", status_code=201)
def say(task_id: str, said: Said, given: Given, _: Submitting) -> Document:
    """Kept beside what was said before; the latest counts."""
    return feedback_document(given.afterwards.say(Feedback("", task_id, "", 0, "api", **said.model_dump())))


@router.get("/tasks/{task_id}/feedback")
def said_of(task_id: str, given: Given, _: Looking) -> list[Document]:
    return [feedback_document(one) for one in given.afterwards.said_of(task_id)]


@router.get("/feedback")
def said(
    given: Given,
    _: Looking,
    request: Request,
    response: Response,
    *,
    agent: str = "",
    thumb: Thumb | None = None,
    before: str = "",
    limit: Annotated[int, Query(ge=1, le=FOUND_MAX)] = 50,
) -> list[Document]:
    """The newest first. `before`: the last id of the page before."""
    found = given.afterwards.said(agent=agent, thumb=thumb, before=before, limit=limit)
    if found:
        goes_on(request, response, len(found), limit, before=found[-1].id)
    return [feedback_document(one) for one in found]


class NewLink(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seconds: float = LINK_S_DEFAULT


@router.post("/tasks/{task_id}/link", status_code=201)
def link(task_id: str, given: Given, _: Submitting, new: NewLink | None = None) -> Document:
    """A path that lets whoever has it say something of this task, and nothing else; put your address before it."""
    text, made = given.afterwards.link(task_id, (new or NewLink()).seconds)
    return {"task": task_id, "path": f"/feedback/{text}", "expires_us": made.expires_us}


class NewResult(BaseModel):
    """`at`: when it happened, in ISO 8601; left out: now."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: Annotated[str, Field(max_length=200)]
    value: float = 1.0
    task: str = ""
    agent: str = ""
    key: str = ""
    at: str = ""
    by: Annotated[str, Field(max_length=500)] = ""

    def told(self, line: int) -> Told:
        """Raises: InputError."""
        try:
            happened_us = at_us(self.at)
        except ValueError as error:
            raise InputError(str(error), mend="Give the time in UTC, or leave it out.") from error
        return Told(self.name, self.value, self.task, self.agent, self.key, happened_us, self.by, line)


@router.get("/tasks/{task_id}/results")
def results_of(task_id: str, given: Given, _: Looking) -> list[Document]:
    return [result_document(one) for one in given.afterwards.results_of(task_id)]


@router.get("/results")
def tallies(given: Given, _: Looking, agent: str = "") -> list[Document]:
    """Each name with how many tasks have it and the mean of its values."""
    return [tally_document(tally) for tally in given.afterwards.tallies(agent)]


_MANY: TypeAdapter[list[Any]] = TypeAdapter(list[Any])


@router.post(
    "/results",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "array",
                        "items": NewResult.model_json_schema(),
                        "maxItems": RESULTS_MAX,
                    }
                },
                "text/csv": {"schema": {"type": "string"}},
            },
        }
    },
)
async def tell(request: Request, given: Given, _: Submitting) -> Document:
    """Many results at once, as a JSON list or as CSV. What cannot be kept is listed by line, all else is kept."""
    raw = await request.body()
    csv = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "text/csv"
    return await run_in_threadpool(_kept, given, raw, csv=csv)


def _kept(given: Parts, raw: bytes, *, csv: bool) -> Document:
    told: Iterable[Told | Refused] = (
        told_in(io.StringIO(raw.decode("utf-8", "replace"), newline="")) if csv else _read(raw)
    )
    return told_document(*given.afterwards.tell_all(told))


def _read(raw: bytes) -> list[Told | Refused]:
    """Raises: InputError when it is no list at all. Lines count from 1."""
    try:
        rows = _MANY.validate_python(orjson.loads(raw), strict=True)
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise InputError(
            "The body is no JSON list.", mend='Send [{"task": "tsk_...", "name": "resolved"}].'
        ) from error
    if len(rows) > RESULTS_MAX:
        raise InputError(f"The list has {len(rows)} entries.", mend=f"Send at most {RESULTS_MAX} at once.")
    found: list[Told | Refused] = []
    for line, row in enumerate(rows, 1):
        try:
            found.append(NewResult.model_validate(row).told(line))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            found.append(Refused(line, f"{'.'.join(map(str, first['loc'])) or 'entry'}: {first['msg']}"))
        except InputError as error:
            found.append(Refused(line, str(error)))
    return found
