"""Carries a decision through, a person's or the deadline's: once, in one transaction, with its record."""

from dataclasses import replace
from typing import Any

from airworthy.core.canonical import decode, encode
from airworthy.core.errors import AirworthyError
from airworthy.review import Act, Item, Kind, Record, Status, items
from airworthy.review.placing import escalated, next_wake_us
from airworthy.runtime import keeping
from airworthy.runtime.deciding import Deciding, Done, NotFitting, Wish
from airworthy.runtime.keeping import Rules
from airworthy.runtime.looking import Look, look
from airworthy.store import Tx
from airworthy.tools.asking import by_rule_alone

CLOCK = "airworthy"  # Who decides when nobody did.
CLOCK_ROLE = "deadline"


def decided(tx: Tx, deciding: Deciding, found: Look, wish: Wish, now_us: int, *, four_eyes: bool) -> None:
    """Does it, closes the item and writes the record. Raises what `Deciding.perform` raises."""
    done = deciding.perform(tx, found, wish, now_us, four_eyes=four_eyes)
    _close(tx, found.item, wish, done, now_us)


def note_down(tx: Tx, item_id: str, wish: Wish, detail: Any, now_us: int) -> None:
    items.add_record(
        tx,
        Record(
            item_id, 0, now_us, wish.act, wish.by, wish.role, wish.note, wish.seen, encode(detail).decode()
        ),
    )


def wake(tx: Tx, rules: Rules, deciding: Deciding, item_id: str, now_us: int) -> None:
    """A clock's turn: a reminder before the deadline, the default at it. A person who was faster wins."""
    before = items.get(tx, item_id)
    keeping.in_step(tx, rules, before.task_id, now_us)
    found = look(tx, item_id)
    item = found.item
    if item.status is not Status.OPEN or item.wake_us is None or item.wake_us > now_us:
        return
    if item.deadline_us is None or now_us < item.deadline_us:
        _remind(tx, rules, item, now_us)
        return
    wish = Wish(Act.ASSIGN, CLOCK, CLOCK_ROLE, "Nobody decided in time", seen=found.seal)
    match item.on_deadline:
        case "escalate":
            _pass_on(tx, rules, item, wish, now_us)
        case "approve":
            _check_plain(found)
            decided(tx, deciding, found, replace(wish, act=Act.APPROVE), now_us, four_eyes=False)
        case "decline" if item.kind is Kind.QUESTION:
            wish = replace(wish, act=Act.REJECT)
            _close(tx, item, wish, deciding.declined(tx, found, wish, now_us), now_us)
        case "reject" | "decline":
            decided(tx, deciding, found, replace(wish, act=Act.REJECT), now_us, four_eyes=False)
        case "default" if found.question is not None and found.question.default is not None:
            value = decode(found.question.default.encode())
            decided(tx, deciding, found, replace(wish, act=Act.ANSWER, value=value), now_us, four_eyes=False)
        case _:
            items.update(tx, item.id, wake_us=None)
    if item.on_deadline != "escalate":
        keeping.tell(tx, item, "overdue", "overdue", _overdue_text(item), now_us)


def _check_plain(found: Look) -> None:
    """A clock says yes only to what is asked about each time. Raises: NotFitting."""
    effect = found.effect
    if effect is None or found.item.edited_by or not by_rule_alone(effect):
        note = effect.note if effect is not None else ""
        why = (
            f"{found.item.edited_by} changed it"
            if found.item.edited_by
            else note or "nobody noted why it waits"
        )
        raise NotFitting(f"A person has to look at this call: {why}.", mend="Decide on it.")


def give_up(tx: Tx, item_id: str, error: AirworthyError, now_us: int) -> None:
    """The default cannot be carried out, so it waits for a person after all."""
    item = items.get(tx, item_id)
    if items.update(tx, item_id, wake_us=None, on_deadline="wait"):
        text = f"Its deadline has passed, and {item.on_deadline!r} could not be carried out: {error.message}"
        keeping.tell(tx, item, "overdue", "stuck", text, now_us)


def _close(tx: Tx, item: Item, wish: Wish, done: Done, now_us: int) -> None:
    sets: dict[str, Any] = dict(done.sets)
    if done.closes:
        sets |= {
            "status": Status.DECIDED, "decided_us": now_us, "act": wish.act, "by": wish.by, "role": wish.role,
            "note": wish.note, "wake_us": None,
        }  # fmt: skip
    changed = items.update(tx, item.id, **sets)
    assert changed, "a transaction saw an open item that was closed"
    note_down(tx, item.id, wish, done.detail, now_us)


def _remind(tx: Tx, rules: Rules, item: Item, now_us: int) -> None:
    assert item.deadline_us is not None
    number = item.reminders + 1
    wake_us = next_wake_us(rules.people, item.to, item.deadline_us, now_us)
    items.update(tx, item.id, reminders=number, wake_us=wake_us)
    left_min = round((item.deadline_us - now_us) / 60e6)
    text = f"It is about task {item.task_id}. {left_min} minutes are left; then: {item.on_deadline}."
    keeping.tell(tx, item, "reminder", f"reminder:{item.to}:{number}", text, now_us)


def _pass_on(tx: Tx, rules: Rules, item: Item, wish: Wish, now_us: int) -> None:
    keeping.put(tx, item, escalated(rules.people, item.escalate_to, now_us))
    items.update(tx, item.id, assigned="")
    note_down(tx, item.id, wish, item.escalate_to, now_us)
    text = f"{item.to or 'Nobody'} did not decide in time. It is about task {item.task_id}."
    keeping.tell(tx, items.get(tx, item.id), "review", f"new:{item.escalate_to}", text, now_us)


def _overdue_text(item: Item) -> str:
    became = {
        "wait": "It still waits.", "reject": "The call was rejected.", "approve": "The call was approved.",
        "decline": "The task was declined.", "default": "The question was answered with its default.",
    }[item.on_deadline]  # fmt: skip
    return f"Nobody decided in time. {became} It is about task {item.task_id}."
