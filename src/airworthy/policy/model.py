"""The policy as one frozen value that holds all sections; knows no files."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy import across
from airworthy.policy.admission_rule import AdmissionRule
from airworthy.policy.budgets import Budgets
from airworthy.policy.context_rule import ContextRule
from airworthy.policy.dependency_rule import DependencyRule
from airworthy.policy.flaws import Flaw
from airworthy.policy.gateway_rule import GatewayRules
from airworthy.policy.kinds import ENTRIES_MAX, Section, Sentence, ToolName, Word
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.precondition_rule import Preconditions
from airworthy.policy.readiness_rule import Readiness
from airworthy.policy.review_rule import ReviewRules, defaults_are_safe
from airworthy.policy.sections import (
    ChecksRule,
    Escalation,
    InputScope,
    Limits,
    OutputScope,
    Owner,
    Refusals,
    RuntimeRules,
    StopRule,
    StopWhen,
)
from airworthy.policy.tool_rule import ToolRule

Stage = Literal["development", "shadow", "beta", "early-access", "general"]


class Policy(Section):
    """All that one agent may do. Built by `load_policy` from a file, or directly in tests."""

    agent: Word = Field(
        description="The agent's name. Broken: a missing or misspelled name is an error at load.",
    )
    purpose: Sentence = Field(
        description="What the agent is for. Broken: a missing purpose is an error at load.",
    )
    stage: Stage = Field(
        default="development",
        description="How far the agent is out; all but development are live. "
        "Broken: a live stage with gaps does not start.",
    )
    manual: bool = Field(
        default=False,
        description="Whether people do the tasks instead of the agent. Broken: while true, no run of it begins.",
    )
    owner: Owner = Owner()
    escalation: Escalation = Escalation()
    input: InputScope = InputScope()
    output: OutputScope = OutputScope()
    refuse: Refusals = Refusals()
    limits: Limits = Limits()
    budgets: Budgets = Budgets()
    runtime: RuntimeRules = RuntimeRules()
    admission: AdmissionRule | None = None
    gateway: GatewayRules = GatewayRules()
    context: ContextRule | None = None
    models: Annotated[tuple[ModelRule, ...], Field(strict=False, max_length=50)] = ()
    tools: Annotated[Mapping[ToolName, ToolRule], Field(max_length=ENTRIES_MAX)] = Field(default_factory=dict)
    dependencies: Annotated[Mapping[ToolName, DependencyRule], Field(max_length=ENTRIES_MAX)] = Field(
        default_factory=dict
    )
    preconditions: Preconditions = Preconditions()
    stop: Annotated[tuple[StopRule, ...], Field(strict=False, max_length=ENTRIES_MAX)] = ()
    checks: ChecksRule = ChecksRule()
    review: ReviewRules = ReviewRules()
    readiness: Readiness = Readiness()

    @property
    def live(self) -> bool:
        return self.stage != "development"

    def stop_for(self, when: StopWhen) -> StopRule:
        """The rule for a condition, `to` filled in; without a rule of its own it escalates to the default.

        For `matches`, which may have many rules, walk `stop` instead. `to` is None only in an agent that
        is not live and names no `escalation.default`.
        """
        for rule in self.stop:
            if rule.when == when:
                if rule.then == "escalate" and rule.to is None:
                    return rule.model_copy(update={"to": self.escalation.default})
                return rule
        return StopRule.model_construct(
            when=when, then="escalate", to=self.escalation.default, pattern=None, note=None
        )

    def contradictions(self) -> list[Flaw]:
        return self.flaws_across(frozenset(type(self).model_fields))

    def flaws_across(self, known: frozenset[str]) -> list[Flaw]:
        """Contradictions between sections; sections outside `known` are broken and left out."""
        flaws: list[Flaw] = []
        if "models" in known:
            flaws += across.models_differ(self.models)
        if {"context", "models"} <= known:
            flaws += across.summary_model_exists(self.context, self.models)
        if {"limits", "models"} <= known:
            flaws += across.models_fit_limits(self.models, self.limits)
        if {"limits", "tools"} <= known:
            flaws += across.tools_fit_limits(self.tools, self.limits)
        if {"dependencies", "preconditions"} <= known:
            flaws += across.preconditions_exist(self.preconditions, self.dependencies)
        if {"limits", "budgets"} <= known:
            flaws += across.limits_fit_budgets(self.limits, self.budgets)
        if {"stop", "escalation"} <= known:
            flaws += across.stops_have_places(self.stop, self.escalation)
        if {"review", "tools"} <= known:
            flaws += defaults_are_safe(self.review, self.tools)
        if {"output", "refuse"} <= known:
            flaws += across.answers_fit_refusals(self.output, self.refuse)
        return flaws
