"""Agents over HTTP: which there are, how each stands, and the switches that let one or all of them wait."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from airworthy.console.access import Caller
from airworthy.console.overview import Seen, opened_of, seen
from airworthy.console.parts import Given, Looking, Operating, Parts
from airworthy.console.problems import Forbidden
from airworthy.core.clock import iso
from airworthy.gateway.keys.book import KeyFilter, keys
from airworthy.recorder.overview import WINDOW_DEFAULT, window_of
from airworthy.runtime import switches
from airworthy.runtime.documents import Document
from airworthy.runtime.switches import ALL, Switch, of_agent
from airworthy.store import Tx

router = APIRouter(tags=["agents"])


@dataclass(frozen=True, slots=True)
class AgentState:
    """`off`: what lets it wait, its own switch before that of all. `purpose` "": its policy is not known here.

    `elsewhere`: known only by what another program tells of it, so that no switch of ours reaches it.
    """

    agent: str
    purpose: str
    off: Switch | None
    troubles: Sequence[str]
    elsewhere: bool


def states(given: Parts, who: Caller) -> tuple[list[AgentState], Seen]:
    """All that they may see, by name. The switches are read now: whoever has just used one must see it."""
    whole = seen(given, given.readings, who, window_of(WINDOW_DEFAULT))
    names = sorted(filter(None, whole.agents))
    now_us = given.clock.now_us()

    def read(tx: Tx) -> tuple[dict[str, Switch], set[str]]:
        off = {row.scope: row for row in switches.listing(tx)}
        return off, {name for name in names if name in given.policies or _is_ours(tx, name, now_us)}

    off, ours = given.database.read_now(read)
    found = [
        AgentState(
            name,
            given.policies[name].purpose if name in given.policies else "",
            off.get(of_agent(name)) or off.get(ALL),
            whole.troubles.get(name, ()),
            elsewhere=name not in ours and of_agent(name) not in off,
        )
        for name in names
    ]
    return found, whole


def _is_ours(tx: Tx, agent: str, now_us: int) -> bool:
    """Whether it has tasks here, or a key for calls through the gateway."""
    if tx.row("SELECT 1 FROM tasks WHERE agent = ? LIMIT 1", (agent,)) is not None:
        return True
    return bool(keys(tx, KeyFilter(now_us, agent)))


class Pausing(BaseModel):
    """`agent` left out: all of them. `to_people`: people do its tasks meanwhile, instead of letting them wait."""

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[str, Field(max_length=200)] = ""
    why: Annotated[str, Field(max_length=2_000)] = ""
    to_people: bool = False


class Resuming(BaseModel):
    """`agent` left out: takes back the pause of all; an agent that was paused by its name stays so."""

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[str, Field(max_length=200)] = ""


@router.get("/agents")
def listing(given: Given, who: Looking) -> list[Document]:
    """By name, each with what is wrong with it, what is open, and what lets it wait."""
    found, whole = states(given, who)
    return [
        {
            "agent": state.agent,
            "purpose": state.purpose or None,
            "paused": None if state.off is None else switch_document(state.off),
            "troubles": list(state.troubles),
            "elsewhere": state.elsewhere,
            **opened_of(whole.standing, state.agent),
        }
        for state in found
    ]


@router.post("/agents/pause")
def pause(said: Pausing, given: Given, who: Operating) -> Document:
    """Every worker obeys within a second; a call under way is not broken off. `changed` false: it was so before."""
    return {"scope": said.agent or ALL, "changed": paused(given, who, said)}


@router.post("/agents/resume")
def resume(said: Resuming, given: Given, who: Operating) -> Document:
    """`tasks`: how many that had stopped on their way go on; null: it was not paused."""
    return {"scope": said.agent or ALL, "tasks": resumed(given, who, said)}


def paused(given: Parts, who: Caller, said: Pausing) -> bool:
    """Raises: Forbidden."""
    return given.operations.pause(_scope(who, said.agent), who.name, said.why, manual=said.to_people)


def resumed(given: Parts, who: Caller, said: Resuming) -> int | None:
    """Raises: Forbidden."""
    return given.operations.resume(_scope(who, said.agent))


def _scope(who: Caller, agent: str) -> str:
    if (not agent and who.agents) or (agent and not who.sees(agent)):
        raise Forbidden(
            f"{who.name} may not switch {agent or 'all agents'}.",
            mend=f"They may see {', '.join(sorted(who.agents))} alone; ask somebody who may see more.",
        )
    return of_agent(agent) if agent else ALL


def switch_document(row: Switch) -> Document:
    return {
        "scope": row.scope, "by": row.by_whom, "why": row.reason, "since": iso(row.at_us), "to_people": row.manual,
    }  # fmt: skip
