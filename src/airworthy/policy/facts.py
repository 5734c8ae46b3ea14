"""What the code declares about a tool, as far as a policy and its readers need it."""

from dataclasses import dataclass

from airworthy.policy.tool_rule import Effect


@dataclass(frozen=True, slots=True)
class ToolFact:
    """`keyed`: the tool honours an idempotency key, so that a call lost in a crash can be made again.

    `undo`: the code says how to take a call back.
    """

    name: str
    description: str
    effect: Effect
    keyed: bool
    undo: bool = False
