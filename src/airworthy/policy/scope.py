"""The scope document: what an agent may do, in plain sentences, for the person who approves it."""

from collections.abc import Sequence
from typing import Final

from airworthy.policy.approval import Approval, when_text
from airworthy.policy.document import (
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Heading,
    Line,
    Paragraph,
    Strong,
    codes,
)
from airworthy.policy.facts import ToolFact
from airworthy.policy.hash import policy_hash
from airworthy.policy.model import Policy, Stage
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.pins import Floating, pin_of
from airworthy.policy.plain_words import count, duration, listed, money, size
from airworthy.policy.render_html import render_html
from airworthy.policy.render_markdown import render_markdown
from airworthy.policy.scope_admission import admission_blocks
from airworthy.policy.scope_context import context_blocks
from airworthy.policy.scope_dependencies import dependency_blocks
from airworthy.policy.scope_review import waiting_lines
from airworthy.policy.scope_tools import tool_blocks
from airworthy.policy.sections import STOP_WHENS, StopRule, StopWhen

_STAGES: Final[dict[Stage, str]] = {
    "development": "Development: it handles no live tasks.",
    "shadow": "Shadow: it works beside the real process and cannot act.",
    "beta": "Beta: it handles live tasks of a few chosen users.",
    "early-access": "Early access: it handles live tasks of users who asked for it.",
    "general": "General: it handles live tasks of everybody.",
}
_WHEN: Final[dict[StopWhen, str]] = {
    "limit": "A limit of the task is reached",
    "loop": "It goes in circles",
    "in_doubt": "It is unknown whether an action was carried out",
    "blocked_output": "Its answer did not pass a check",
    "blocked_input": "The request did not pass a check",
    "low_confidence": "It is not sure enough of its answer",
    "divergence": "A resumed task takes another path than before",
    "out_of_scope": "It is asked for something outside this document",
    "tool_failure": "A tool it cannot do without fails",
    "matches": "The request matches a pattern",
}


def scope_markdown(policy: Policy, tools: Sequence[ToolFact], approval: Approval | None = None) -> str:
    """Markdown, for review. `approval`: the newest one for this agent, of whatever hash."""
    return render_markdown(scope_document(policy, tools, approval))


def scope_html(policy: Policy, tools: Sequence[ToolFact], approval: Approval | None = None) -> str:
    """One self-contained page, for a screen, a phone or paper. `approval` as in `scope_markdown`."""
    return render_html(scope_document(policy, tools, approval))


def scope_document(policy: Policy, tools: Sequence[ToolFact], approval: Approval | None = None) -> Document:
    return Document(
        policy.agent,
        (
            Heading(1, ("What the agent ", Code(policy.agent), " may do")),
            *_about(policy, approval),
            Heading(2, ("What it accepts",)),
            Bullets(tuple(_accepts(policy))),
            Heading(2, ("What it may answer",)),
            *_answers(policy),
            Heading(2, ("What it must refuse",)),
            *_refuses(policy),
            Heading(2, ("What it may do with its tools",)),
            *tool_blocks(policy.tools, tools),
            *dependency_blocks(policy.dependencies, policy.preconditions),
            Heading(2, ("Limits",)),
            Paragraph(("Each task stops before any of these is passed:",)),
            Bullets(tuple(_limits(policy))),
            *_budgets(policy),
            *admission_blocks(policy.admission),
            Heading(2, ("Language models",)),
            *_models(policy.models),
            *context_blocks(policy.context),
            Heading(2, ("When it stops, and who is asked",)),
            Bullets((*_stops(policy), *waiting_lines(policy.review))),
            Heading(2, ("Approval",)),
            *_signature(policy, approval),
        ),
    )


def _about(policy: Policy, approval: Approval | None) -> list[Block]:
    owner = policy.owner
    return [
        Paragraph((policy.purpose,)),
        Facts(
            (
                ("Stage", (_STAGES[policy.stage],)),
                ("Owner", (owner.name or "Nobody yet.",)),
                ("Contact", (owner.contact or "None yet.",)),
                ("Review", (owner.review.capitalize() if owner.review else "Not planned yet.",)),
                ("Approval", _standing(policy, approval)),
            )
        ),
    ]


