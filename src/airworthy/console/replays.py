"""Replays and forks over HTTP: a task's agent once more with its record, or on from one of its steps in another way."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from airworthy.console.parts import Given, Looking, Operating
from airworthy.core.errors import InputError
from airworthy.runtime.documents import Document, task_document
from airworthy.runtime.forking import NOT_GIVEN, PROMPT_CHARS_MAX, Changes
from airworthy.runtime.side_by_side import side_by_side

router = APIRouter(tags=["replays"])


class NewFork(BaseModel):
    """`at`: the number of the step that is done anew, or has another `result`; null is one. `model` and `prompt` are
    those of every model call from there on. `input`: another one for the whole task.
    """

    model_config = ConfigDict(extra="forbid")

    at: Annotated[int, Field(ge=1, le=2**31)]
    model: Annotated[str, Field(max_length=500)] = ""
    prompt: Annotated[str, Field(max_length=PROMPT_CHARS_MAX)] | None = None
    result: Any = None
    input: Any = None


@router.post("/tasks/{task_id}/replay")
def replay(task_id: str, given: Given, _: Operating) -> Document:
    """`verdict`: same, differs (then `differs` says in what), or cannot. Nothing is asked, done, spent or stored.

    429 with Retry-After while too many are under way.
    """
    # Of a task that killed its workers: its agent may do the same to whoever calls it again.
    return given.replays.replay_now(task_id, spare_process=True).document()


@router.post("/tasks/{task_id}/fork", status_code=202)
def fork(task_id: str, new: NewFork, given: Given, _: Operating, response: Response) -> Document:
    """Answers with the new task once it is on disk. It costs what its models cost, and never acts."""
    changes = Changes(
        new.model, new.prompt,
        new.result if "result" in new.model_fields_set else NOT_GIVEN,
        new.input if "input" in new.model_fields_set else NOT_GIVEN,
    )  # fmt: skip
    made = given.forks.fork(task_id, new.at, changes)
    response.headers["Location"] = f"/api/v1/tasks/{made.id}"
    return task_document(made)


@router.get("/tasks/{task_id}/forks")
def forks(task_id: str, given: Given, _: Looking) -> list[Document]:
    """What was forked from a task, the newest first; at most 100."""
    return [task_document(each) for each in given.operations.forks(task_id)]


@router.get("/tasks/{task_id}/comparison")
def comparison(task_id: str, given: Given, _: Looking) -> Document:
    """A fork and what it was forked from, side by side."""
    found = given.database.read_now(lambda tx: side_by_side(tx, task_id))
    if found is None:
        raise InputError(f"Task {task_id} is no fork.", mend="Name one that POST /tasks/{id}/fork made.")
    return found.document()
