"""Tells other programs what happened here: what people.toml asks for, as documents, over its webhooks."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from airworthy.app.console_settings import load_console_settings
from airworthy.app.notify import secrets_of
from airworthy.app.privacy import personal_of
from airworthy.app.recorder_settings import load_recorder_settings
from airworthy.core.clock import iso
from airworthy.core.errors import InputError
from airworthy.core.personal import Personal
from airworthy.recorder import events, read_step
from airworthy.recorder.events import Row, Wish
from airworthy.review import items
from airworthy.review.event_office import EventCourier, EventOffice, mended
from airworthy.review.event_rule import EventRule
from airworthy.runtime import tasks
from airworthy.runtime.chores import Chore
from airworthy.runtime.documents import usd
from airworthy.tools import outbox

if TYPE_CHECKING:
    from airworthy.app.build import App
    from airworthy.review.channel_rule import ChannelRule
    from airworthy.runtime.tasks import TaskRow
    from airworthy.store import Database, Tx

EVERY_S: Final = 2.0
CONTENT_BYTES_MAX: Final = 128 << 10  # of one thing that was said; receivers refuse what is much longer
_SAID: Final = ("reason", "input", "answer", "arguments", "recipient", "result", "note")

Document = dict[str, Any]


def event_chores(app: "App") -> list[Chore]:
    """One for each subscription, so that none waits for another.

    From here on what people.toml asks for is written down, and nothing else: before a worker's first task. The worker
    that began last says what.

    Raises: PolicyError.
    """
    if app.folder is None:
        return []  # Nobody says what is set up.
    people = app.reviews.people
    _set_up(app, [rule.wish(name) for name, rule in people.events.items()])
    if not people.events:
        return []
    personal = personal_of(load_recorder_settings(app.folder).redact, app.database)
    base = load_console_settings(app.folder).public_url or ""
    chores = []
    for name, rule in people.events.items():
        channel = people.channels[rule.channel]
        office = EventOffice(
            name, channel, _couriers(app.folder, rule.channel, channel), app.database, app.clock, ids=app.ids,
            told=Telling(app, rule, personal, base).told,
        )  # fmt: skip
        chores.append(Chore(f"events:{name}", EVERY_S, office.round))
    return chores


def _set_up(app: "App", wanted: Sequence[Wish]) -> None:
    if app.database.read_now(events.wishes) != {row for wish in wanted for row in wish.rows()}:
        now_us = app.clock.now_us()
        app.database.write_now(lambda tx: _changed(tx, wanted, now_us))


def _changed(tx: "Tx", wanted: Sequence[Wish], now_us: int) -> None:
    for name in events.set_up(tx, wanted, now_us):
        mended(tx, name, now_us)


def _couriers(folder: Path, name: str, rule: "ChannelRule") -> Callable[[], EventCourier]:
    def made() -> EventCourier:
        from airworthy.review.courier_http import HttpCourier

        return HttpCourier(rule, partial(secrets_of, folder, name, rule))

    return made


class Telling:
    """Makes messages. `base`: where browsers reach the console; empty: addresses in messages are paths."""

    def __init__(self, app: "App", rule: EventRule, personal: Personal, base: str) -> None:
        self._redactor = app.payloads.redactor
        self._full = rule.content == "full"
        self._personal = personal
        self._base = base

    def told(self, tx: "Tx", row: Row) -> str | None:
        """As it is on record now; None of a task that is no longer there."""
        task = tasks.find(tx, row.task_id)
        if task is None:
            return None
        group = row.kind.partition(".")[0]
        data = {"task": self._task(task), "subscription": row.subscription}
        match group:
            case "task":
                data |= self._closed(tx, task, row)
            case "review":
                data |= self._item(tx, row)
            case _:
                data |= self._effect(tx, row)
        for key in _SAID:
            # It is clean as it was written; what must not leave may be more than what must not be kept.
            if self._personal and data.get(key) is not None:
                data[key] = self._personal.redact_value(data[key])
        document = {"type": row.kind, "timestamp": iso(row.at_us), "data": data}
        return self._redactor.redact_bytes(orjson.dumps(document))[0].decode()

    def _task(self, task: "TaskRow") -> Document:
        said: Document = {"session": task.session or None, "user": task.user_id or None}
        if self._personal:
            said = self._personal.redact_value(said)
        return {
            "id": task.id, "agent": task.agent, "trace_id": task.trace_id, **said, "feature": task.feature or None,
            "policy_hash": task.policy_hash, "created": iso(task.created_us),
            "url": f"{self._base}/api/v1/tasks/{task.id}", "page": f"{self._base}/traces/{task.id}",
        }  # fmt: skip

    def _closed(self, tx: "Tx", task: "TaskRow", row: Row) -> Document:
        facts, step = row.facts, read_step(tx, task.id, int(row.ref))
        reason = step.arguments if step is not None and isinstance(step.arguments, dict) else {}
        document: Document = {
            "outcome": facts["outcome"],
            "reason": {"code": facts["reason"], "text": reason.get("text")}, "to": facts["to"] or None,
            "closed": iso(row.at_us), "duration_s": (row.at_us - task.created_us) / 1e6,
            "active_s": facts["active_us"] / 1e6, "steps": facts["steps"], "tokens": facts["tokens"],
            "cost_usd": usd(facts["cost_nano"]),
        }  # fmt: skip
        if self._full:
            first = read_step(tx, task.id, 0)
            document |= _bounded(
                {
                    "input": first.arguments if first is not None else None,
                    "answer": step.result if step is not None else None,
                }
            )
        return document

    def _item(self, tx: "Tx", row: Row) -> Document:
        item = items.find(tx, row.ref)
        document: Document = {
            "item": {
                "id": row.ref, **row.facts, "team": item.to or None if item is not None else None,
                "created": iso(item.created_us) if item is not None else None,
                "deadline": iso(item.deadline_us) if item is not None else None,
                "url": f"{self._base}/api/v1/review/{row.ref}", "page": f"{self._base}/review/{row.ref}",
            }
        }  # fmt: skip
        if row.kind == "review.decided":
            document |= {
                "decision": (item.act or None) if item is not None else None,
                "by": (item.by or None) if item is not None else None,
            }
            if self._full:
                document |= _bounded({"note": (item.note or None) if item is not None else None})
        return document

    def _effect(self, tx: "Tx", row: Row) -> Document:
        document: Document = {
            "effect": {
                "id": row.ref, **row.facts, "state": row.kind.partition(".")[2],
                "url": f"{self._base}/api/v1/effects/{row.ref}",
            }
        }  # fmt: skip
        effect = outbox.find(tx, row.ref)
        if self._full and effect is not None:
            document |= _bounded(
                {
                    "arguments": orjson.loads(effect.arguments or "null"),
                    "recipient": effect.recipient,
                    "result": None if effect.result is None else orjson.loads(effect.result),
                }
            )
        return document


def _bounded(said: Document) -> Document:
    """What is too long for a message is left out, and named."""
    long = [key for key, value in said.items() if len(orjson.dumps(value)) > CONTENT_BYTES_MAX]
    return {**said, **dict.fromkeys(long), "left_out": long}


def sent_again(database: "Database", now_us: int, id_: str, name: str) -> int:
    """One event, or all of a subscription that are not sent, and lets it go on; how many. Raises: InputError."""

    def op(tx: "Tx") -> int:
        whole = events.whole_id(tx, id_) if id_ else ""
        if name and events.standing(tx, name) is None:
            known = ", ".join(each.name for each in events.standings(tx)) or "none"
            raise InputError(f"There are no events {name!r}.", mend=f"Name one of: {known}.")
        names = [name] if name else events.subscriptions_of(tx, whole)
        count = events.again(tx, now_us, id_=whole, name=name)
        for each in names:
            mended(tx, each, now_us)
        return count

    return database.write_now(op)
