"""One item of the review queue for a page: its evidence, and each decision with its form, or why it is not theirs.

Values only. Who may do what is the queue's own rule; here it is asked beforehand, so that nobody is offered a refusal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from airworthy.console.access import Caller
from airworthy.console.parts import Parts
from airworthy.core.chars import hides
from airworthy.core.errors import InputError
from airworthy.recorder.readable import readable
from airworthy.review import ACTS, Act, Item, Kind, Status
from airworthy.review.may import Mine, NotAllowed, role_for
from airworthy.runtime import telling
from airworthy.runtime.looking import Look

FIELDS_MAX: Final = 30  # arguments with a field of their own; more are edited as one text
ARGUMENT: Final = "arg."
KINDS: Final[Mapping[Kind, str]] = {
    Kind.APPROVAL: "approval", Kind.DELAYED: "delayed send", Kind.IN_DOUBT: "in doubt", Kind.QUESTION: "question",
    Kind.ESCALATION: "escalation", Kind.BLOCKED_ANSWER: "blocked answer", Kind.DEAD_LETTER: "dead letter",
}  # fmt: skip
# The word on the button, by what it is about; the key that chooses it.
_WORDS: Final[Mapping[tuple[Kind, Act], str]] = {
    (Kind.APPROVAL, Act.APPROVE): "Approve: make the call",
    (Kind.APPROVAL, Act.EDIT): "Change the arguments, then approve",
    (Kind.APPROVAL, Act.REJECT): "Reject",
    (Kind.DELAYED, Act.REJECT): "Cancel it before it is sent",
    (Kind.DELAYED, Act.HOLD): "Hold it until somebody says yes",
    (Kind.ESCALATION, Act.ANSWER): "Answer by hand",
    (Kind.ESCALATION, Act.REOPEN): "Send it back with a word for the agent",
    (Kind.ESCALATION, Act.APPROVE): "Let it go on",
    (Kind.ESCALATION, Act.REJECT): "Decline",
    (Kind.BLOCKED_ANSWER, Act.APPROVE): "Approve: let the answer go out",
    (Kind.BLOCKED_ANSWER, Act.EDIT): "Change the answer, then let it go out",
    (Kind.BLOCKED_ANSWER, Act.ANSWER): "Answer by hand instead",
    (Kind.BLOCKED_ANSWER, Act.REOPEN): "Send it back with a word for the agent",
    (Kind.BLOCKED_ANSWER, Act.REJECT): "Decline",
    (Kind.DEAD_LETTER, Act.APPROVE): "Requeue: try it again",
    (Kind.DEAD_LETTER, Act.REJECT): "Discard: put it away",
    (Kind.DEAD_LETTER, Act.ANSWER): "Answer by hand",
    (Kind.QUESTION, Act.ANSWER): "Answer",
    (Kind.IN_DOUBT, Act.HAPPENED): "It happened",
    (Kind.IN_DOUBT, Act.NOT_HAPPENED): "It did not happen",
    (Kind.IN_DOUBT, Act.AGAIN): "It did not happen: do it now",
}
_KEYS: Final[Mapping[Act, str]] = {
    Act.APPROVE: "a", Act.EDIT: "e", Act.REJECT: "r", Act.ANSWER: "w", Act.REOPEN: "b", Act.HOLD: "h",
    Act.HAPPENED: "y", Act.NOT_HAPPENED: "n", Act.AGAIN: "g",
}  # fmt: skip
_DANGERS: Final = frozenset({Act.REJECT, Act.AGAIN})


@dataclass(frozen=True, slots=True)
class Field:
    """One argument to edit. `text`: it is text and stays text; else it is JSON."""

    name: str
    label: str
    value: str
    text: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision. `refused`: why this person may not, "" when they may; `mend`: who may."""

    act: str
    path: str
    word: str
    key: str
    then: str
    danger: bool
    needs_note: bool
    refused: str = ""
    mend: str = ""
    fields: tuple[Field, ...] = ()
    ask: str = ""  # What its own text is: value, word; "" for none.
    ask_label: str = ""
    choices: tuple[str, ...] = ()
    value: str = ""


@dataclass(frozen=True, slots=True)
class Offered:
    """`happened`, `stopped`, `asked`: what it is about, in words; texts from outside stand in them."""

    item: Item
    seal: str
    kind: str
    line: str
    happened: str
    stopped: str
    asked: str
    default: str
    choices: tuple[Choice, ...]

    @property
    def is_open(self) -> bool:
        return self.item.status is Status.OPEN

    @property
    def may(self) -> list[Choice]:
        return [choice for choice in self.choices if not choice.refused]


def offered(given: Parts, who: Caller, look: Look) -> Offered:
    words = telling.told(look)
    item = look.item
    then = dict(words.answers)
    choices = tuple(_choice(given, who, look, act, then.get(act, "")) for act in ACTS[item.kind])
    return Offered(
        item, look.seal, KINDS[item.kind], telling.line(look),
        words.happened, words.stopped, words.asked, words.default,
        choices if item.status is Status.OPEN else (),
    )  # fmt: skip


