"""What the agent may do with one tool, and when it must ask first; knows no tool's code."""

from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.asking import about_asking
from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import (
    AllowList,
    Amount,
    Argument,
    Arguments,
    Bytes,
    Count,
    RateText,
    Seconds,
    SecondsOrNone,
    Section,
    Share,
    Stems,
    Word,
)
from airworthy.policy.schema_file import ResultSchema

Effect = Literal["read", "write", "send", "delete"]
Instead = Literal["error", "last_good", "nothing"]
# What takes the place of a failed read: one of `Instead`, or another tool.
Fallback = Annotated[str, Field(pattern=r"^(error|last_good|nothing|tool:[A-Za-z_][A-Za-z0-9_.:/-]{0,127})$")]
Untrusted = Literal["off", "friendlier", "strict"]


class BreakerRule(Section):
    """When a failing tool is left alone for a while."""

    failure_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.5,
        description="Share of failed calls, 0 to 1. Broken: the breaker opens, and calls fail at once.",
    )
    calls_min: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=8,
        description="Calls within the window before the share is judged. "
        "Broken: with fewer calls the breaker stays closed.",
    )
    window_s: Seconds = Field(
        default=30.0,
        description="How far back calls are counted. Broken: older calls no longer count.",
    )
    open_s: Seconds = Field(
        default=15.0,
        description="How long the breaker stays open before one trial call. Broken: the trial decides.",
    )


