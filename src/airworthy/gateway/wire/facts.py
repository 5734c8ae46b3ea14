"""What the gateway must know of a request or a reply, whatever protocol it came in; knows no protocol itself."""

from dataclasses import dataclass
from typing import Any, Literal

Finish = Literal["stop", "tool_calls", "length", "content_filter", "refusal"]
TOKENS_MAX = 10**9  # Beyond this a count is no count: it would not fit the record, and no model has it.


# Values, but not frozen: that costs a microsecond each, and every call makes several. Nobody changes one.
@dataclass(slots=True, unsafe_hash=True)
class Usage:
    """Tokens as the provider counted them, in one form for all providers.

    `cached`, `cache_write`, `cache_write_1h` and `audio_in` are parts of `tokens_in`; `reasoning` and `audio_out` are
    parts of `tokens_out`. `known` False: the provider did not say (or said nonsense), and the zeros mean nothing.
    """

    tokens_in: int = 0
    tokens_out: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    known: bool = True

    def __post_init__(self) -> None:
        counts = (
            self.tokens_in, self.tokens_out, self.cached, self.cache_write, self.cache_write_1h, self.reasoning,
            self.audio_in, self.audio_out,
        )  # fmt: skip
        # A negative count would give money back.
        if min(counts) < 0 or max(counts) > TOKENS_MAX:
            raise ValueError(f"counts of tokens that are none: {counts}")


UNKNOWN = Usage(known=False)


@dataclass(slots=True)
class RequestFacts:
    """What a caller asks for. `body` is the parsed JSON, for reading; whoever changes it makes a copy.

    `output_tokens_max` None: the caller left it open. `choices` is how many answers are asked for at once (`n`).
    `wants_usage`: the caller itself asked for usage in the stream, so it is not taken out again.
    """

    model: str
    stream: bool
    body: dict[str, Any]
    output_tokens_max: int | None = None
    choices: int = 1
    wants_usage: bool = True
    tools: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A tool call a model proposes. `arguments` is its JSON text as it came, which may be broken."""

    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class ReplyFacts:
    """What a provider answered. `model` and `fingerprint` are its own words, to be held against the pin."""

    text: str
    finish: Finish
    usage: Usage
    tool_calls: tuple[ProposedCall, ...] = ()
    refusal: str = ""
    model: str = ""
    fingerprint: str = ""
    id: str = ""
    tier: str = ""  # What the provider calls its service tier, when it says; prices may depend on it.
