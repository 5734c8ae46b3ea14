"""What the agent's policy lets it do at all, as far as a case can ask for more; the policy itself is not known here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from airworthy.evals.case import Case, ToolExpect
from airworthy.evals.matching import as_number, is_range
from airworthy.evals.suites.wording import Wrong, did_you_mean


@dataclass(frozen=True, slots=True)
class Reach:
    """None: not bounded, or not known. `amounts`: by tool, the argument that holds the amount, and the most a call
    may move, whoever approves.
    """

    tools: frozenset[str] | None = None
    steps_max: float | None = None
    cost_usd_max: float | None = None
    seconds_max: float | None = None
    amounts: Mapping[str, tuple[str, float]] = field(default_factory=dict)


def beyond(case: Case, reach: Reach) -> Iterator[Wrong]:
    """What the case asks for and the agent is not allowed: it could only pass by a guard that fails."""
    expect = case.expect
    for key, entries in (("tools", expect.tools), ("acts", expect.acts or ())):
        for at, entry in enumerate(entries):
            if (entry.times.min or 0) <= 0:
                continue
            if reach.tools is not None and entry.name not in reach.tools:
                yield Wrong(
                    ("expect", key, at), f"{entry.name} is required, and the policy has no such tool.",
                    did_you_mean(entry.name, sorted(reach.tools)) if reach.tools else "",
                )  # fmt: skip
            elif key == "acts":
                yield from _amount(at, entry, reach)
    for name, most in (
        ("steps", reach.steps_max),
        ("cost_usd", reach.cost_usd_max),
        ("seconds", reach.seconds_max),
    ):
        least = getattr(expect, name).min
        if least is not None and most is not None and least > most:
            yield Wrong(
                ("expect", name),
                f"At least {least:g} is asked for, and the policy stops the task at {most:g}.",
                "Lower min.",
            )


def _amount(at: int, entry: ToolExpect, reach: Reach) -> Iterator[Wrong]:
    if entry.name not in reach.amounts:
        return
    argument, most = reach.amounts[entry.name]
    wanted = entry.arguments.get(argument)
    least = as_number(wanted.get("min") if is_range(wanted) else wanted)  # type: ignore[union-attr]
    if least is not None and least > most:
        yield Wrong(
            ("expect", "acts", at, "arguments", argument),
            f"{entry.name} must be done with {argument} of {least:g}, and the policy refuses more than {most:g}.",
            "Ask for less, or change the policy.",
        )
