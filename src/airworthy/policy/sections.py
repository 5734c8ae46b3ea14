"""The plain sections of a policy, each with its keys, defaults and bounds; knows no other section."""

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import (
    Arguments,
    Bytes,
    Count,
    CountOrZero,
    Languages,
    MediaTypes,
    Pattern,
    Patterns,
    Place,
    Seconds,
    SecondsOrNone,
    Section,
    Sentence,
    Sentences,
    Tokens,
    Usd,
    Words,
)

Review = Literal["daily", "weekly", "monthly", "quarterly"]
InputType = Literal["text", "image", "audio", "document"]
StopWhen = Literal[
    "limit",
    "loop",
    "in_doubt",
    "blocked_output",
    "blocked_input",
    "low_confidence",
    "divergence",
    "out_of_scope",
    "tool_failure",
    "matches",
]
STOP_WHENS: Final[tuple[StopWhen, ...]] = get_args(StopWhen)


class Owner(Section):
    """Who keeps the agent; a live agent needs all three."""

    name: Sentence | None = Field(
        default=None,
        description="The person or team that answers for the agent. Broken: the agent cannot go live.",
    )
    contact: Sentence | None = Field(
        default=None,
        description="How to reach the owner: an address or a channel. Broken: the agent cannot go live.",
    )
    review: Review | None = Field(
        default=None,
        description="How often the owner reviews the agent. Broken: the agent cannot go live.",
    )


class Escalation(Section):
    """Where questions for people go."""

    default: Place | None = Field(
        default=None,
        description="The team a stop goes to when it names no place of its own. "
        "Broken: an escalating `[[stop]]` without `to` is an error at load, and the agent cannot go live.",
    )


