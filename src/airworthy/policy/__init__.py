"""The policy room: reads, validates, hashes and renders the one file that says what an agent may do."""

from airworthy.policy.model import Policy, Stage
from airworthy.policy.model_rule import ModelRule
from airworthy.policy.sections import (
    STOP_WHENS,
    Budgets,
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
from airworthy.policy.tool_rule import BreakerRule, Effect, ToolRule

__all__ = [
    "STOP_WHENS",
    "BreakerRule",
    "Budgets",
    "ChecksRule",
    "Effect",
    "Escalation",
    "InputScope",
    "Limits",
    "ModelRule",
    "OutputScope",
    "Owner",
    "Policy",
    "Refusals",
    "RuntimeRules",
    "Stage",
    "StopRule",
    "StopWhen",
    "ToolRule",
]
