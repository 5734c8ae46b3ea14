"""Who is asked, how long they have, and what happens when nobody answers; knows no person and no clock."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import ENTRIES_MAX, Place, Seconds, Section, ToolName
from airworthy.policy.tool_rule import ToolRule

OnDeadline = Literal["wait", "reject", "approve", "decline", "escalate"]
WaitingFor = Literal["approvals", "questions", "escalations", "dead_letters", "in_doubt"]
# What a clock may decide about each. An effect in doubt is never among them: only somebody who looks can know.
FITTING: dict[WaitingFor, tuple[OnDeadline, ...]] = {
    "approvals": ("wait", "reject", "escalate"),
    "questions": ("wait", "decline", "escalate"),
    "escalations": ("wait", "decline", "escalate"),
    "dead_letters": ("wait", "escalate"),
    "in_doubt": ("wait", "escalate"),
}


class WaitRule(Section):
    """What holds for one kind of question, or for the approvals of one tool."""

    to: Place | None = Field(
        default=None,
        description="The team asked; left out: where the stop points, then `escalation.default`. "
        "Broken: a name that no team of people.toml has is found by `airworthy scope check`.",
    )
    deadline_s: Seconds | None = Field(
        default=None,
        description="How long it may wait; left out: as the team says. Broken: `on_deadline` is carried out.",
    )
    on_deadline: OnDeadline = Field(
        default="wait",
        description="What happens at the deadline: `wait` (nothing but a reminder), `reject` (of a call), "
        "`decline` (of a task), `escalate` (to `escalate_to`), `approve` (only under `[review.tools.<name>]`, for a "
        "`write` without an amount). Broken: a word that does not fit is an error at load.",
    )
    escalate_to: Place | None = Field(
        default=None,
        description="The team asked next, for `escalate`. Broken: `escalate` without it is an error at load.",
    )

    def contradictions(self) -> list[Flaw]:
        if self.on_deadline == "escalate" and self.escalate_to is None:
            return [
                Flaw(("on_deadline",), "needs escalate_to.", 'Name the team asked next: escalate_to = "...".')
            ]
        if self.escalate_to is not None and self.on_deadline != "escalate":
            says = f"has no meaning beside on_deadline = {self.on_deadline!r}."
            return [Flaw(("escalate_to",), says, 'Delete it, or set on_deadline = "escalate".')]
        return []


NO_RULE = WaitRule()


class ReviewRules(Section):
    """What waits for people, by kind; each is a table of its own: `[review.approvals]`."""

    approvals: WaitRule = Field(
        default=NO_RULE, description="Calls held until a person says yes. Broken: the call is not made."
    )
    questions: WaitRule = Field(
        default=NO_RULE, description="Questions of a running task. Broken: the task waits for the answer."
    )
    escalations: WaitRule = Field(
        default=NO_RULE, description="Tasks handed to people, blocked answers among them. Broken: they wait."
    )
    dead_letters: WaitRule = Field(
        default=NO_RULE, description="Tasks that could not be processed. Broken: they wait."
    )
    in_doubt: WaitRule = Field(
        default=NO_RULE,
        description="Calls whose result was lost. Broken: they wait; no clock can settle them.",
    )
    tools: Annotated[Mapping[ToolName, WaitRule], Field(max_length=ENTRIES_MAX)] = Field(
        default_factory=dict,
        description="Approvals of single tools, each a `[review.tools.<name>]`. "
        "Broken: a tool without one goes by `[review.approvals]`.",
    )
    four_eyes: bool = Field(
        default=False,
        description="Whether whoever handed in a task, or changed its call, may not approve that call. "
        "Broken: the approval is refused, with the names of those who may.",
    )

    def rule(self, what: WaitingFor, tool: str = "") -> WaitRule:
        if what == "approvals" and tool in self.tools:
            return self.tools[tool]
        found: WaitRule = getattr(self, what)
        return found

    def contradictions(self) -> list[Flaw]:
        return [
            Flaw(
                (what, "on_deadline"),
                f"cannot be {rule.on_deadline!r} for {what}.",
                f"Write one of: {', '.join(words)}."
                + (
                    " Only a single tool can be approved by default." if rule.on_deadline == "approve" else ""
                ),
            )
            for what, words in FITTING.items()
            if (rule := self.rule(what)).on_deadline not in words
        ]


def defaults_are_safe(review: ReviewRules, tools: Mapping[str, ToolRule]) -> list[Flaw]:
    """A clock may say yes only to what can be put right again: never to a message, a deletion or money."""
    flaws = []
    for name, rule in review.tools.items():
        key = ("review", "tools", name, "on_deadline")
        if rule.on_deadline == "decline":
            flaws.append(Flaw(key, "cannot be 'decline' for a call.", 'Write "reject".'))
        if rule.on_deadline != "approve":
            continue
        tool = tools.get(name)
        if tool is None or tool.effect != "write":
            says = "is 'approve', and the policy does not say that this tool only writes."
            flaws.append(
                Flaw(key, says, f'Set effect = "write" in [tools.{name}] if that is true, or "reject" here.')
            )
        elif tool.amount_arg is not None or tool.approval_above is not None:
            flaws.append(
                Flaw(key, "is 'approve' for a tool with an amount.", 'Write "reject", "escalate" or "wait".')
            )
    return flaws