def may_not(given: Parts, who: Caller, look: Look, act: Act) -> NotAllowed | None:
    """None: they may. As the queue judges when they do it."""
    people = given.people()
    if not people.people:
        return (
            None
            if who.may("decide")
            else NotAllowed(f"{who.name} may only look.", mend="Ask an admin for the role.")
        )
    policy = given.policies.get(look.task.agent)
    mine = Mine(policy is not None and policy.review.four_eyes, look.task.user_id)
    try:
        role_for(people, who.name, look.item, act, mine)
    except NotAllowed as refused:
        return refused
    return None


def _choice(given: Parts, who: Caller, look: Look, act: Act, then: str) -> Choice:
    kind = look.item.kind
    refused = may_not(given, who, look, act)
    asks = _ask(look, act)
    return Choice(
        act=act.value,
        path=f"/review/{look.item.id}/{act.value.replace('_', '-')}",
        word=_WORDS[kind, act],
        key=_KEYS[act],
        then=then,
        danger=act in _DANGERS,
        needs_note=act is Act.REJECT,
        refused=refused.message if refused is not None else "",
        mend=refused.mend if refused is not None else "",
        fields=fields_of(look) if act is Act.EDIT else (),
        ask=asks[0],
        ask_label=asks[1],
        choices=tuple(look.question.choices) if look.question is not None and act is Act.ANSWER else (),
        value=_before(look) if act is Act.EDIT else "",
    )


def _ask(look: Look, act: Act) -> tuple[str, str]:
    match act:
        case Act.ANSWER if look.question is not None:
            return "value", "Your answer to the agent"
        case Act.ANSWER:
            return "value", "Your answer, as whoever asked will read it"
        case Act.REOPEN:
            return "word", "Your word for the agent"
        case Act.HAPPENED:
            return "value", "What the other side answered, as text or JSON; may be empty"
        case Act.EDIT if look.effect is None:
            return "value", "The answer as it is to go out"
        case Act.EDIT if not fields_of(look):
            return "value", "All arguments, as JSON"
        case _:
            return "", ""


def _before(look: Look) -> str:
    return editable(json.loads(look.effect.arguments) if look.effect is not None else blocked_of(look))


def blocked_of(look: Look) -> Any:
    why = look.task.why
    return why.evidence.get("blocked_answer") if why is not None else None


def fields_of(look: Look) -> tuple[Field, ...]:
    """A field for each argument, where there are few."""
    if look.effect is None:
        return ()
    arguments = json.loads(look.effect.arguments)
    if not isinstance(arguments, dict) or not 0 < len(arguments) <= FIELDS_MAX:
        return ()
    return tuple(
        Field(f"{ARGUMENT}{number}", str(key), editable(value), is_plain(value))
        for number, (key, value) in enumerate(arguments.items())
    )


def is_plain(value: Any) -> bool:
    """Text that comes back from a form as it went in, and of which nothing hides from whoever edits it."""
    return isinstance(value, str) and not any(hides(char) for char in value if char not in "\n\t")


def editable(value: Any) -> str:
    """Itself when it is plain; else JSON, with what hides as escapes."""
    return value if is_plain(value) else json.dumps(value, ensure_ascii=isinstance(value, str), indent=2)


def as_text(value: Any) -> str:
    return "null" if value is None else readable(value)


def changed(look: Look, sent: Mapping[str, str]) -> Any:
    """The whole changed arguments or answer, from what a form sent. Raises: InputError."""
    fields = fields_of(look)
    if not fields:
        value = sent.get("value", "")
        plain = look.effect is None and is_plain(blocked_of(look))
        return (
            value.replace("\r\n", "\n")
            if plain
            else parsed(value, "The arguments" if look.effect is not None else "The answer")
        )
    assert look.effect is not None
    arguments: dict[str, Any] = dict(json.loads(look.effect.arguments))
    for field in fields:
        text = sent.get(field.name)
        # A browser sends every line break as two characters.
        if text is None or text.replace("\r\n", "\n") == field.value.replace("\r\n", "\n"):
            continue
        arguments[field.label] = text.replace("\r\n", "\n") if field.text else parsed(text, field.label)
    return arguments


def spoken(look: Look, text: str) -> Any:
    """An answer as typed: text, or JSON where the question asks for something else. Raises: InputError."""
    question = look.question
    plain = question is None or question.schema is None or question.schema.get("type") == "string"
    text = text.replace("\r\n", "\n")
    if not plain:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text  # The queue says what does not fit.
    if not text.strip():
        raise InputError("The answer is empty.", mend="Write what they are to read.")
    return text


def settled(text: str) -> Any:
    """What the other side answered: JSON where it is some, else text; nothing for nothing."""
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.replace("\r\n", "\n")


def parsed(text: str, what: str) -> Any:
    """Raises: InputError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what[:200]} is no JSON: {error}.", mend='Put text in quotes: "R-17".') from error
