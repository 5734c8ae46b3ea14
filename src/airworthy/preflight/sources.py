"""All that an agent could know in a trial: its task, what it was told, its own instructions, what it drew. Pure."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from airworthy.core.canonical import encode
from airworthy.evals import Case
from airworthy.preflight.grounding import Support, day_of, texts_of
from airworthy.preflight.stage.recording import Recording
from airworthy.preflight.stage.script import Played


def sources(case: Case, played: Played) -> list[str]:
    """All that the agent could know: the task, what it was told, and its own instructions."""
    of_task = [*texts_of(case.input), as_json(case.input), case.session, case.user, case.feature, case.source]
    people = [f"{asked.text} {asked.said}" for asked in played.trial.asked]
    own = [
        text
        for step in played.recording.steps
        if step.kind == "model"
        for text in _told_before(step.arguments)
    ]
    other = [
        as_json(step.result)
        for step in played.recording.steps
        if step.kind not in ("model", "tool", "outcome", "check") and step.result is not None
    ]
    results = [as_json(each.get("result")) for each in case.results if each.get("result") is not None]
    return [*of_task, *played.trial.heard, *people, *dict.fromkeys(own), *other, *results]


def _told_before(asked: Any) -> Iterator[str]:
    """Of a request to a model, what the agent's author wrote: instructions, and what tools are for."""
    yield from instructions_in(asked)
    if isinstance(asked, Mapping):
        yield from texts_of(asked.get("tools"))


def instructions_in(asked: Any) -> Iterator[str]:
    """Of a request to a model, in any of the protocols."""
    if not isinstance(asked, Mapping):
        return
    for name in ("system", "instructions"):
        yield from texts_of(asked.get(name))
    messages = asked.get("messages")
    for message in messages if isinstance(messages, list | tuple) else ():
        if isinstance(message, Mapping) and message.get("role") in ("system", "developer"):
            yield from texts_of(message.get("content"))


def today(recording: Recording) -> list[date]:
    return [day_of(step.started_us) for step in recording.steps[:1]]


class _Supports:
    """Whether a value of an argument was told."""

    def __init__(self, support: Support) -> None:
        self._support = support

    def __call__(self, value: Any) -> bool:
        if isinstance(value, bool) or value is None:
            return True
        if isinstance(value, int | float):
            return self._support.says_number(value)
        return all(self._support.says(text) for text in texts_of(value))


def supported(case: Case, played: Played, golden: Recording) -> _Supports:
    return _Supports(Support(sources(case, played), today(golden)))


def drawn_anew(recording: Recording) -> str:
    """Times, ids and chance that the run was given: another in each run."""
    own = (
        step
        for step in recording.steps
        if step.kind not in ("input", "model", "tool", "outcome", "check", "ask")
    )
    return "\n".join(as_json(step.result) for step in own if step.result is not None)


def as_json(value: Any) -> str:
    return encode(value).decode()
