"""What can go wrong with a provider or a model, and when: drawn from content, never from a clock."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from typing import Literal, TypeAlias

from airworthy.core.errors import ConfigError

Per: TypeAlias = Literal["call", "conversation"]

SECONDS_MAX = 3600.0
MEGABYTES_MAX = 64.0
_SUM_SLACK = 1e-9  # Ten times 0.1 is a hair over 1 in binary.


@dataclass(frozen=True, slots=True)
class Kind:
    """`per` says what one draw decides; `seconds` and `megabytes` are the defaults of a kind that takes a time or a
    size, `variants` the forms of one that has several (seeded choice if none is named)."""

    name: str
    about: str
    per: Per = "call"
    seconds: float | None = None
    megabytes: float | None = None
    variants: tuple[str, ...] = ()


ARGUMENT_FORMS = ("invalid_json", "wrong_type", "missing_field", "unknown_field")
USAGE_FORMS = ("negative", "huge", "words")
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("slow", "The answer is right but comes late.", seconds=2.0),
        Kind("http_429", "Rate limit, with `retry-after` (whole seconds) and `retry-after-ms`.", seconds=1.0),
        Kind("http_500", "The provider failed."),
        Kind("http_503", "The provider is overloaded."),
        Kind("connection_reset", "The connection is reset without an answer."),
        Kind(
            "truncated", "Status 200, full `content-length`, then half of the body and a closed connection."
        ),
        Kind("invalid_json", "Status 200, a complete body that is not JSON."),
        Kind("empty", "Status 200 without anything in it.", variants=("null_content", "no_choices")),
        Kind("length", "Cut in the middle, `finish_reason` is `length`."),
        Kind("content_filter", "No content, `finish_reason` is `content_filter`."),
        Kind("refusal", "`message.refusal` is set, content is null."),
        Kind(
            "wrong_tool_arguments",
            "A tool call whose arguments do not fit the schema.",
            variants=ARGUMENT_FORMS,
        ),
        Kind("unknown_tool", "A call of a tool that was not offered."),
        Kind("made_up_facts", "Numbers in the final answer contradict the tools' results."),
        Kind("loop", "The last tool calls are made again, turn after turn.", per="conversation"),
        Kind("off_topic", "A call of an unrelated tool, or an answer about something else."),
        Kind("obeys_injection", "Instructions inside tool results are carried out.", per="conversation"),
        Kind("wrong_model", "Another model and fingerprint than asked for answer."),
        Kind("no_usage", "The usage is left out."),
        Kind("odd_usage", "The usage is nonsense.", variants=USAGE_FORMS),
        Kind("huge", "An answer of this many megabytes.", megabytes=2.0),
        Kind("hang", "Not even headers come; after the seconds the connection is reset.", seconds=600.0),
        Kind("error_in_200", "Status 200 with the body of an error."),
        Kind("content_type", "The right body, called `text/html`."),
        Kind(
            "content_length",
            "Announces less than it sends, or more and then leaves the connection open.",
            variants=("short", "long"),
        ),
        Kind("stream_wait", "Headers and opening come, the first word after the seconds.", seconds=5.0),
        Kind("stream_stall", "A pause in the middle.", seconds=5.0),
        Kind("stream_trickle", "A pause before each event.", seconds=0.05),
        Kind(
            "stream_cut",
            "Closed without an end: before the first word, in the middle, or there with a reset.",
            variants=("early", "late", "reset"),
        ),
        Kind(
            "stream_no_end",
            "Ends as HTTP wants it, but without the last event, or without finish reason and usage either.",
            variants=("no_done", "no_finish"),
        ),
        Kind("stream_garbage", "One event in the middle is not JSON."),
        Kind(
            "stream_error",
            "An error event inside the 200, before the first word or in the middle; nothing comes after it.",
            variants=("early", "late"),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    seconds: float = 0.0
    variant: str | None = None
    megabytes: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """`http_500`, `slow:2.5`, `wrong_tool_arguments:missing_field`. Raises: ConfigError."""
        name, _, detail = text.strip().partition(":")
        kind = KINDS.get(name)
        if kind is None:
            near = get_close_matches(name, KINDS, n=1, cutoff=0)
            raise ConfigError(
                f"Fault {name!r} is not known.", mend=f"Did you mean {near[0]!r}? Known: {', '.join(KINDS)}."
            )
        if kind.seconds is not None:
            return cls(
                name, seconds=_number(detail, text, "seconds", SECONDS_MAX) if detail else kind.seconds
            )
        if kind.megabytes is not None:
            size = _number(detail, text, "megabytes", MEGABYTES_MAX) if detail else kind.megabytes
            return cls(name, megabytes=size)
        if detail and detail not in kind.variants:
            known = ", ".join(kind.variants) or "none; leave out the colon"
            raise ConfigError(
                f"Fault {text!r}: {detail!r} is no form of {name!r}.", mend=f"Its forms are: {known}."
            )
        return cls(name, variant=detail or None)


@dataclass(frozen=True, slots=True)
class Rate:
    fault: Fault
    share: float


@dataclass(frozen=True, slots=True)
class Scoped:
    """Applies where the last user message has the pattern, to the first `attempts_max` equal requests."""

    pattern: re.Pattern[str]
    fault: Fault
    attempts_max: int | None = None


@dataclass(frozen=True, slots=True)
class CallKey:
    """What a draw may depend on. `number` and `attempt` count from 1; a retry is the next attempt."""

    number: int
    attempt: int
    body: bytes
    conversation: bytes
    user: str


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A value: the same plan, seed and calls give the same faults. Combine plans with `|`."""

    rates: tuple[Rate, ...] = ()
    schedule: tuple[tuple[int, Fault], ...] = ()
    scoped: tuple[Scoped, ...] = ()

    def __post_init__(self) -> None:
        total = sum(rate.share for rate in self.rates)
        if any(not 0 <= rate.share <= 1 for rate in self.rates) or total > 1 + _SUM_SLACK:
            raise ConfigError(
                f"Fault rates add up to {total:g}.", mend="Keep each between 0 and 1, and the sum within 1."
            )
        if any(number < 1 for number, _ in self.schedule):
            raise ConfigError("A fault is scheduled before call 1.", mend="Count calls from 1.")

    @classmethod
    def of(cls, rates: Mapping[str, float]) -> "FaultPlan":
        """Shares by fault: `FaultPlan.of({"http_500": 0.05, "slow:2.5": 0.02})`."""
        return cls(rates=tuple(Rate(Fault.parse(name), share) for name, share in rates.items()))

    @classmethod
    def at(cls, schedule: Mapping[int, str]) -> "FaultPlan":
        """By the number of the call since the start, from 1: `FaultPlan.at({3: "http_500"})`."""
        return cls(schedule=tuple((number, Fault.parse(name)) for number, name in schedule.items()))

    @classmethod
    def when(cls, pattern: str, fault: str, *, attempts_max: int | None = None) -> "FaultPlan":
        """Where the last user message has the pattern; `attempts_max=1` lets a retry succeed."""
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                f"{pattern!r} is not a regular expression: {error}.", mend="Correct it."
            ) from error
        return cls(scoped=(Scoped(compiled, Fault.parse(fault), attempts_max),))

    @classmethod
    def parse(cls, text: str) -> "FaultPlan":
        """`http_500=0.05,slow=0.02:2.5`: kind, share, and seconds or form. Raises: ConfigError."""
        rates = []
        for entry in filter(None, (part.strip() for part in text.split(","))):
            name, equals, rest = entry.partition("=")
            share, colon, detail = rest.partition(":")
            try:
                value = float(share)
            except ValueError as error:
                raise ConfigError(
                    f"Fault {entry!r} has no share.", mend="Write `kind=share`, as in `http_500=0.05`."
                ) from error
            rates.append(Rate(Fault.parse(f"{name}{colon}{detail}" if equals else name), value))
        return cls(rates=tuple(rates))

    def __or__(self, other: "FaultPlan") -> "FaultPlan":
        return FaultPlan(self.rates + other.rates, self.schedule + other.schedule, self.scoped + other.scoped)

    def __bool__(self) -> bool:
        return bool(self.rates or self.schedule or self.scoped)

    def draw(self, seed: int, call: CallKey) -> tuple[Fault, ...]:
        """The faults of this call, the first that can apply counts: scheduled, scoped, then by rate.

        A fault can be out of place (nothing to repeat yet, no facts to falsify); then the next one is tried.
        """
        chosen = [fault for number, fault in self.schedule if number == call.number]
        chosen += [
            scoped.fault
            for scoped in self.scoped
            if (scoped.attempts_max is None or call.attempt <= scoped.attempts_max)
            and scoped.pattern.search(call.user)
        ]
        if self.rates:
            for_conversation = [rate for rate in self.rates if KINDS[rate.fault.kind].per == "conversation"]
            for_call = [rate for rate in self.rates if KINDS[rate.fault.kind].per == "call"]
            # Drawn from what stays the same through a conversation, so that a loop goes on.
            chosen += _picked(for_conversation, _unit(seed, b"conversation", call.conversation))
            attempt = call.attempt.to_bytes(8, "big")
            chosen += _picked(for_call, _unit(seed, b"call", call.body + attempt))
        return tuple(chosen)


def _picked(rates: Iterable[Rate], draw: float) -> list[Fault]:
    edge = 0.0
    for rate in rates:
        edge += rate.share
        if draw < edge:
            return [rate.fault]
    return []


def _unit(seed: int, use: bytes, content: bytes) -> float:
    """Uniform in [0, 1), fixed by its arguments."""
    hashed = blake2b(b"%d %s " % (seed, use) + content, digest_size=7).digest()
    return int.from_bytes(hashed, "big") / (1 << 56)


def _number(text: str, where: str, unit: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ConfigError(
            f"Fault {where!r}: {text!r} are no {unit}.", mend=f"Give a number from 0 to {most:g}."
        )
    return value
