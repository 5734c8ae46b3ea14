"""Faults as call policies, in the shape of `retry`: put around the call itself, inside of every guard."""

from dataclasses import dataclass
from typing import Final, Literal

When = Literal["once", "always"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """`about`: a sentence. `acts`: whether the call is made although it looks failed (or is not, though it looks done).
    `on`: what it can be put on.
    """

    name: str
    about: str
    on: frozenset[Literal["tool", "model"]]
    acts: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """`when`: the first try of the call only, so that a retry gets through, or every try of it. `seconds`: of kinds
    that take a time.
    """

    kind: str
    when: When = "once"
    seconds: float = 0.0


# Filled by whoever writes this file: every kind of the tool-failure matrix.
KINDS: Final[dict[str, FaultKind]] = {}
