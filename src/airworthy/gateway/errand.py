"""One call on its way: for each place the request as it would go there, and the notes of what happened. Does no I/O."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from airworthy.gateway.budget import Amount
from airworthy.gateway.errors import ContextOverflow, ModelError, ModelUntranslatable
from airworthy.gateway.place import Place
from airworthy.gateway.prices import bound_nano
from airworthy.gateway.translate import Bridge, DialectName, Target, Untranslatable, translate_request
from airworthy.gateway.wire.dialect import DIALECTS, Dialect
from airworthy.gateway.wire.facts import RequestFacts
from airworthy.policy import ModelRule

_NEWER_BOUND: Final = frozenset({"openai", "azure"})
ANSWERED_CHARS_MAX: Final = 200
_UNBOUNDED: Final = frozenset(
    {"embeddings", "count_tokens"}
)  # Dialects whose answers have no length to bound.


@dataclass(slots=True)  # Not frozen: that costs a microsecond, and nobody keeps one.
class Prepared:
    """A request as one place gets it. `bridge`: how its reply becomes one in the caller's dialect; None: as it is.

    `tokens_in` is an estimate; `bound` is the most that the call can use of any budget.
    """

    dialect: Dialect
    path: str
    body: bytes
    headers: Mapping[str, str]
    bound: Amount
    tokens_in: int
    bridge: Bridge | None = None


@dataclass(slots=True)
class Errand:
    """What the core needs of a call, whichever door it came through.

    `raw_for` gives the request as the caller wrote it, for a model. `halted` raises when the call may not go on.
    `overflowed` is called when no model takes so long a conversation; true: it is shorter now, ask again.
    """

    dialect: Dialect
    raw_for: Callable[[ModelRule], tuple[bytes, RequestFacts]]
    places: Sequence[Place]
    deadline_us: int
    caller_key: str = ""
    priority: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    halted: Callable[[], None] = lambda: None
    attempts: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list)
    overflowed: Callable[[], Awaitable[bool]] | None = None
    tokens_in_max: int | None = None

    def prepared(self, place: Place) -> Prepared:
        """Raises: ContextOverflow, ModelUntranslatable; then this place cannot be asked."""
        rule = place.rule
        raw, facts = self.raw_for(rule)
        tokens_in = place.estimate.of(raw)
        longest = 0 if self.dialect.name in _UNBOUNDED else longest_output(rule, facts)
        if tokens_in + longest > rule.window:
            raise ContextOverflow(
                f"The conversation has about {tokens_in} tokens; with {longest} of output it does not fit the window "
                f"of {rule.name}, {rule.window}.",
                mend="Send less history, use a model with a larger window, or set on_overflow in [gateway].",
            )
        if self.tokens_in_max is not None and tokens_in > self.tokens_in_max:
            raise ContextOverflow(
                f"The conversation has about {tokens_in} tokens; the policy allows {self.tokens_in_max} for one call.",
                mend="Send less history, raise limits.tokens_in, or set on_overflow in [gateway].",
            )
        choices, tier = facts.choices, str(facts.body.get("service_tier") or "")
        bound = Amount(
            bound_nano(place.price, len(raw), longest, choices, tier), tokens_in + longest * choices, 1
        )  # fmt: skip
        spoken = place.spoken(self.dialect.name)
        if spoken == self.dialect.name:
            body = self.dialect.spliced(
                raw, facts,
                model=None if facts.model == rule.name else rule.name,
                output_tokens_max=None if longest in (0, facts.output_tokens_max) else longest,
                include_usage=facts.stream and not facts.wants_usage,
            )  # fmt: skip
            return Prepared(self.dialect, self.dialect.path, body, self.headers, bound, tokens_in)
        dialect = DIALECTS.get(spoken)
        if dialect is None or self.dialect.name in _UNBOUNDED:
            raise ModelUntranslatable(
                f"{rule.name} is served in another protocol, which has no {self.dialect.name}.",
                mend="Name a fallback of the same protocol for it.",
            )
        try:
            translated = translate_request(
                facts.body, cast("DialectName", self.dialect.name), cast("DialectName", spoken),
                target=Target(
                    rule.name, longest,
                    chat_limit="max_completion_tokens" if rule.provider in _NEWER_BOUND else "max_tokens",
                ),
                wants_usage=facts.wants_usage,
            )  # fmt: skip
        except Untranslatable as error:
            raise ModelUntranslatable(error.message, mend=error.mend) from error
        self.notes += [{"model": rule.name, "note": note} for note in translated.notes]
        return Prepared(dialect, dialect.path, translated.body, {}, bound, tokens_in, translated.bridge)

    def failed(self, place: Place, error: ModelError) -> None:
        self.notes.append({"model": place.rule.name, "error": type(error).__name__, "message": error.message})

    def answered_as(self, place: Place, model: str) -> None:
        """Held against the pin: a provider that serves another version under its name says so here, if anywhere."""
        if model and model != place.rule.name:
            note = "the provider answered as another model"
            self.notes.append({"note": note, "pin": place.rule.name, "answered": model[:ANSWERED_CHARS_MAX]})

    def again(self, place: Place, error: ModelError, attempt: int, wait_s: float) -> None:
        self.notes.append({
            "model": place.rule.name, "attempt": attempt, "error": type(error).__name__, "wait_s": round(wait_s, 3),
        })  # fmt: skip


def longest_output(rule: ModelRule, facts: RequestFacts) -> int:
    asked = facts.output_tokens_max
    return rule.output_tokens_max if asked is None else min(asked, rule.output_tokens_max)