def _accepts(policy: Policy) -> list[Line]:
    accepted = policy.input
    lines: list[Line] = [
        (f"Kinds of input: {listed(accepted.types)}.",),
        ("Formats: ", *codes(accepted.formats), "."),
        ("From: ", listed(accepted.sources) if accepted.sources else "any source", "."),
        ("Languages: ", listed(accepted.languages) if accepted.languages else "any", "."),
        (f"At most {size(accepted.bytes_max)}, texts at least {count(accepted.chars_min, 'character')}.",),
    ]
    if policy.checks.input:
        lines.append(("Checked before the agent sees it: ", *codes(policy.checks.input), "."))
    else:
        lines.append((Strong("No check"), " looks at the input."))
    if not accepted.trusted:
        fields: Line = (" but for: ", *codes(accepted.trusted_fields)) if accepted.trusted_fields else ()
        lines.append(("Strangers may write the input, so it does not say where the agent acts", *fields, "."))
    return lines


def _answers(policy: Policy) -> list[Block]:
    output = policy.output
    blocks: list[Block] = []
    if output.permitted:
        blocks += [Paragraph(("It may give:",)), Bullets(tuple((entry,) for entry in output.permitted))]
    else:
        blocks.append(Paragraph(("The policy does not list what it may answer.",)))
    if output.must_not:
        blocks += [Paragraph(("It must not:",)), Bullets(tuple((entry,) for entry in output.must_not))]
    lines: list[Line] = [
        (f"Answers have at most {size(output.bytes_max)}.",),
        ("Languages: ", listed(output.languages) if output.languages else "any", "."),
    ]
    if output.forbid_patterns:
        lines.append(
            ("An answer that matches one of these patterns is held back: ", *codes(output.forbid_patterns))
        )
    if policy.checks.output:
        lines.append(("Checked before an answer leaves: ", *codes(policy.checks.output), "."))
    else:
        lines.append((Strong("No check"), " looks at the answers."))
    return [*blocks, Paragraph(("For every answer:",)), Bullets(tuple(lines))]


def _refuses(policy: Policy) -> list[Block]:
    lines: list[Line] = [(topic,) for topic in policy.refuse.topics]
    if policy.refuse.patterns:
        lines.append(("Any request that matches one of these patterns: ", *codes(policy.refuse.patterns)))
    return [Bullets(tuple(lines))] if lines else [Paragraph(("The policy names nothing it must refuse.",))]


def _limits(policy: Policy) -> list[Line]:
    limits = policy.limits
    repeats = count(limits.cycle_repeats, "time")
    failures = count(limits.off_track, "call")
    return [
        (f"{count(limits.steps, 'step')}, among them {count(limits.tool_calls, 'tool call')}",),
        (f"{duration(limits.seconds)} of work",),
        (f"{money(limits.cost_usd)}",),
        (f"{limits.tokens_in:,} tokens into one model call, {limits.tokens:,} tokens for the whole task",),
        (f"the same call {count(limits.identical_calls, 'time')}, a pattern of calls {repeats}",),
        (f"{count(limits.no_progress, 'step')} without anything new, {failures} in a row that fail",),
    ]


def _budgets(policy: Policy) -> list[Block]:
    budgets = policy.budgets
    lines: list[Line] = []
    for period in ("day", "month"):
        for whom, suffix in (("", ""), ("user_", " for each user"), ("feature_", " for each feature")):
            usd = getattr(budgets, f"{whom}{period}_usd")
            if usd is not None:
                lines.append((f"{money(usd)} a {period}{suffix}",))
            calls = getattr(budgets, f"{whom}calls_per_{period}", None)
            if calls is not None:
                lines.append((f"{count(calls, 'model call')} a {period}{suffix}",))
            tokens = getattr(budgets, f"{whom}tokens_per_{period}", None)
            if tokens is not None:
                lines.append((f"{tokens:,} tokens a {period}{suffix}",))
    if not lines:
        return [Paragraph(("All tasks together have no budget: only each single task is bounded.",))]
    return [Paragraph(("All tasks together may use at most:",)), Bullets(tuple(lines))]


