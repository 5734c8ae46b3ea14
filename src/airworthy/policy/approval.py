"""What still stands between a policy and live tasks: approvals as values, gaps as values, no storage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from airworthy.core.errors import ConfigError
from airworthy.policy.chars import printable
from airworthy.policy.facts import ToolFact
from airworthy.policy.hash import policy_hash
from airworthy.policy.model import Policy
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.pins import Floating, pin_of
from airworthy.policy.review_rule import FITTING
from airworthy.policy.sections import StopWhen

# Conditions the runtime itself can meet; each needs somebody to ask. `blocked_input` is declined by default
# and `matches` exists only where the policy writes it.
BUILT_IN_STOPS: Final[tuple[StopWhen, ...]] = (
    "limit",
    "loop",
    "in_doubt",
    "blocked_output",
    "low_confidence",
    "divergence",
    "out_of_scope",
    "tool_failure",
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Approval:
    """A person said yes to one policy, named by its hash. `at_us`: UTC microseconds since 1970."""

    policy_hash: str
    approver: str
    at_us: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing missing before live tasks; `subject` is a policy key, or `approval`."""

    subject: str
    missing: str
    mend: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.missing} {self.mend}"


class NotReadyToGoLive(ConfigError):
    """A live stage was asked for while gaps remain; `gaps` lists them all."""

    code: ClassVar[str] = "not_ready_to_go_live"

    def __init__(self, agent: str, gaps: Sequence[Gap]) -> None:
        self.gaps = tuple(gaps)
        listed = "\n".join(f"- {gap}" for gap in self.gaps)
        super().__init__(
            f"Agent {agent!r} is not ready to go live; {len(self.gaps)} things are missing:\n{listed}"
        )


def golive_gaps(
    policy: Policy,
    approval: Approval | None,
    tools: Sequence[ToolFact],
    *,
    unpriced: Callable[[ModelRule], bool] = lambda rule: not rule.priced,
    teams: Sequence[str] | None = None,
) -> tuple[Gap, ...]:
    """Everything missing before the agent may handle live tasks; empty: nothing.

    `approval` is the newest one given for this agent, of whatever hash; `tools` are the code's tools. `unpriced`: who
    knows a price list says with it which models have no price at all. `teams`: those of people.toml; None: there is no
    such file, and whoever can reach the database may decide.
    """
    return (
        *_owner_gaps(policy),
        *_approval_gaps(policy, approval),
        *_escalation_gaps(policy),
        *_model_gaps(policy, unpriced),
        *_tool_gaps(policy, tools),
        *_team_gaps(policy, teams),
    )


def places(policy: Policy) -> dict[str, str]:
    """Every team that the policy names, and the first key that names it."""
    named: list[tuple[str, str | None]] = [("escalation.default", policy.escalation.default)]
    named += [(f"stop[{position}].to", rule.to) for position, rule in enumerate(policy.stop, start=1)]
    waits = [(f"review.{what}", policy.review.rule(what)) for what in FITTING]
    waits += [(f"review.tools.{name}", rule) for name, rule in policy.review.tools.items()]
    for key, rule in waits:
        named += [(f"{key}.to", rule.to), (f"{key}.escalate_to", rule.escalate_to)]
    found: dict[str, str] = {}
    for key, place in named:
        if place is not None:
            found.setdefault(place, key)
    return found


def _team_gaps(policy: Policy, teams: Sequence[str] | None) -> list[Gap]:
    if teams is None:
        return []
    known = f"one of: {', '.join(teams)}" if teams else "a team of it, of which there is none yet"
    return [
        Gap(
            key,
            f"People.toml has no team {place!r}, so nobody is told.",
            f"Add [teams.{place}], or name {known}.",
        )
        for place, key in places(policy).items()
        if place not in teams
    ]


