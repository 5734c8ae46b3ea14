"""One input to one agent: what travels with every call made for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Who and what a call belongs to; never changes over a task's life."""

    id: str
    agent: str
    trace_id: str
    session: str = ""
    user: str = ""
    feature: str = ""
