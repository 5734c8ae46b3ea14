"""Cases over HTTP: made of a task, listed, read, deleted. Runs none: that is what a preflight does."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from airworthy.console.access import Caller
from airworthy.console.parts import Given, Looking, Operating, Parts
from airworthy.core.clock import iso
from airworthy.core.errors import ConfigError
from airworthy.preflight.cases import keeping
from airworthy.preflight.cases.keeping import Cases, Stored
from airworthy.preflight.cases.recorded import Kind, Made, Wish
from airworthy.runtime.documents import Document

router = APIRouter(tags=["cases"])
EXPECT_KEYS_MAX = 20
OfAgent = Annotated[
    str, Query(max_length=200, description="Needed where several agents have a case of this id.")
]


class NewCase(BaseModel):
    """`kind`: golden or failure; left out, as the task went. `expect`: what should have happened, by the keys of a
    case; needed for a failure whose record does not say it.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind | None = None
    expect: Annotated[dict[str, Any], Field(max_length=EXPECT_KEYS_MAX)] = {}
    id: Annotated[str, Field(max_length=100)] = ""
    severity: Annotated[str, Field(max_length=20)] = ""


@router.post("/tasks/{task_id}/case", status_code=201)
def make(task_id: str, new: NewCase, given: Given, who: Operating, response: Response) -> Document:
    """Answers once it is on disk; preflights of the agent run it from then on. `notes`: what is not in it."""
    facts = {key: value for key, value in (("id", new.id), ("severity", new.severity)) if value}
    made = made_of(given, who, task_id, Wish(new.kind, new.expect, facts))
    response.headers["Location"] = f"/api/v1/cases/{made.case.id}"
    return {"case": _plain(made), "kind": made.kind.value, "notes": list(made.notes)}


@router.get("/cases")
def listing(given: Given, who: Looking, agent: Annotated[str, Query(max_length=200)] = "") -> list[Document]:
    """Those that were made of tasks, the oldest first. Cases in files are not here."""
    return [document(each) for each in seen(given, who, agent=agent)]


@router.get("/cases/{case_id}")
def one(case_id: str, given: Given, who: Looking, agent: OfAgent = "") -> Document:
    return document(only(given, who, case_id, agent))


@router.delete("/cases/{case_id}", status_code=204)
def delete(case_id: str, given: Given, who: Operating, agent: OfAgent = "") -> None:
    """Preflights that have run keep what came of it."""
    cases_in(given).remove(only(given, who, case_id, agent), who.name)


def cases_in(given: Parts) -> Cases:
    """Raises: ConfigError where this server was put together without them."""
    if given.cases is None:
        raise ConfigError("No cases are kept here.", mend="Serve with `airworthy up`.")
    return given.cases


def made_of(given: Parts, who: Caller, task_id: str, wish: Wish) -> Made:
    """Raises: NoSuchTask, also for one that is not theirs to see; CannotMake."""
    given.operations.task(task_id)
    return cases_in(given).make(task_id, wish, who.name)


def seen(given: Parts, who: Caller, *, agent: str = "", task_id: str = "") -> list[Stored]:
    agents = (agent,) if agent else ()
    return [each for each in cases_in(given).listing(agents, task_id=task_id) if who.sees(each.agent)]


def only(given: Parts, who: Caller, case_id: str, agent: str) -> Stored:
    """Raises: NoSuchCase, the same for one that they may not see; also where several agents have one of this id."""
    return keeping.only(seen(given, who, agent=agent), case_id)


def document(stored: Stored) -> Document:
    return {
        "id": stored.case.id,
        "agent": stored.agent,
        "kind": stored.kind.value,
        "task": stored.task_id,
        "made": iso(stored.made_us),
        "made_by": stored.made_by,
        "case": stored.case.model_dump(mode="json", exclude_defaults=True),
    }


def _plain(made: Made) -> Any:
    return made.case.model_dump(mode="json", exclude_defaults=True)
