"""Steps and trials as a stage leaves them behind, so that what is read from them can be tested without a run."""

from collections.abc import Mapping, Sequence
from typing import Any

from airworthy.core.outcome import Outcome
from airworthy.evals import Act, ToolUse, Trial
from airworthy.preflight.stage import Recording
from airworthy.preflight.stage.script import Played
from airworthy.recorder import Recorded, StepFacts, StepState

SECOND_US = 1_000_000


def step(
    seq: int,
    name: str,
    arguments: Any = None,
    *,
    kind: str = "tool",
    effect: str | None = "read",
    at: float = 0.0,
    took: float = 0.1,
    resource: tuple[str, int] | None = None,
    result: Any = None,
    state: StepState = StepState.DONE,
) -> Recorded:
    """`at`, `took`: seconds. `resource`: name and version."""
    facts = StepFacts(resource=resource[0], resource_version=resource[1]) if resource else StepFacts()
    begun_us = round(at * SECOND_US)
    return Recorded(
        seq, 1, kind, name, b"key", state, effect, True, begun_us, begun_us + round(took * SECOND_US), None,
        arguments if arguments is not None else {}, result, None, facts,
    )  # fmt: skip


def read(seq: int, version: int, *, at: float = 0.0, of: str = "order:1") -> Recorded:
    return step(seq, "get_order", {"order_id": 1}, at=at, resource=(of, version))


def change(seq: int, version: int, *, at: float = 0.0, of: str = "order:1", **more: Any) -> Recorded:
    return step(seq, "refund", {"order_id": 1}, effect="write", at=at, resource=(of, version), **more)


def played(
    steps: Sequence[Recorded] = (),
    *,
    answer: Any = None,
    outcome: Outcome | None = Outcome.ANSWERED,
    tools: Sequence[ToolUse] = (),
    acts: Sequence[Act] = (),
    cost_nano: int | None = 1_000_000,
    made_up: Sequence[str] = (),
    errors: Mapping[str, str] | None = None,
) -> Played:
    uses = tuple(tools) + tuple(
        ToolUse(name, {}, "write", 9, error=error, refused=True) for name, error in (errors or {}).items()
    )
    trial = Trial(
        "case",
        outcome,
        answer=answer,
        tools=uses,
        acts=tuple(acts),
        cost_nano=cost_nano,
        made_up=tuple(made_up),
    )
    return Played(trial, Recording("case", tuple(steps)))
