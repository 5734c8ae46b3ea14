"""Faults of the model rather than of the line: each turns a decision into a worse one, if it can."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import orjson

from airworthy.gateway.simulator import brain
from airworthy.gateway.simulator.conversation import Conversation, Json, Tool, as_dict, as_list, as_text
from airworthy.gateway.simulator.decision import Call, Decision
from airworthy.gateway.simulator.facts import Facts
from airworthy.gateway.simulator.faults import ARGUMENT_FORMS, Fault

_DATE_OR_NUMBER = re.compile(r"(?<![\w.-])(?:(\d{4}-\d{2}-\d{2})|(\d{1,15}(?:\.\d{1,6})?))(?![\w-]|\.\d)")
_ANY_DIGITS = re.compile(r"\d+")
_ASIDES = (
    "Sourdough rises best at around 24 degrees; give it a good four hours before shaping.",
    "The blue whale's heart weighs roughly as much as a small piano.",
    "For a longer weekend, the night train along the coast is worth the detour.",
    "Tomatoes and basil do well side by side if they get six hours of sun.",
)
_INVENTED_TOOLS = (
    "lookup_account_history",
    "get_customer_profile",
    "search_knowledge_base",
    "run_diagnostics",
)

Misconduct = Callable[[Decision, Conversation, Fault, random.Random], Decision | None]


def misconducted(
    decision: Decision, conversation: Conversation, fault: Fault, chance: random.Random
) -> Decision | None:
    """The decision as the fault makes it. None if this turn gives the fault nothing to work on."""
    return KINDS[fault.kind](decision, conversation, fault, chance)


def _wrong_tool_arguments(
    decision: Decision, conversation: Conversation, fault: Fault, chance: random.Random
) -> Decision | None:
    if not decision.calls:
        return None
    first, *rest = decision.calls
    form = fault.variant or chance.choice(ARGUMENT_FORMS)
    tool = conversation.tool(first.tool) or Tool(first.tool, "", {})
    return replace(decision, calls=(Call(first.tool, _spoiled(first.arguments, form, tool, chance)), *rest))


def _spoiled(arguments: str, form: str, tool: Tool, chance: random.Random) -> str:
    values = as_dict(orjson.loads(arguments))
    required = [as_text(name) for name in as_list(tool.parameters.get("required")) if name in values]
    name = chance.choice(required or list(values)) if values else None
    if form == "missing_field" and required:
        return orjson.dumps({key: value for key, value in values.items() if key != name}).decode()
    if form == "wrong_type" and name is not None:
        return orjson.dumps(values | {name: _other_type(values[name])}).decode()
    if form == "unknown_field":
        return orjson.dumps(values | {"verbosity": "high"}).decode()
    # Also for a form the arguments have no room for: text that stops in the middle never fits a schema.
    return arguments[: max(1, len(arguments) * 2 // 3)] if len(arguments) > 2 else '{"'


def _other_type(value: Json) -> Json:
    match value:
        case str():
            return {"value": value}
        case list() | dict():
            return "unknown"
        case _:
            return [value]


def _unknown_tool(
    decision: Decision, conversation: Conversation, _fault: Fault, chance: random.Random
) -> Decision | None:
    invented = [name for name in _INVENTED_TOOLS if conversation.tool(name) is None]
    if not conversation.tools or not invented:
        return None
    arguments = (
        decision.calls[0].arguments if decision.calls and not decision.is_final else '{"reference":"1"}'
    )
    return replace(decision, calls=(Call(chance.choice(invented), arguments),), text=None)


def _made_up_facts(
    decision: Decision, conversation: Conversation, _fault: Fault, chance: random.Random
) -> Decision | None:
    results = [use.result for use in conversation.uses if use.result is not None]
    if not decision.is_final or not results:
        return None
    known = set(_ANY_DIGITS.findall(" ".join(results))) | {
        m.group() for m in _DATE_OR_NUMBER.finditer(" ".join(results))
    }
    made_up = _Falsifier(known, chance)
    if decision.calls:
        first, *rest = decision.calls
        value = made_up.value(orjson.loads(first.arguments))
        calls = (Call(first.tool, orjson.dumps(value).decode()), *rest)
        return replace(decision, calls=calls) if made_up.changes else None
    if conversation.form is not None:
        value = made_up.value(orjson.loads(decision.text or "null"))
        return replace(decision, text=orjson.dumps(value).decode()) if made_up.changes else None
    text = made_up.text(decision.text or "")
    # An answer without numbers gets one: a model that makes things up does not stop at what was asked.
    return replace(
        decision, text=text if made_up.changes else f"{text} The total is {made_up.number('86.40')}."
    )


class _Falsifier:
    """Replaces numbers and dates by others that no tool reported; equal ones by equal ones."""

    def __init__(self, known: set[str], chance: random.Random) -> None:
        self._known = known
        self._factor = chance.uniform(1.15, 1.9)
        self._days = chance.randint(3, 40)
        self.changes = 0

    def value(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {name: self.value(item) for name, item in value.items()}
        # Between 0 and 1 it is a confidence or a share, not a fact from a record.
        if isinstance(value, bool) or not isinstance(value, int | float) or 0 <= value <= 1:
            return value
        self.changes += 1
        other = self.number(str(value))
        return float(other) if isinstance(value, float) else int(other)

    def text(self, text: str) -> str:
        return _DATE_OR_NUMBER.sub(self._other, text)

    def number(self, text: str) -> str:
        try:
            places = len(text.partition(".")[2])
            value = float(text)
        except ValueError:
            return text
        step = 10**-places
        changed = f"{value * self._factor + step:.{places}f}"
        while changed in self._known:
            changed = f"{float(changed) + step:.{places}f}"
        return changed

    def _other(self, match: re.Match[str]) -> str:
        self.changes += 1
        day, number = match.groups()
        if number is not None:
            return self.number(number)
        try:
            moved = date.fromisoformat(day) + timedelta(days=self._days)
            while moved.isoformat() in self._known:
                moved += timedelta(days=1)
            return moved.isoformat()
        except (ValueError, OverflowError):
            return "2031-01-01"


def _loop(
    decision: Decision, conversation: Conversation, _fault: Fault, _chance: random.Random
) -> Decision | None:
    last = [use for use in conversation.arrived if conversation.tool(use.name) is not None]
    if not last:
        return None
    return replace(decision, calls=tuple(Call(use.name, use.arguments) for use in last), text=None)


def _off_topic(
    decision: Decision, conversation: Conversation, _fault: Fault, chance: random.Random
) -> Decision | None:
    wanted = {call.tool for call in decision.calls}
    others = [tool for tool in conversation.tools if tool.name not in wanted and not tool.is_final]
    strange = [tool for tool in others if brain.relevance(tool, conversation.user) == 0]
    if decision.calls and not decision.is_final and strange:
        tool = chance.choice(strange)
        arguments = brain.best_effort(tool, Facts(replace(conversation, users=(), uses=())))
        return replace(decision, calls=(Call.of(tool.name, arguments),))
    if conversation.form is not None or decision.calls:
        # A typed answer stays typed; only what it says is about something else.
        return _aside_in_form(decision, conversation, chance.choice(_ASIDES), chance)
    return replace(decision, text=chance.choice(_ASIDES))


def _aside_in_form(
    decision: Decision, conversation: Conversation, aside: str, chance: random.Random
) -> Decision:
    stranger = replace(conversation, users=(), uses=(), arrived=())
    return replace(brain.in_form(aside, stranger, chance), rule=decision.rule)


def _obeys_injection(
    decision: Decision, conversation: Conversation, _fault: Fault, chance: random.Random
) -> Decision | None:
    obeyed = brain.obeyed(conversation)
    if obeyed is None:
        return None
    if obeyed.text is not None:
        obeyed = brain.in_form(obeyed.text, conversation, chance)
    return replace(obeyed, rule=decision.rule)


KINDS: dict[str, Misconduct] = {
    "wrong_tool_arguments": _wrong_tool_arguments,
    "unknown_tool": _unknown_tool,
    "made_up_facts": _made_up_facts,
    "loop": _loop,
    "off_topic": _off_topic,
    "obeys_injection": _obeys_injection,
}