class InputScope(Section):
    """What the agent accepts."""

    types: Annotated[tuple[InputType, ...], Field(strict=False, min_length=1, max_length=4)] = Field(
        default=("text",),
        description="Kinds of input: text, image, audio, document. Broken: the input is declined.",
    )
    formats: MediaTypes = Field(
        default=("text/plain", "application/json"),
        description="Media types of input. Broken: the input is declined.",
    )
    sources: Words = Field(
        default=(),
        description="Where input may come from; empty: anywhere. Broken: the input is declined.",
    )
    languages: Languages = Field(
        default=(),
        description="ISO 639 codes of input; empty: any language. Broken: the input is declined.",
    )
    bytes_max: Bytes = Field(
        default=1_048_576,
        description="The largest input. Broken: the input is declined.",
    )
    chars_min: CountOrZero = Field(
        default=2,
        description="The fewest characters a text must have. Broken: the input is declined as empty.",
    )
    trusted: bool = Field(
        default=True,
        description="Whether the input is the word of the one the agent works for; false where strangers write it "
        "(a mailbox). Broken: calls under approval_untrusted wait for a person.",
    )
    trusted_fields: Arguments = Field(
        default=(),
        description="With trusted = false: fields of the input that are, as dotted paths. "
        "Broken: as trusted says.",
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        kinds = {media: _kind_of(media) for media in self.formats}
        for position, (media, kind) in enumerate(kinds.items()):
            if kind not in self.types:
                key: tuple[str | int, ...] = ("formats", position) if self.says("formats") else ("types",)
                flaws.append(
                    Flaw(key, f"admits {media}, but types does not list {kind!r}.", f'Add "{kind}" to types.')
                )
        if self.trusted and self.trusted_fields:
            flaws.append(
                Flaw(
                    ("trusted_fields",),
                    "has no meaning while all of the input is trusted.",
                    "Add trusted = false.",
                )
            )
        for position, kind in enumerate(self.types):
            if kind not in kinds.values():
                flaws.append(
                    Flaw(
                        ("types", position),
                        f"admits {kind!r}, but no entry of formats is of that kind.",
                        f"Add the media types of {kind} to formats, or drop the type.",
                    )
                )
            if kind in self.types[:position]:
                flaws.append(Flaw(("types", position), f"names {kind!r} twice.", "Delete one of the two."))
        return flaws


class OutputScope(Section):
    """What the agent may answer."""

    permitted: Sentences = Field(
        default=(),
        description="What answers may contain, for people. Broken: reviewers judge answers by it.",
    )
    languages: Languages = Field(
        default=(),
        description="ISO 639 codes of answers; empty: any language. Broken: the answer is blocked.",
    )
    bytes_max: Bytes = Field(
        default=262_144,
        description="The largest answer. Broken: the answer is blocked.",
    )
    must_not: Sentences = Field(
        default=(),
        description="What answers must never contain, for people. Broken: reviewers judge answers by it.",
    )
    forbid_patterns: Patterns = Field(
        default=(),
        description="Regular expressions no answer may match. Broken: the answer is blocked and escalated.",
    )


class Refusals(Section):
    """What the agent must refuse."""

    topics: Sentences = Field(
        default=(),
        description="What the agent must refuse, for people. Broken: reviewers judge answers by it.",
    )
    patterns: Patterns = Field(
        default=(),
        description="Regular expressions; input that matches one is refused. Broken: the input is declined.",
    )


class Limits(Section):
    """Bounds of one task. Each is checked before the next step, so that none is passed."""

    steps: Count = Field(
        default=20,
        description="Recorded steps per task. Broken: `limit` stops the task.",
    )
    tool_calls: CountOrZero = Field(
        default=20,
        description="Tool calls per task. Broken: `limit` stops the task.",
    )
    seconds: Seconds = Field(
        default=120.0,
        description="Working time per task. Broken: `limit` stops the task.",
    )
    tokens_in: Tokens = Field(
        default=32_000,
        description="Input tokens of one model call. Broken: the call is not sent; `limit` stops the task.",
    )
    tokens: Tokens = Field(
        default=200_000,
        description="Input and output tokens of the whole task. Broken: `limit` stops the task.",
    )
    cost_usd: Usd = Field(
        default=0.50,
        description="Money per task. Broken: `limit` stops the task before the call.",
    )
    identical_calls: Count = Field(
        default=3,
        description="Times one call may be made with equal arguments. Broken: `loop` stops the task.",
    )
    cycle_repeats: Count = Field(
        default=3,
        description="Times a sequence of calls may repeat in a row. Broken: `loop` stops the task.",
    )
    no_progress: Count = Field(
        default=6,
        description="Steps in a row that bring nothing new. Broken: `loop` stops the task.",
    )
    off_track: Count = Field(
        default=4,
        description="Calls in a row that are refused, fail, or name values found nowhere. "
        "Broken: `loop` stops the task.",
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        if self.tokens_in > self.tokens:
            flaws.append(
                Flaw(
                    ("tokens_in",) if self.says("tokens_in") else ("tokens",),
                    f"allows one call {self.tokens_in} tokens, the whole task only {self.tokens}.",
                    "Lower limits.tokens_in, or raise limits.tokens.",
                )
            )
        for key in ("tool_calls", "identical_calls"):
            if self.says(key) and getattr(self, key) > self.steps:
                says = f"can never be reached with steps = {self.steps}."
                flaws.append(Flaw((key,), says, "Lower it, or raise steps."))
        return flaws


class RuntimeRules(Section):
    """How often a broken run is taken up again."""

    attempts_max: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3,
        description="Crashes without progress, or transient failures, of one task. "
        "Broken: the task is dead-lettered.",
    )
    retry_delay_s: SecondsOrNone = Field(
        default=5.0,
        description="Wait before a task is taken up again; it doubles. Broken: the next attempt starts.",
    )


class StopRule(Section):
    """When a task stops, and who is asked then."""

    when: StopWhen = Field(
        description="The condition. Broken: an unknown word is an error at load.",
    )
    then: Literal["escalate", "decline"] = Field(
        default="escalate",
        description="Whether a person is asked or the task is declined. "
        "Broken: `in_doubt` and `divergence` can only escalate; anything else is an error at load.",
    )
    to: Place | None = Field(
        default=None,
        description="The team asked; left out: `escalation.default`. "
        "Broken: an escalating stop without either is an error at load.",
    )
    pattern: Pattern | None = Field(
        default=None,
        description="Regular expression over the input, for `matches` only. "
        "Broken: an input that matches stops the task before it starts.",
    )
    note: Sentence | None = Field(
        default=None,
        description="What the person asked should know. Broken: shown with the question, changes nothing.",
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        if self.when == "matches" and self.pattern is None:
            flaws.append(
                Flaw(("when",), "needs a pattern.", "Add pattern = '...', or choose another condition.")
            )
        if self.when != "matches" and self.pattern is not None:
            flaws.append(
                Flaw(
                    ("pattern",), f"has no meaning for {self.when!r}.", 'Delete it, or set when = "matches".'
                )
            )
        if self.then == "decline" and self.to is not None:
            flaws.append(
                Flaw(("to",), "names a team, but a declined task asks nobody.", "Delete one of the two.")
            )
        if self.then == "decline" and self.when in {"in_doubt", "divergence"}:
            flaws.append(
                Flaw(
                    ("then",),
                    f"cannot be {self.then!r} for {self.when!r}: a person must settle what happened.",
                    'Set then = "escalate".',
                )
            )
        return flaws


class ChecksRule(Section):
    """Which checks run, by name."""

    input: Words = Field(
        default=("empty", "too_long", "garbled", "language"),
        description="Checks of the input. "
        "Broken: one that blocks or crashes stops the task: `blocked_input`.",
    )
    output: Words = Field(
        default=("schema", "secrets"),
        description="Checks of the answer. "
        "Broken: one that blocks or crashes holds it back: `blocked_output`.",
    )


def _kind_of(media: str) -> InputType:
    main, _, sub = media.partition("/")
    if main == "image":
        return "image"
    if main == "audio":
        return "audio"
    if main == "text" or sub in {"json", "xml", "yaml", "toml"} or sub.endswith(("+json", "+xml")):
        return "text"
    return "document"
