"""Tasks over HTTP: hand one in, look at it, cancel, pause and resume it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from airworthy.console.paging import goes_on
from airworthy.console.parts import FOUND_MAX, Given, Looking, Operating, Submitting
from airworthy.core.errors import InputError
from airworthy.review import Act
from airworthy.runtime import State, Submission, TaskQuery
from airworthy.runtime.documents import Document, record_document, task_document

router = APIRouter(tags=["tasks"])
Label = Annotated[str, Field(max_length=500)]


class NewTask(BaseModel):
    """`key`: the same key with the same input is the same task, however often it is sent. `priority` left out: what the
    policy says for the feature. `dry_run`: every effect of the task is only rehearsed.
    """

    model_config = ConfigDict(extra="forbid")

    agent: str
    input: Any
    key: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    session: Label = ""
    user: Label = ""
    feature: Label = ""
    source: Label = ""
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    dry_run: bool = False


@router.post("/tasks", status_code=202)
def submit(new: NewTask, given: Given, _: Submitting, response: Response) -> Document:
    """Answers once the task is on disk. 429 with Retry-After when the queue is full; nothing is stored then."""
    policy = given.policies.get(new.agent)
    if policy is None:
        raise InputError(
            f"There is no agent {new.agent!r} here.", mend=f"Known agents: {', '.join(given.policies)}."
        )
    about = new.model_dump(exclude={"agent", "input"})
    accepted = given.operations.submit(policy, Submission(new.input, **about))
    response.headers["Location"] = f"/api/v1/tasks/{accepted.task.id}"
    if accepted.repeated:
        response.status_code = 200
    return task_document(accepted.task)


class Wanted(BaseModel):
    """`before`: the last id of the page before."""

    model_config = ConfigDict(extra="forbid")

    agent: str = ""
    state: list[State] = []
    user: str = ""
    session: str = ""
    before: str = ""
    limit: Annotated[int, Field(ge=1, le=FOUND_MAX)] = 50


@router.get("/tasks")
def tasks(
    wanted: Annotated[Wanted, Query()], given: Given, _: Looking, request: Request, response: Response
) -> list[Document]:
    """The newest first."""
    query = TaskQuery(
        tuple(wanted.state),
        wanted.agent,
        wanted.session,
        wanted.user,
        before=wanted.before,
        limit=wanted.limit,
    )
    found = given.operations.tasks(query)
    if found:
        goes_on(request, response, len(found), wanted.limit, before=found[-1].id)
    return [task_document(task) for task in found]


@router.get("/tasks/{task_id}")
def task(task_id: str, given: Given, _: Looking) -> Document:
    """With its input, its answer, its steps and its effects."""
    row = given.operations.task(task_id)
    record = record_document(given.operations.steps(task_id), given.operations.effects(task_id))
    return {**task_document(row), **record}


class Why(BaseModel):
    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, Field(max_length=2_000)] = ""


@router.post("/tasks/{task_id}/cancel")
def cancel(task_id: str, given: Given, who: Operating, said: Why | None = None) -> Document:
    """`done` false: it is running, and stops before its next step."""
    done = given.operations.cancel(task_id, who.name, said.why if said is not None else "")
    return {"task": task_id, "done": done}


@router.post("/tasks/{task_id}/pause")
def pause(task_id: str, given: Given, _: Operating) -> Document:
    """`done` false: it is running, and stops before its next step."""
    return {"task": task_id, "done": given.operations.pause_task(task_id)}


@router.post("/tasks/{task_id}/resume")
def resume(task_id: str, given: Given, who: Operating) -> Document:
    """`was`: the state it was in. One that was handed to people goes on only on the word of who may decide it."""
    given.reviews().check_task(task_id, who.name, Act.APPROVE, otherwise=None)
    return {"task": task_id, "was": given.operations.resume_task(task_id).value}