def when_text(at_us: int) -> str:
    """A moment for people, in UTC and to the minute."""
    try:
        moment = _EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return "an impossible date"
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _owner_gaps(policy: Policy) -> list[Gap]:
    gaps = []
    if policy.owner.name is None:
        gaps.append(Gap("owner.name", "Nobody answers for the agent.", "Name a person or a team."))
    if policy.owner.contact is None:
        gaps.append(Gap("owner.contact", "The owner cannot be reached.", "Add an address or a channel."))
    if policy.owner.review is None:
        gaps.append(
            Gap("owner.review", "No review is planned.", 'Add "daily", "weekly", "monthly" or "quarterly".')
        )
    if not policy.purpose.strip():
        gaps.append(Gap("purpose", "The agent has no purpose.", "Say in a sentence what it is for."))
    return gaps


def _approval_gaps(policy: Policy, approval: Approval | None) -> list[Gap]:
    now = policy_hash(policy)
    mend = (
        "Show the scope document to the person who decides, and record the approval: "
        f"airworthy scope approve --by NAME ({now})."
    )
    if approval is None:
        return [Gap("approval", "Nobody has approved this policy.", mend)]
    approver = printable(approval.approver.strip())
    if not approver:
        return [Gap("approval", "The approval names no person.", mend)]
    if approval.policy_hash != now:
        other = printable(approval.policy_hash)
        missing = f"The policy was changed since {approver} approved {other} on {when_text(approval.at_us)}."
        return [Gap("approval", missing, mend)]
    return []


def _escalation_gaps(policy: Policy) -> list[Gap]:
    without = []
    for when in BUILT_IN_STOPS:
        rule = policy.stop_for(when)
        if rule.then == "escalate" and rule.to is None:
            without.append(when)
    if not without:
        return []
    return [
        Gap(
            "escalation.default",
            f"Nobody is asked when a task stops for: {', '.join(without)}.",
            'Add default = "team" under [escalation], or a [[stop]] with `to` for each.',
        )
    ]


def _model_gaps(policy: Policy, unpriced: Callable[[ModelRule], bool]) -> list[Gap]:
    gaps = []
    if not policy.models:
        gaps.append(
            Gap("models", "The policy names no model.", "Add [[models]] with an exact name and prices.")
        )
    for position, model in enumerate(policy.models, start=1):
        subject = f"models[{position}]"
        pin = pin_of(model.name)
        if isinstance(pin, Floating) and not model.pinned:
            exact = f'Write name = "{pin.suggestion}".' if pin.suggestion else "Name a dated version."
            own = (
                ""
                if pin.suggestion
                else " For a server of your own whose weights never change, pinned = true."
            )
            gaps.append(Gap(f"{subject}.name", pin.reason, exact + own))
        if unpriced(model):
            gaps.append(
                Gap(
                    f"{subject}.input_usd_per_mtok",
                    f"The price of {model.name!r} is unknown, so no budget could hold.",
                    "Set input_usd_per_mtok and output_usd_per_mtok; 0.0 for a server of your own.",
                )
            )
    return gaps


def _tool_gaps(policy: Policy, tools: Sequence[ToolFact]) -> list[Gap]:
    gaps = []
    code = {tool.name: tool for tool in tools}
    for name, rule in policy.tools.items():
        fact = code.get(name)
        if fact is None:
            gaps.append(
                Gap(f"tools.{name}", "The code has no such tool.", "Delete the table, or correct its name.")
            )
        elif rule.effect is not None and rule.effect != fact.effect:
            gaps.append(
                Gap(
                    f"tools.{name}.effect",
                    f"The policy says {rule.effect}, the code {fact.effect}.",
                    "Correct the one that is wrong.",
                )
            )
    for name in sorted(code.keys() - policy.tools.keys()):
        shown = printable(name)
        gaps.append(
            Gap(
                f"tools.{shown}",
                "The code offers this tool and the policy is silent about it.",
                f"Add [tools.{shown}], or take the tool out of the code.",
            )
        )
    return gaps
