"""Leaves the oldest part of a conversation out, so that the rest fits and is still valid. Pure.

First whole turns go: a user's message with all that followed from it. If the last turn alone is too long, as with an
agent that works long on one task, whole steps of it go: a model's message with the results of its calls. What
instructs, the last user message and the last step always stay.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from airworthy.gateway.overflow.seen import CONVERSATIONS, Seen
from airworthy.gateway.wire.splice import set_keys, spans

# More is left out than must be, up to the next quarter of the room: so the same part goes at the next calls too, which
# keeps the beginning as it is for the providers' caches, and a summary good for several calls.
COARSE_SHARE: Final = 0.25
NOTE_TOKENS: Final = 30

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cut:
    """What goes: the messages before `until` but for the instructing ones, and for those from `saved` to `saved_end`.

    The message at `noted` is a user's that stays; it is told what was left out, before or after its own words.
    """

    until: int
    noted: int
    saved: int = 0
    saved_end: int = 0


@dataclass(frozen=True, slots=True)
class Shortened:
    """`stay` are the places of the messages that stay, of `count`; `noted` is that of the one that has the note.

    `left` are the messages that were left out, in their order; `tokens` an estimate of what remains.
    """

    dialect: str
    stay: Sequence[int]
    count: int
    left: Sequence[Message]
    noted: int
    note_first: bool
    tokens: int

    @property
    def note(self) -> str:
        return note_of(len(self.left))

    def raw(self, raw: bytes, body: Mapping[str, Any], note: str) -> bytes:
        """A request with the same conversation, to which more may have been added, without what was left out."""
        key, _, kind = CONVERSATIONS[self.dialect]
        messages = body[key]
        kept = [
            _with_note(messages[index], note, kind, first=self.note_first)
            if index == self.noted
            else messages[index]
            for index in (*self.stay, *range(self.count, len(messages)))
        ]
        return set_keys(raw, {key: orjson.dumps(kept)}, present=frozenset((key,)))


def shortened(
    dialect: str, raw: bytes, body: Mapping[str, Any], estimate: Callable[[bytes], int], tokens_max: int
) -> Shortened | None:
    """None: there is nothing that may be left out, or it does not fit even without all of that."""
    found = _conversation(dialect, raw, body)
    if found is None:
        return None
    messages, (before, after) = found
    seen = [CONVERSATIONS[dialect][1](message) for message in messages]
    cuts = cuts_of(seen)
    if not cuts:
        return None
    pieces = [orjson.dumps(message) for message in messages]

    def tokens(cut: Cut) -> int:
        stays = b",".join(pieces[index] for index in _stay(seen, cut))
        return estimate(b"".join((before, b"[", stays, b"]", after))) + NOTE_TOKENS

    first = bisect_left(cuts, 1, key=lambda cut: int(tokens(cut) <= tokens_max))
    if first == len(cuts):
        return None
    cut = cuts[_coarse(cuts, first, pieces, len(raw), tokens_max / max(estimate(raw), 1))]
    stay = _stay(seen, cut)
    gone = sorted(set(range(len(messages))) - set(stay))
    return Shortened(
        dialect,
        stay,
        len(messages),
        [messages[index] for index in gone],
        cut.noted,
        cut.saved == cut.saved_end,
        tokens(cut),
    )


def note_of(count: int, summary: str = "") -> str:
    """What a conversation says in place of the messages that were left out."""
    messages = "1 earlier message was" if count == 1 else f"{count} earlier messages were"
    note = f"[{messages} left out to fit the model's window."
    return f"{note} A summary of them:]\n{summary}\n[End of the summary.]" if summary else f"{note}]"


def summary_in(note: str) -> str:
    """The summary that `note_of` wrote into a note; empty: it has none."""
    return note.partition("A summary of them:]\n")[2].removesuffix("\n[End of the summary.]")


def cuts_of(seen: Sequence[Seen]) -> list[Cut]:
    """All that may go, from the least to the most. No cut parts a call from its results."""
    open_at = waiting_at(seen)
    users = [index for index, each in enumerate(seen) if each.kind == "user"]
    if not users:
        return []
    last = users[-1]
    while (before := _before(seen, last)) >= 0 and seen[before].kind == "user":
        last = before  # Several messages in a row are one turn.
    spoken = next(index for index, each in enumerate(seen) if each.kind != "fixed")
    cuts = [
        Cut(index, index)
        for index in users
        if spoken < index <= last and not open_at[index] and seen[_before(seen, index)].kind != "user"
    ]
    if any(open_at[last : last + 1]):
        return cuts
    end = last
    while end < len(seen) and seen[end].kind in ("user", "fixed"):
        end += 1
    said = max(index for index in range(last, end) if seen[index].kind == "user")
    cuts += [
        Cut(index, said, last, end)
        for index in range(end + 1, len(seen))
        if seen[index].kind == "model" and not open_at[index] and seen[_before(seen, index)].kind == "result"
    ]
    return cuts


def waiting_at(seen: Sequence[Seen]) -> list[bool]:
    """Whether, before each message, a call waits for a result that comes later. Calls never answered wait for none."""
    answered: dict[str, list[int]] = defaultdict(list)  # Some servers give the same ids again and again.
    for index, each in enumerate(seen):
        for name in each.results:
            answered[name].append(index)
    open_until = -1
    found = []
    for index, each in enumerate(seen):
        found.append(index <= open_until)
        for name in each.calls:
            later = answered[name][bisect_left(answered[name], index + 1) :]
            open_until = max(open_until, later[0] if later else -1)
    return found


def _before(seen: Sequence[Seen], index: int) -> int:
    """The message before it that does not instruct; -1: none."""
    index -= 1
    while index >= 0 and seen[index].kind == "fixed":
        index -= 1
    return index


def _stay(seen: Sequence[Seen], cut: Cut) -> list[int]:
    return [
        index
        for index, each in enumerate(seen)
        if index >= cut.until or each.kind == "fixed" or cut.saved <= index < cut.saved_end
    ]


def _coarse(cuts: Sequence[Cut], first: int, pieces: Sequence[bytes], size: int, share: float) -> int:
    """The first cut from `first` on that crosses into another quarter of the room, counted from the beginning.

    `share`: what part of the whole the room is.
    """
    quarter = max(size * share * COARSE_SHARE, 1.0)
    passed = [0]
    for piece in pieces:
        passed.append(passed[-1] + len(piece))
    return crossing([passed[cut.until] for cut in cuts], first, quarter)


def crossing(ends: Sequence[int], first: int, quarter: float) -> int:
    """The first of `ends` from `first` on that lies in another quarter than the one before it; else `first`."""
    before = ends[first - 1] if first else 0
    for index in range(first, len(ends)):
        if ends[index] // quarter > before // quarter:
            return index
        before = ends[index]
    return first


def _conversation(
    dialect: str, raw: bytes, body: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], tuple[bytes, bytes]] | None:
    """The messages, and the bytes around them."""
    if dialect not in CONVERSATIONS or body.get("previous_response_id") or body.get("conversation"):
        return None  # The history lies at the provider.
    key = CONVERSATIONS[dialect][0]
    messages = body.get(key)
    if type(messages) is not list or not all(type(message) is dict for message in messages):
        return None
    start, end = spans(raw, key)[-1]
    return messages, (raw[:start], raw[end:])


def _with_note(message: Message, note: str, kind: str, *, first: bool) -> Message:
    content = message.get("content")
    if type(content) is list:
        block = {"type": kind, "text": note}
        return {**message, "content": [block, *content] if first else [*content, block]}
    words = [content] if type(content) is str and content else []
    return {**message, "content": "\n\n".join([note, *words] if first else [*words, note])}
