"""What the scope document says of long conversations: how much is kept, and what goes first."""

from typing import Final

from airworthy.policy.context_rule import ContextRule, Strategy
from airworthy.policy.document import Block, Paragraph
from airworthy.policy.plain_words import count

_GOES: Final[dict[Strategy, str]] = {
    "drop_results": "the oldest results of tools are left out",
    "keep_selected": "the oldest turns are left out",
    "summarise": "a model's summary takes the place of the oldest turns",
    "none": "the call is refused",
}


def context_blocks(rule: ContextRule | None) -> list[Block]:
    if rule is None:
        return []
    text = f"A conversation takes at most {rule.share:.0%} of the model's window; beyond that, {_GOES[rule.strategy]}."
    if rule.strategy != "none":
        acts = ", what it did with its tools" if rule.keep_acts else ""
        text += f" Instructions, the task itself{acts} and the newest {count(rule.keep_turns, 'turn')} always stay."
    return [Paragraph((text,))]
