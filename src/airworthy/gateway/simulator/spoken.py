"""What the model said in one turn, in no protocol's words: each dialect writes it down in its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from airworthy.gateway.simulator import wire
from airworthy.gateway.simulator.conversation import Json, as_dict, as_list, as_text

PIECES_MAX = 1_000
PIECE_CHARS_MAX = 12
_PIECE = re.compile(rf"\s*\S{{1,{PIECE_CHARS_MAX}}}|\s+")


class SpokenCall(NamedTuple):
    """`id` is the part after the prefix, which differs by protocol. `arguments` may be broken JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """`whole` is the chat completion, which is also the neutral form. `usage_as` spoils the count (None: right)."""

    whole: dict[str, Json]
    mark: bytes
    usage_as: str | None = None

    @property
    def model(self) -> str:
        return as_text(self.whole["model"])

    @property
    def created(self) -> int:
        return wire.created(self.mark)

    @property
    def choice(self) -> dict[str, Json] | None:
        choices = as_list(self.whole["choices"])
        return as_dict(choices[0]) if choices else None

    @property
    def message(self) -> dict[str, Json]:
        return as_dict((self.choice or {}).get("message"))

    @property
    def text(self) -> str:
        return as_text(self.message.get("content"))

    @property
    def refusal(self) -> str:
        return as_text(self.message.get("refusal"))

    @property
    def finish(self) -> str:
        return as_text((self.choice or {}).get("finish_reason"))

    @property
    def calls(self) -> tuple[SpokenCall, ...]:
        made = []
        for entry in as_list(self.message.get("tool_calls")):
            call = as_dict(entry)
            function = as_dict(call["function"])
            call_id = as_text(call["id"]).removeprefix("call_")
            made.append(SpokenCall(call_id, as_text(function["name"]), as_text(function["arguments"])))
        return tuple(made)

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Prompt, the cached part of it, and what was written; always the right count."""
        usage = as_dict(self.whole["usage"])
        cached = as_dict(usage["prompt_tokens_details"])["cached_tokens"]
        counts = (usage["prompt_tokens"], cached, usage["completion_tokens"])
        return tuple(count if isinstance(count, int) else 0 for count in counts)  # type: ignore[return-value]

    def counted(self, usage: dict[str, Json]) -> dict[str, Json] | None:
        """A protocol's usage as this answer reports it; None: it does not."""
        return usage if self.usage_as is None else odd_usage(usage, self.usage_as)

    def spelt(self, prefix: str, use: int, length: int = 24) -> str:
        """An id: same mark and use, same id."""
        return f"{prefix}_{wire.letters(self.mark + b'%d' % use, length)}"


def odd_usage(usage: dict[str, Json], form: str) -> dict[str, Json] | None:
    """`missing`, or each count of it `negative`, `huge` or `words`."""
    if form == "missing":
        return None
    return {name: _odd(count, form) for name, count in usage.items()}


def _odd(count: Json, form: str) -> Json:
    if isinstance(count, dict):
        return odd_usage(count, form)
    if isinstance(count, bool) or not isinstance(count, int):
        return count
    match form:
        case "negative":
            return -1 - count
        case "huge":
            return 10**15 + count
        case _:
            return "many"


def pieces(text: str) -> Sequence[str]:
    """The text as a model streams it, some letters at a time; PIECES_MAX at most, however long it is."""
    # A piece has two letters at least (but for the first), so a shorter text cannot have more pieces than that.
    if len(text) >= 2 * PIECES_MAX:
        size = max(PIECE_CHARS_MAX, -(-len(text) // PIECES_MAX))
        return [text[start : start + size] for start in range(0, len(text), size)]
    return _PIECE.findall(text)
