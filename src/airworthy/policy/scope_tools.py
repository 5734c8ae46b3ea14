"""What the agent may do with its tools, in sentences an owner can approve: may, must ask first, never."""

from collections.abc import Mapping, Sequence
from typing import Final

from airworthy.policy.asking import asks, must_ask, trusts
from airworthy.policy.document import Block, Bullets, Code, Heading, Line, Paragraph, Strong, codes
from airworthy.policy.facts import ToolFact
from airworthy.policy.plain_words import amount, count, duration
from airworthy.policy.scope_dependencies import fallback_lines
from airworthy.policy.tool_rule import Effect, ToolRule

_MAY: Final[dict[Effect, str]] = {
    "read": "look things up",
    "write": "change records",
    "send": "send something to people or other systems",
    "delete": "delete things",
}


def tool_blocks(rules: Mapping[str, ToolRule], tools: Sequence[ToolFact]) -> list[Block]:
    facts = {tool.name: tool for tool in tools}
    blocks: list[Block] = []
    if not rules and not facts:
        return [Paragraph(("It has no tools: it can only answer.",))]
    for name, rule in rules.items():
        blocks += _one_tool(name, rule, facts.get(name))
    silent = sorted(facts.keys() - rules.keys())
    for name in silent:
        blocks.append(Heading(3, (Code(name),)))
        says = " The program contains this tool, the policy does not mention it; one of the two must change."
        blocks.append(Paragraph((Strong("Not settled."), says)))
    return blocks


def _one_tool(name: str, rule: ToolRule, fact: ToolFact | None) -> list[Block]:
    effect = rule.effect or (fact.effect if fact else None)
    blocks: list[Block] = [Heading(3, (Code(name),))]
    if fact is None and rule.server is not None:
        says = ". What it does is as far as the policy says; its own description is not trusted."
        blocks.append(Paragraph(("A tool of the MCP server ", Code(rule.server), says)))
    elif fact is None:
        blocks.append(
            Paragraph(
                (Strong("Not settled."), " The program contains no tool of this name, only the policy does.")
            )
        )
    elif fact.description.strip():
        blocks.append(Paragraph((fact.description,)))
    if fact is not None and rule.effect is not None and rule.effect != fact.effect:
        says = f" The policy says it can {_MAY[rule.effect]}; the program says it can {_MAY[fact.effect]}."
        blocks.append(Paragraph((Strong("Not settled."), says)))
    blocks.append(
        Bullets((_may(rule, effect), *must_ask(rule), *_never(rule, effect), *_how(rule, effect, fact)))
    )
    return blocks


def _may(rule: ToolRule, effect: Effect | None) -> Line:
    act = _MAY[effect] if effect else "do what its description says"
    if rule.dry_run:
        return (Strong("May"), " only pretend to ", act, ": calls are recorded and nothing is carried out.")
    if rule.approval == "always":
        return (Strong("May"), " ", act, ", but never without asking.")
    if rule.approval_above is not None and rule.amount_arg is not None and len(must_ask(rule)) == 1:
        limit = amount(rule.approval_above)
        return (
            Strong("May"),
            " ",
            act,
            ", without asking while ",
            Code(rule.amount_arg),
            f" is at most {limit}.",
        )
    if asks(rule):
        return (Strong("May"), " ", act, ", without asking where none of the following applies.")
    return (
        Strong("May"),
        " ",
        act,
        " without asking anybody.",
        " It changes nothing." if effect == "read" else "",
    )


def _never(rule: ToolRule, effect: Effect | None) -> list[Line]:
    lines: list[Line] = []
    if rule.amount_max is not None and rule.amount_arg is not None:
        limit = amount(rule.amount_max)
        lines.append((Strong("Never"), " with ", Code(rule.amount_arg), f" above {limit}, whoever approves."))
    if rule.recipients and rule.recipient_arg is not None:
        allowed = codes(rule.recipients)
        lines.append((Strong("Never"), " to anybody but: ", *allowed, " (* stands for any characters)."))
    if rule.per_task is not None:
        lines.append((Strong("Never"), f" more than {count(rule.per_task, 'time')} for the same task."))
    if rule.per_day is not None:
        lines.append((Strong("Never"), f" more than {count(rule.per_day, 'time')} a day."))
    if rule.per_recipient_per_day is not None:
        times = count(rule.per_recipient_per_day, "time")
        lines.append((Strong("Never"), f" more than {times} a day for the same recipient."))
    if effect != "read":
        lines += _no_bounds(rule, effect)
    return lines


def _no_bounds(rule: ToolRule, effect: Effect | None) -> list[Line]:
    """An approver must see what nobody has bounded; silence would read as safety."""
    missing = []
    if rule.amount_max is None and rule.amount_arg is not None:
        missing.append("largest amount")
    if not rule.recipients and effect in {"send", None}:
        missing.append("list of recipients")
    if rule.per_day is None:
        missing.append("number of calls a day")
    if rule.approval_untrusted == "off" and rule.approval == "never" and effect in {"send", "delete", None}:
        missing.append("question when somebody else's text decides where it acts")
    return [(Strong("Not bounded:"), f" no {' and no '.join(missing)} is set.")] if missing else []


def _how(rule: ToolRule, effect: Effect | None, fact: ToolFact | None) -> list[Line]:
    lines: list[Line] = trusts(rule)
    if rule.rate is not None:
        lines.append((f"At most {rule.rate.calls:,} {str(rule.rate).split(' ', 1)[1]}; further calls wait.",))
    if rule.delay_s > 0:
        wait = duration(rule.delay_s)
        lines.append(
            (f"Each call waits {wait} before it is carried out; until then a person can cancel it.",)
        )
    if effect not in {"read", None} and fact is not None:
        lines.append(
            (
                "If the result of a call is lost, it is made again under the same key, which the other side "
                "recognises, so that it takes effect once."
                if fact.keyed
                else "If the result of a call is lost, it is not repeated: a person settles what happened.",
            )
        )
    if rule.result_schema is not None:
        lines.append(("Somebody is told if its results are not as ", Code(rule.result_schema.name), " says."))
    if not rule.schema_watch:
        lines.append(("Nobody is told if its results change their form.",))
    if fact is not None and fact.undo:
        lines.append(("What it did can be taken back, by a person, once.",))
    if not rule.critical:
        lines += fallback_lines(rule) or [("If it fails, the agent goes on without it.",)]
    return lines
