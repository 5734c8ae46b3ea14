"""Why a person is asked before a call acts, rule by rule. The rules are policy and code; no model is heard."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from airworthy.core.errors import told
from airworthy.store import Tx
from airworthy.tools import outbox
from airworthy.tools.outbox import EffectRow, EffectState
from airworthy.tools.provenance import Finding, Question, judge
from airworthy.tools.rules import needs_approval

if TYPE_CHECKING:
    from airworthy.tools.call import Call

NOTE_CHARS_MAX: Final = 2000
# What came after a yes; a call that was cancelled or rejected endorses nothing.
_NO: Final = (EffectState.HELD, EffectState.REJECTED, EffectState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Asked:
    """All reasons at once. `evidence`, kept with the effect: `{"rules": [{rule, argument, value, text, sources}]}`, and
    `"amended": true` once a person has put other arguments in place of those that it speaks of.
    """

    reasons: tuple[Finding, ...]

    @property
    def note(self) -> str:
        return "; ".join(each.text for each in self.reasons)[:NOTE_CHARS_MAX]

    @property
    def evidence(self) -> bytes:
        return orjson.dumps({"rules": [asdict(each) for each in self.reasons]})


async def asked(call: "Call", row_of: Callable[[], EffectRow]) -> Asked | None:
    """None when nobody need be asked. `row_of`: the effect as it would be recorded; most calls need no look at it."""
    rule, run = call.rule, call.run
    found = list(_without_looking(call))
    traced = _traced(call)
    if traced or rule.approval_new_recipient:
        row = row_of()

        def look(tx: Tx) -> tuple[bool, set[tuple[str, str]]]:
            known = not rule.approval_new_recipient or outbox.reached_before(tx, row)
            return known, _endorsed(outbox.of_task(tx, row.task_id), row.tool)

        known, endorsed = await run.journal.database.read(look)
        if not known:
            text = f"{row.tool} has never reached {row.recipient} before"
            found.append(Finding("new_recipient", rule.recipient_arg or "", row.recipient or "", text))
        found += _traced(call, endorsed) if endorsed else traced
    return Asked(tuple(found)) if found else None


def _without_looking(call: "Call") -> Iterator[Finding]:
    rule, stated = call.rule, call.run.confidence
    static = needs_approval(rule, call.arguments)
    if static is not None and rule.approval == "always":
        yield Finding("always", "", "", static)
    elif static is not None:
        argument = rule.amount_arg or ""
        yield Finding("amount", argument, str(call.arguments.get(argument)), static)
    wanted = None if _by_hand(call) else rule.approval_below_confidence
    if wanted is not None and stated is None:
        yield Finding("confidence", "", "", "the agent did not say how sure it is")
    elif wanted is not None and stated is not None and stated < wanted:
        text = f"the agent is {stated:g} sure, and {wanted:g} is asked for"
        yield Finding("confidence", "", f"{stated:g}", text)


def _traced(call: "Call", endorsed: Collection[tuple[str, str]] = ()) -> tuple[Finding, ...]:
    rule = call.rule
    if rule.approval_untrusted == "off" or _by_hand(call):
        return ()
    named = rule.destination_args or ((rule.recipient_arg,) if rule.recipient_arg is not None else None)
    try:
        return judge(
            call.run.ledger,
            Question(
                call.tool.name, rule.approval_untrusted, call.arguments, named, rule.asked_words,
                call.tool.constants | _exact(rule.recipients),
            ),
            endorsed,
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001  # a guard that fails, fails closed: a person looks
        text = f"where its values came from could not be told ({type(error).__name__}: {told(error)[:200]})"
        return (Finding("untraceable", "", call.tool.name, text),)


def _by_hand(call: "Call") -> bool:
    """A person makes the call themselves: they are sure, and nobody's text chose the values for them."""
    return any("by_hand" in note for note in call.run.notes)


def _exact(recipients: Sequence[str]) -> frozenset[str]:
    """Those whom the policy names one by one; a wildcard names nobody."""
    return frozenset(each.casefold() for each in recipients if not set("*?[") & set(each))


def by_rule_alone(row: EffectRow) -> bool:
    """Whether it was held only because every such call is: nothing about this one was strange, and nobody has held it
    since, a person in the outbox or the end of its task.
    """
    if row.evidence is None or row.due_us is not None:
        return False
    rules = orjson.loads(row.evidence)["rules"]
    return bool(rules) and all(each["rule"] == "always" for each in rules)


def _endorsed(rows: Sequence[EffectRow], tool: str) -> set[tuple[str, str]]:
    """What people have said yes to in this task, for this tool: asked once, it is not asked again. Of a call that they
    changed nobody knows which of the agent's values they meant to keep.
    """
    found: set[tuple[str, str]] = set()
    for row in rows:
        if row.tool == tool and row.evidence is not None and row.state not in _NO:
            evidence: dict[str, Any] = orjson.loads(row.evidence)
            if not evidence.get("amended"):
                found |= {(each["rule"], each["value"]) for each in evidence["rules"]}
    return found
