"""Which parts of a chat's history go, by the policy's strategy, and the chat without them. Pure.

Always stay: what instructs, the first words of the user (the task), their last ones, messages marked with
`airworthy_keep`, calls that nothing answers, the newest turns, and calls of tools that act. A call and its results go
together, so that no provider is sent the one without the other.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, Final

from airworthy.core.canonical import encode
from airworthy.gateway.overflow.seen import Seen, of_chat
from airworthy.gateway.overflow.shorten import COARSE_SHARE, crossing, note_of, summary_in, waiting_at
from airworthy.policy import ContextRule

KEEP: Final = "airworthy_keep"  # On a message: it always stays.
LEFT: Final = "airworthy_left"  # On the note that stands for messages: how many they are.
RESULT_BYTES_MIN: Final = 200  # A shorter result is not worth a marker.

Message = Mapping[str, Any]
Count = Callable[[Sequence[bytes]], int]
"""Tokens of a whole request with these messages."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`left` are the places of messages that go, `emptied` those of results that a marker stands for."""

    left: tuple[int, ...] = ()
    emptied: tuple[int, ...] = ()
    summary: str = ""


def planned(
    messages: Sequence[Message], rule: ContextRule, acts: frozenset[str], tokens: Count, room: int
) -> Plan | None:
    """The least that must go, and then up to the next quarter of the room, so that the same part goes at the next
    calls too. None: it does not fit without all that may go. `acts`: names of the tools that act.
    """
    if rule.strategy == "none":
        return None
    goes, ends = _goes(messages, rule, acts)
    pieces = pieces_of(messages)

    def plan(index: int) -> Plan:
        gone = tuple(sorted(chain.from_iterable(goes[: index + 1])))
        return Plan(emptied=gone) if rule.strategy == "drop_results" else Plan(left=gone)

    def fits(index: int) -> bool:
        return tokens(_pieces_after(messages, pieces, plan(index))) <= room

    first = bisect_left(range(len(goes)), 1, key=lambda index: int(fits(index)))
    if first == len(goes):
        return None
    quarter = max(sum(map(len, pieces)) * room / max(tokens(pieces), 1) * COARSE_SHARE, 1.0)
    further = crossing(ends, first, quarter)
    return plan(further if fits(further) else first)


def applied(messages: Sequence[Message], plan: Plan) -> list[Message]:
    """The history without what goes. A note takes the place of the messages, after the task itself."""
    left, emptied, found = frozenset(plan.left), frozenset(plan.emptied), list[Message]()
    noted = _task_end(messages) if left else -1
    for index, message in enumerate(messages):
        if index == noted:
            found.append(_note(messages, plan))
        if index not in left:
            found.append(_emptied(message) if index in emptied else message)
    return found


def summarised_before(messages: Sequence[Message], plan: Plan) -> str:
    """The summary of an earlier cut that goes with this one."""
    notes = (messages[index] for index in plan.left if LEFT in messages[index])
    return next((summary_in(str(note.get("content"))) for note in notes), "")


def sendable(messages: Sequence[Message]) -> Sequence[Message]:
    """Without our marks, which providers do not know."""
    if not any(KEEP in message or LEFT in message for message in messages):
        return messages
    return [_unmarked(message) for message in messages]


def pieces_of(messages: Sequence[Message]) -> list[bytes]:
    return [encode(message) for message in sendable(messages)]


