"""Keeps the review queue in step with tasks, effects and questions, and tells the people concerned. No decisions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from airworthy.policy import Policy
from airworthy.policy.review_rule import WaitingFor
from airworthy.recorder import touched
from airworthy.review import Item, Kind, Notice, People, Question, Status, enqueue, items, questions
from airworthy.review.notices import NoticeKind
from airworthy.review.placing import Asked, Placing, placed
from airworthy.runtime import tasks
from airworthy.runtime.waiting import Want, wanted
from airworthy.store import Tx
from airworthy.tools import EffectRow, outbox

BATCH = 25  # Tasks brought in step in one transaction, so that no other write waits long for it.
TITLE_CHARS_MAX = 200
_RULE_OF: dict[Kind, WaitingFor] = {
    Kind.APPROVAL: "approvals",
    Kind.DELAYED: "approvals",
    Kind.IN_DOUBT: "in_doubt",
    Kind.QUESTION: "questions",
    Kind.ESCALATION: "escalations",
    Kind.BLOCKED_ANSWER: "escalations",
    Kind.DEAD_LETTER: "dead_letters",
}
NAMES: dict[Kind, str] = {
    Kind.APPROVAL: "An approval",
    Kind.DELAYED: "A delayed call",
    Kind.IN_DOUBT: "A call in doubt",
    Kind.QUESTION: "A question",
    Kind.ESCALATION: "An escalation",
    Kind.BLOCKED_ANSWER: "A blocked answer",
    Kind.DEAD_LETTER: "A dead letter",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides where items go. `policies`: by agent, of those this process knows."""

    people: People = field(default_factory=People)
    policies: Mapping[str, Policy] = field(default_factory=dict)


def anything(tx: Tx, rules: Rules, now_us: int) -> bool:
    """Whether there is anything to do at all; cheap, for whoever asks every second."""
    if touched.any_touched(tx) or items.due(tx, now_us, 1):
        return True
    return bool(rules.policies) and bool(items.unplaced(tx, tuple(rules.policies), 1))


def catch_up(tx: Tx, rules: Rules, now_us: int) -> int:
    """Brings the items of the tasks that changed in step; how many those were. Done again, it changes nothing."""
    task_ids = touched.first(tx, BATCH)
    for task_id in task_ids:
        in_step(tx, rules, task_id, now_us)
    touched.settled(tx, task_ids)
    return len(task_ids)


def in_step(tx: Tx, rules: Rules, task_id: str, now_us: int) -> None:
    task = tasks.find(tx, task_id)
    if task is None:
        return
    effects, asked = outbox.of_task(tx, task_id), questions.of_task(tx, task_id)
    wants = {(want.kind, want.subject): want for want in wanted(task, effects, asked)}
    known = {row.id: row for row in effects}
    for item in items.open_of_task(tx, task_id):
        if wants.pop((item.kind, item.subject), None) is None:
            _gone(tx, item, known.get(item.subject), now_us)
    by_id = {each.id: each for each in asked}
    for want in wants.values():
        _open(tx, rules, _new(task_id, task.agent, want), (want, by_id.get(want.subject)), now_us)


def place(tx: Tx, rules: Rules, now_us: int) -> int:
    """Gives team and deadline to what was listed by somebody who did not know the agent's policy."""
    found = items.unplaced(tx, tuple(rules.policies), BATCH) if rules.policies else []
    for item in found:
        task = tasks.get(tx, item.task_id)
        asked = questions.of_task(tx, item.task_id)
        known = outbox.of_task(tx, item.task_id)
        want = next((each for each in wanted(task, known, asked) if each.subject == item.subject), None)
        if want is None:
            in_step(tx, rules, item.task_id, now_us)
            continue
        question = next((each for each in asked if each.id == item.subject), None)
        put(tx, item, _placing(rules, item, (want, question), now_us))
    return len(found)


def put(tx: Tx, item: Item, found: Placing) -> None:
    items.update(tx, item.id, reminders=0, **_of(found))


def tell(tx: Tx, item: Item, kind: NoticeKind, key: str, text: str, now_us: int) -> None:
    """One notice for one key, however often it is asked for."""
    title = {"review": "waits", "reminder": "still waits", "overdue": "is overdue", "alert": "waits"}[kind]
    enqueue(
        tx,
        Notice(
            f"{item.id}:{key}", kind, item.agent, item.to,
            f"{NAMES[item.kind]} of {item.agent} {title}"[:TITLE_CHARS_MAX], text,
            f"airworthy review show {item.id}", now_us, about=item.id,
        ),
    )  # fmt: skip


def _new(task_id: str, agent: str, want: Want) -> Item:
    return Item("", want.kind, Status.OPEN, want.subject, task_id, agent, want.place, want.since_us)


def _open(tx: Tx, rules: Rules, item: Item, about: tuple[Want, Question | None], now_us: int) -> None:
    if item.agent in rules.policies:
        item = replace(item, **_of(_placing(rules, item, about, now_us)))
    made = items.insert(tx, item)
    if made.kind is not Kind.DELAYED:  # It asks for nothing; a notice for each would drown the others.
        tell(tx, made, "review", "new", f"It is about task {made.task_id}.", now_us)


def _of(found: Placing) -> dict[str, Any]:
    """As fields of an item."""
    return {**asdict(found), "placed": True}


def _gone(tx: Tx, item: Item, effect: EffectRow | None, now_us: int) -> None:
    """Decided elsewhere, or nothing is left to decide."""
    note = f"The call is {effect.state.value} now." if effect is not None else "The task has moved on."
    by = (effect.decided_by or "") if effect is not None else ""
    items.update(tx, item.id, status=Status.GONE, decided_us=now_us, by=by, note=note, wake_us=None)


def _placing(rules: Rules, item: Item, about: tuple[Want, Question | None], now_us: int) -> Placing:
    """The clock of a deadline begins when the item comes on the list: before that nobody could have known of it."""
    want, question = about
    policy = rules.policies[item.agent]
    rule = policy.review.rule(_RULE_OF[item.kind], want.tool)
    place_ = want.place or policy.escalation.default or ""
    if item.kind in (Kind.ESCALATION, Kind.BLOCKED_ANSWER, Kind.IN_DOUBT) and want.place:
        # The stop itself says whom to ask; the rule of the kind does not overrule it.
        rule = rule.model_copy(update={"to": None})
    asked = Asked()
    if question is not None:
        asked = Asked(question.to, question.deadline_s, question.default is not None)
    found = placed(rule, rules.people, now_us, asked, place_)
    if item.kind is Kind.DELAYED:
        return Placing(found.to, None, "wait", "", None)  # It has a time of its own, at which it goes out.
    return found