def _models(models: Sequence[ModelRule]) -> list[Block]:
    if not models:
        return [Paragraph(("The policy names no model.",))]
    lines: list[Line] = []
    for position, model in enumerate(models):
        role = "" if position == 0 else " (used when those before it fail)"
        line: list[str | Strong | Code] = [Code(model.name), f"{role}: "]
        if model.input_usd_per_mtok is None or model.output_usd_per_mtok is None:
            line.append("price unknown.")
        else:
            line.append(
                f"{money(model.input_usd_per_mtok)} for a million tokens read, "
                f"{money(model.output_usd_per_mtok)} for a million written."
            )
        if isinstance(pin_of(model.name), Floating) and not model.pinned:
            line += [" ", Strong("Not an exact version:"), " it may change without notice."]
        if model.end_of_life is not None:
            line.append(f" Its provider retires it on {model.end_of_life.isoformat()}.")
        lines.append(tuple(line))
    return [Bullets(tuple(lines))]


def _stops(policy: Policy) -> list[Line]:
    lines: list[Line] = []
    written = {rule.when for rule in policy.stop}
    for when in STOP_WHENS:
        if when in {"matches", "blocked_input"} and when not in written:
            continue
        rules = [rule for rule in policy.stop if rule.when == when] or [policy.stop_for(when)]
        lines += [_stop(rule, policy.escalation.default) for rule in rules]
    if "blocked_input" not in written:
        lines.append((f"{_WHEN['blocked_input']}: the task is declined.",))
    return lines


def _stop(rule: StopRule, default: str | None) -> Line:
    pattern: Line = (" ", Code(rule.pattern)) if rule.pattern else ()
    note: Line = (" ", rule.note) if rule.note else ()
    if rule.then == "decline":
        return (_WHEN[rule.when], *pattern, ": the task is declined.", *note)
    place = rule.to or default
    asked: Line = (Strong(place), " is asked.") if place else (Strong("nobody"), " is named to be asked.")
    return (_WHEN[rule.when], *pattern, ": ", *asked, *note)


def _standing(policy: Policy, approval: Approval | None) -> Line:
    if approval is None or not approval.approver.strip():
        return (Strong("Not approved."),)
    if approval.policy_hash != policy_hash(policy):
        return (Strong("Not approved"), " as it stands; changed since its last approval.")
    return ("Approved by ", approval.approver, f" on {when_text(approval.at_us)}.")


def _signature(policy: Policy, approval: Approval | None) -> list[Block]:
    now = policy_hash(policy)
    fingerprint: tuple[str, Line] = ("Policy", (Code(now),))
    if approval is None or not approval.approver.strip():
        return [Paragraph((Strong("Not approved."),)), Facts((fingerprint, *_BLANK))]
    when = when_text(approval.at_us)
    if approval.policy_hash != now:
        changed = Paragraph(
            (
                Strong("Not approved."),
                " An earlier version was approved by ",
                approval.approver,
                f" on {when}; the policy has been changed since. That version: ",
                Code(approval.policy_hash),
            )
        )
        return [changed, Facts((fingerprint, *_BLANK))]
    rows: list[tuple[str, Line]] = [("Approved by", (approval.approver,)), ("On", (when,))]
    if approval.note.strip():
        rows.append(("Note", (approval.note,)))
    return [Paragraph((Strong("Approved."),)), Facts((*rows, fingerprint))]


_BLANK: Final[tuple[tuple[str, Line], ...]] = (
    ("Approved by", ("........................................",)),
    ("On", ("........................................",)),
)