def _goes(
    messages: Sequence[Message], rule: ContextRule, acts: frozenset[str]
) -> tuple[list[list[int]], list[int]]:
    """What may go together, the oldest first, and how many bytes less it is with each of them."""
    seen = [of_chat(message) for message in messages]
    notes = [index for index, message in enumerate(messages) if LEFT in message]
    stays = _staying(messages, seen, rule.keep_turns, acts)
    sizes = [len(piece) for piece in pieces_of(messages)]
    goes, ends, saved = list[list[int]](), list[int](), 0
    for group in _groups(seen):
        if not stays.isdisjoint(group):
            continue
        if rule.strategy == "drop_results":
            worth = [i for i in group if seen[i].kind == "result" and _size(messages[i]) > RESULT_BYTES_MIN]
        else:
            worth = [i for i in group if seen[i].kind != "fixed" and i not in notes]
        if worth:
            # A note of earlier cuts goes with the first, for the new note counts what it counted.
            goes.append(worth if goes or rule.strategy == "drop_results" else [*notes, *worth])
            saved += sum(sizes[index] for index in worth)
            ends.append(saved)
    return goes, ends


def _staying(messages: Sequence[Message], seen: Sequence[Seen], turns: int, acts: frozenset[str]) -> set[int]:
    answered = {name for each in seen for name in each.results}
    spoken = [i for i, each in enumerate(seen) if each.kind == "user" and LEFT not in messages[i]]
    stays = set(range(_newest(seen, turns), len(messages))) | set(range(_task_end(messages)))
    last = spoken[-1] if spoken else -1
    while last in spoken:  # Several messages in a row are one.
        stays.add(last)
        last -= 1
    for index, (message, each) in enumerate(zip(messages, seen, strict=True)):
        if message.get(KEEP) or not answered.issuperset(each.calls) or _called(message) & acts:
            stays.add(index)
    return stays


def _groups(seen: Sequence[Seen]) -> list[range]:
    """What may only go together: a model's message with the results of its calls, or a single message."""
    open_at, starts, to_result = waiting_at(seen), list[int](), False
    for index in range(len(seen) - 1, -1, -1):
        if seen[index].kind != "fixed":
            to_result = seen[index].kind == "result"
        if index == 0 or not (open_at[index] or to_result):
            starts.append(index)
    return [range(*bounds) for bounds in pairwise([*reversed(starts), len(seen)])]


def _newest(seen: Sequence[Seen], turns: int) -> int:
    """Where the newest turns begin, with what was said to the model before them."""
    models = [index for index, each in enumerate(seen) if each.kind == "model"]
    start = models[-turns] if len(models) >= turns else 0
    while start > 0 and seen[start - 1].kind in ("user", "fixed"):
        start -= 1
    return start


def _task_end(messages: Sequence[Message]) -> int:
    """After what instructs and what the user said before the model said anything."""
    for index, message in enumerate(messages):
        if LEFT in message or of_chat(message).kind not in ("fixed", "user"):
            return index
    return len(messages)


def _called(message: Message) -> frozenset[str]:
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if type(call) is dict] if type(calls) is list else []
    functions.append(message.get("function_call"))
    return frozenset(str(function.get("name")) for function in functions if type(function) is dict)


def _size(message: Message) -> int:
    content = message.get("content")
    return len(content if isinstance(content, str) else encode(content))


def _emptied(message: Message) -> Message:
    marker = f"[A result of {_size(message):,} characters was left out to fit the model's window.]"
    return {**message, "content": marker}


def _note(messages: Sequence[Message], plan: Plan) -> Message:
    told = (messages[index].get(LEFT) for index in plan.left)
    count = sum(number if type(number) is int else 1 for number in told)
    return {"role": "user", "content": note_of(count, plan.summary), LEFT: count}


def _pieces_after(messages: Sequence[Message], pieces: Sequence[bytes], plan: Plan) -> list[bytes]:
    """As `pieces_of(applied(messages, plan))`, and faster."""
    left, found = frozenset(plan.left), list(pieces)
    for index in plan.emptied:
        found[index] = encode(_unmarked(_emptied(messages[index])))
    after = [piece for index, piece in enumerate(found) if index not in left]
    if left:
        after.insert(_task_end(messages), encode(_unmarked(_note(messages, plan))))
    return after


def _unmarked(message: Message) -> Message:
    return {key: value for key, value in message.items() if key not in (KEEP, LEFT)}