class ToolRule(Section):
    """One `[tools.<name>]` table: bounds of the calls, then bounds of what they may do to the world."""

    effect: Effect | None = Field(
        default=None,
        description="What the tool does to the world; left out: as the code declares. "
        "Broken: if it differs from the code the agent does not start.",
    )
    server: Word | None = Field(
        default=None,
        description="The MCP server that has the tool; left out: the agent's code. "
        "Broken: a proxy of another server does not offer it.",
    )
    timeout_s: Seconds = Field(
        default=10.0,
        description="How long one attempt may take. "
        "Broken: the attempt fails; an effect without an idempotency key is then in doubt.",
    )
    attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        default=3,
        description="Tries for one call, the first included. Broken: the call fails with its last error.",
    )
    retry_wait_s: SecondsOrNone = Field(
        default=0.2,
        description="Wait before the second try; it doubles after that. Broken: the next try is made.",
    )
    retry_wait_s_max: Seconds = Field(
        default=20.0,
        description="The longest wait between two tries. Broken: longer waits are cut to this.",
    )
    concurrency: Count = Field(
        default=8,
        description="Calls in flight at once in one process. Broken: further calls wait for their turn.",
    )
    rate: RateText | None = Field(
        default=None,
        description="Calls per s, min, h or day, over all tasks. Broken: further calls wait for their turn.",
    )
    breaker: BreakerRule = Field(
        default=BreakerRule(),
        description="When a failing tool is left alone. Broken: calls fail at once while it is open.",
    )
    critical: bool = Field(
        default=True,
        description="Whether the task is pointless without this tool. "
        "Broken: a failing critical tool stops the task; any other failure is told to the agent.",
    )
    fallback: Fallback | None = Field(
        default=None,
        description="What takes the place of this read when it fails and is not critical: `last_good`, `nothing`, "
        "`error`, or `tool:NAME` for another read with the same arguments; left out: as its dependency says. "
        "Broken: the agent is told of the failure.",
    )
    last_good_age_s_max: Seconds | None = Field(
        default=None,
        description="How old a last good result may be; left out: as its dependency says, or a day. "
        "Broken: an older one is not used.",
    )
    last_good_for: Literal["user", "anyone"] | None = Field(
        default=None,
        description="Who gets a last good result: `user`, the one for whom it was read (the default), or `anyone`, "
        "for a tool whose arguments say all. Broken: nothing is found for others.",
    )
    approval: Literal["never", "always"] = Field(
        default="never",
        description="Whether a person approves each call. Broken: the task waits for the person.",
    )
    approval_above: Amount | None = Field(
        default=None,
        description="Amount above which a person approves the call. Broken: the task waits for the person.",
    )
    approval_new_recipient: bool = Field(
        default=False,
        description="Whether a person approves the first call to a recipient with this tool. "
        "Broken: the task waits for the person.",
    )
    approval_below_confidence: Share | None = Field(
        default=None,
        description="Confidence, as the agent states it with `run.confidence`, below which a person approves the "
        "call; none stated counts as low. Broken: the task waits for the person.",
    )
    approval_untrusted: Untrusted = Field(
        default="off",
        description='"strict" or "friendlier": a person approves a call whose destination comes neither from the '
        "user nor from a trusted source. Broken: the task waits for the person.",
    )
    destination_args: Arguments = Field(
        default=(),
        description="The tool's arguments that say whereto, for approval_untrusted; left out: recipient_arg, else "
        "every argument. Broken: as approval_untrusted says.",
    )
    asked_words: Stems = Field(
        default=(),
        description="Beginnings of words, one of which the input holds when the user wants this tool, for "
        "approval_untrusted; left out: not looked at. Broken: as approval_untrusted says.",
    )
    trusted: bool = Field(
        default=False,
        description="Whether what the tool returns may say whereto other tools act: only where no stranger can "
        "write into it. Broken: nothing follows.",
    )
    trusted_fields: Arguments = Field(
        default=(),
        description="Fields of the tool's result that may, as dotted paths; lists are passed through. "
        "Broken: nothing follows.",
    )
    amount_arg: Argument | None = Field(
        default=None,
        description="The tool's argument that holds the amount. Broken: a call without it is refused.",
    )
    amount_max: Amount | None = Field(
        default=None,
        description="The largest amount, whoever approves. Broken: the call is refused.",
    )
    recipient_arg: Argument | None = Field(
        default=None,
        description="The tool's argument that holds the recipient. Broken: a call without it is refused.",
    )
    recipients: AllowList = Field(
        default=(),
        description="Recipients allowed, with `*` and `?` as wildcards; left out: anybody. "
        "Broken: a call to anybody else is refused.",
    )
    per_task: Count | None = Field(
        default=None,
        description="Calls that act, per task, whatever their arguments. Broken: further calls are refused.",
    )
    per_day: Count | None = Field(
        default=None,
        description="Calls per UTC day over all tasks. Broken: further calls are refused that day.",
    )
    per_recipient_per_day: Count | None = Field(
        default=None,
        description="Calls per recipient and UTC day. Broken: further calls are refused that day.",
    )
    delay_s: SecondsOrNone = Field(
        default=0.0,
        description="How long a call waits in the outbox, where a person can cancel it. "
        "Broken: once the time is over it is carried out.",
    )
    dry_run: bool = Field(
        default=False,
        description="Whether calls are recorded and never carried out. Broken: nothing leaves while true.",
    )
    result_bytes_max: Bytes = Field(
        default=1_048_576,
        description="The largest result the agent gets. Broken: the call fails with the size.",
    )

    schema_watch: bool = Field(
        default=True,
        description="Whether the shape of its results is learnt and watched. "
        "Broken: a change raises an alert; the call itself goes on.",
    )
    schema_learn: Annotated[int, Field(ge=5, le=10_000)] = Field(
        default=50,
        description="Results to learn the shape from. Broken: with fewer, nothing is held against them.",
    )
    result_schema: ResultSchema | None = Field(
        default=None,
        description="JSON Schema of its results, a file beside the policy: the shape is taken from it, and nothing is "
        "learnt. Broken: a difference raises an alert; the call itself goes on.",
    )

    def contradictions(self) -> list[Flaw]:
        return [
            *self._about_amounts(),
            *self._about_recipients(),
            *self._about_waiting(),
            *self._about_fallback(),
            *self._about_schema(),
            *about_asking(self),
        ]

    def _about_schema(self) -> list[Flaw]:
        if self.result_schema is None:
            return []
        why = {"schema_watch": not self.schema_watch, "schema_learn": self.says("schema_learn")}
        says = "has no meaning beside result_schema."
        return [Flaw((key,), says, "Delete one of the two.") for key, stands in why.items() if stands]

    def _about_fallback(self) -> list[Flaw]:
        if self.fallback in (None, "error"):
            return []
        flaws = []
        if self.effect not in (None, "read"):
            flaws.append(
                Flaw(("fallback",), "has no meaning for a tool that acts.", "Delete it, or correct effect.")
            )
        if self.says("critical") and self.critical:
            flaws.append(
                Flaw(
                    ("fallback",),
                    "has no meaning for a critical tool: its task waits.",
                    "Delete it, or set critical = false.",
                )
            )
        return flaws

    def _about_amounts(self) -> list[Flaw]:
        flaws = []
        if self.amount_arg is None:
            mend = 'Name the argument that holds the amount: amount_arg = "amount".'
            flaws += [
                Flaw((key,), "needs amount_arg.", mend)
                for key, value in (("approval_above", self.approval_above), ("amount_max", self.amount_max))
                if value is not None
            ]
        if self.approval_above is not None and self.approval == "always":
            flaws.append(
                Flaw(
                    ("approval_above",),
                    'has no meaning beside approval = "always".',
                    "Delete one of the two.",
                )
            )
        if (
            self.approval_above is not None
            and self.amount_max is not None
            and self.amount_max <= self.approval_above
        ):
            flaws.append(
                Flaw(
                    ("amount_max",),
                    f"is not above approval_above ({self.approval_above:g}), so nobody would ever be asked.",
                    "Raise amount_max, or lower approval_above.",
                )
            )
        return flaws

    def _about_recipients(self) -> list[Flaw]:
        flaws = []
        if self.recipient_arg is None:
            mend = 'Name the argument that holds the recipient: recipient_arg = "to".'
            named = {
                "recipients": self.recipients or None,
                "per_recipient_per_day": self.per_recipient_per_day,
                "approval_new_recipient": self.approval_new_recipient,
            }
            flaws += [Flaw((key,), "needs recipient_arg.", mend) for key, value in named.items() if value]
        elif self.recipient_arg == self.amount_arg:
            flaws.append(
                Flaw(("recipient_arg",), "is also amount_arg.", "Name two different arguments of the tool.")
            )
        if self.per_day and self.per_recipient_per_day and self.per_recipient_per_day > self.per_day:
            flaws.append(
                Flaw(
                    ("per_recipient_per_day",),
                    f"is above per_day ({self.per_day}).",
                    "Lower it, or raise per_day.",
                )
            )
        return flaws

    def _about_waiting(self) -> list[Flaw]:
        flaws = []
        if self.retry_wait_s > self.retry_wait_s_max:
            flaws.append(
                Flaw(
                    ("retry_wait_s",) if self.says("retry_wait_s") else ("retry_wait_s_max",),
                    f"makes the first wait {self.retry_wait_s:g} s, the longest {self.retry_wait_s_max:g} s.",
                    "Set retry_wait_s at most to retry_wait_s_max.",
                )
            )
        if self.effect == "read":
            held = {
                "delay_s": self.delay_s > 0,
                "dry_run": self.dry_run,
                "per_task": self.per_task is not None,
            }
            flaws += [
                Flaw((key,), "has no meaning for a tool that only reads.", "Delete it, or correct effect.")
                for key, is_set in held.items()
                if is_set
            ]
        return flaws
