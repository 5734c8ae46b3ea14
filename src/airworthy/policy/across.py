"""Contradictions between two sections of a policy, as functions from values to flaws."""

from collections.abc import Mapping, Sequence

from airworthy.policy.budgets import Budgets
from airworthy.policy.context_rule import ContextRule
from airworthy.policy.dependency_rule import DependencyRule
from airworthy.policy.flaws import Flaw
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.precondition_rule import Preconditions
from airworthy.policy.sections import Escalation, Limits, OutputScope, Refusals, StopRule
from airworthy.policy.tool_rule import ToolRule


def models_differ(models: Sequence[ModelRule]) -> list[Flaw]:
    flaws = []
    seen: set[tuple[str, str | None]] = set()
    for position, model in enumerate(models):
        # The same version may be served at two addresses, one as the other's fallback.
        identity = (model.name, model.base_url)
        if identity in seen:
            flaws.append(
                Flaw(
                    ("models", position, "name"),
                    "names a model that an earlier entry names.",
                    "Delete one entry, or give it the exact version or base_url it was meant to have.",
                )
            )
        seen.add(identity)
    return flaws + _aliases_differ(models) + _fallbacks_exist(models)


def _aliases_differ(models: Sequence[ModelRule]) -> list[Flaw]:
    flaws = []
    taken = {model.name for model in models}
    for position, model in enumerate(models):
        for alias in model.aliases:
            if alias in taken:
                flaws.append(
                    Flaw(
                        ("models", position, "aliases"),
                        f"has {alias!r}, to which another entry answers already.",
                        "Keep it in one place.",
                    )
                )
            taken.add(alias)
    return flaws


def _fallbacks_exist(models: Sequence[ModelRule]) -> list[Flaw]:
    names = {model.name for model in models}
    return [
        Flaw(
            ("models", position, "fallback"),
            f"names {other!r}, which is not among the models.",
            f"Add an entry for it, or name one of: {', '.join(sorted(names))}.",
        )
        for position, model in enumerate(models)
        for other in model.fallback or ()
        if other not in names
    ]


def summary_model_exists(context: ContextRule | None, models: Sequence[ModelRule]) -> list[Flaw]:
    if context is None or context.summary_model is None:
        return []
    names = [name for model in models for name in (model.name, *model.aliases)]
    if context.summary_model in names:
        return []
    says = f"names {context.summary_model!r}, which is not among the models."
    mend = f"Add an entry for it, or name one of: {', '.join(names) or 'none yet'}."
    return [Flaw(("context", "summary_model"), says, mend)]


def models_fit_limits(models: Sequence[ModelRule], limits: Limits) -> list[Flaw]:
    flaws = []
    widest = max((model.window for model in models), default=None)
    if widest is not None and limits.tokens_in > widest:
        # A default is nobody's line, so the flaw stands where somebody wrote something.
        first = next(position for position, model in enumerate(models) if model.window == widest)
        flaws.append(
            Flaw(
                ("limits", "tokens_in") if limits.says("tokens_in") else ("models", first, "window"),
                f"does not fit: limits.tokens_in is {limits.tokens_in}, the widest window {widest}.",
                f"Set limits.tokens_in to at most {widest}, or name a model with a wider window.",
            )
        )
    for position, model in enumerate(models):
        if model.says("timeout_s") and model.timeout_s > limits.seconds:
            flaws.append(_longer_than_the_task(("models", position, "timeout_s"), limits))
    return flaws


def tools_fit_limits(tools: Mapping[str, ToolRule], limits: Limits) -> list[Flaw]:
    return [
        _longer_than_the_task(("tools", name, "timeout_s"), limits)
        for name, tool in tools.items()
        if tool.says("timeout_s") and tool.timeout_s > limits.seconds
    ]


def preconditions_exist(
    preconditions: Preconditions, dependencies: Mapping[str, DependencyRule]
) -> list[Flaw]:
    return [
        Flaw(
            ("preconditions", "dependencies", position),
            f"names {name!r}, which is no dependency of this policy.",
            f"Add [dependencies.{name}], or name one of: {', '.join(sorted(dependencies)) or 'none yet'}.",
        )
        for position, name in enumerate(preconditions.dependencies)
        if name not in dependencies
    ]


def limits_fit_budgets(limits: Limits, budgets: Budgets) -> list[Flaw]:
    flaws = []
    for key in (
        "day_usd", "month_usd", "user_day_usd", "user_month_usd", "feature_day_usd", "feature_month_usd",
    ):  # fmt: skip
        budget: float | None = getattr(budgets, key)
        if budget is not None and limits.cost_usd > budget and limits.says("cost_usd"):
            flaws.append(
                Flaw(
                    ("limits", "cost_usd"),
                    f"allows one task more than budgets.{key} ({budget:g}).",
                    f"Lower limits.cost_usd, or raise budgets.{key}.",
                )
            )
    return flaws


def stops_have_places(stops: Sequence[StopRule], escalation: Escalation) -> list[Flaw]:
    flaws = []
    seen: set[tuple[str, str | None]] = set()
    for position, stop in enumerate(stops):
        if stop.then == "escalate" and stop.to is None and escalation.default is None:
            flaws.append(
                Flaw(
                    ("stop", position),
                    f"escalates {stop.when!r} to nobody.",
                    'Add to = "team" here, or default = "team" under [escalation].',
                )
            )
        identity = (stop.when, stop.pattern)
        if identity in seen:
            flaws.append(
                Flaw(
                    ("stop", position, "when"),
                    "names a condition that an earlier [[stop]] names.",
                    "Keep one of them."
                    if stop.when != "matches"
                    else "Change the pattern, or keep one of them.",
                )
            )
        seen.add(identity)
    return flaws


def answers_fit_refusals(output: OutputScope, refusals: Refusals) -> list[Flaw]:
    flaws = []
    for position, sentence in enumerate(output.permitted):
        for key, forbidden in (("output.must_not", output.must_not), ("refuse.topics", refusals.topics)):
            if sentence.casefold() in {entry.casefold() for entry in forbidden}:
                flaws.append(
                    Flaw(
                        ("output", "permitted", position),
                        f"permits what {key} forbids.",
                        "Delete it in one of the two lists.",
                    )
                )
    return flaws


def _longer_than_the_task(key: tuple[str | int, ...], limits: Limits) -> Flaw:
    return Flaw(
        key,
        f"outlasts the whole task (limits.seconds = {limits.seconds:g}).",
        "Lower it, or raise limits.seconds.",
    )
