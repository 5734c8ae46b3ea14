"""The policy room: reads, validates, hashes and renders the one file that says what an agent may do."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.policy.admission_rule import AdmissionRule
    from airworthy.policy.approval import BUILT_IN_STOPS, Approval, Gap, NotReadyToGoLive, golive_gaps
    from airworthy.policy.budgets import Budgets
    from airworthy.policy.context_rule import ContextRule
    from airworthy.policy.credential_rule import CredentialRule
    from airworthy.policy.dependency_rule import DependencyRule, HealthRule, OutageRule
    from airworthy.policy.errors import PolicyError, Problem
    from airworthy.policy.facts import ToolFact
    from airworthy.policy.gateway_rule import CacheRule, GatewayRules
    from airworthy.policy.hash import policy_hash
    from airworthy.policy.kinds import Rate
    from airworthy.policy.load import load_policy, parse_policy
    from airworthy.policy.model import Policy, Stage
    from airworthy.policy.model_rule import PROVIDERS, ModelRule, ProviderFacts, Why
    from airworthy.policy.pins import Floating, Pinned, pin_of
    from airworthy.policy.precondition_rule import Preconditions
    from airworthy.policy.readiness_rule import Readiness
    from airworthy.policy.schema_file import SchemaFile
    from airworthy.policy.scope import scope_html, scope_markdown
    from airworthy.policy.sections import (
        STOP_WHENS,
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

__getattr__ = late(
    __name__,
    {
        "admission_rule": "AdmissionRule",
        "approval": "Approval BUILT_IN_STOPS Gap NotReadyToGoLive golive_gaps",
        "budgets": "Budgets",
        "context_rule": "ContextRule",
        "credential_rule": "CredentialRule",
        "dependency_rule": "DependencyRule HealthRule OutageRule",
        "errors": "PolicyError Problem",
        "facts": "ToolFact",
        "gateway_rule": "CacheRule GatewayRules",
        "hash": "policy_hash",
        "kinds": "Rate",
        "load": "load_policy parse_policy",
        "model": "Policy Stage",
        "model_rule": "ModelRule PROVIDERS ProviderFacts Why",
        "pins": "Floating Pinned pin_of",
        "precondition_rule": "Preconditions",
        "readiness_rule": "Readiness",
        "schema_file": "SchemaFile",
        "scope": "scope_html scope_markdown",
        "sections": (
            "ChecksRule Escalation InputScope Limits OutputScope Owner Refusals RuntimeRules "
            "STOP_WHENS StopRule StopWhen"
        ),
        "tool_rule": "BreakerRule Effect ToolRule",
    },
)

__all__ = [
    "BUILT_IN_STOPS",
    "PROVIDERS",
    "STOP_WHENS",
    "AdmissionRule",
    "Approval",
    "BreakerRule",
    "Budgets",
    "CacheRule",
    "ChecksRule",
    "ContextRule",
    "CredentialRule",
    "DependencyRule",
    "Effect",
    "Escalation",
    "Floating",
    "Gap",
    "GatewayRules",
    "HealthRule",
    "InputScope",
    "Limits",
    "ModelRule",
    "NotReadyToGoLive",
    "OutageRule",
    "OutputScope",
    "Owner",
    "Pinned",
    "Policy",
    "PolicyError",
    "Preconditions",
    "Problem",
    "ProviderFacts",
    "Rate",
    "Readiness",
    "Refusals",
    "RuntimeRules",
    "SchemaFile",
    "Stage",
    "StopRule",
    "StopWhen",
    "ToolFact",
    "ToolRule",
    "Why",
    "golive_gaps",
    "load_policy",
    "parse_policy",
    "pin_of",
    "policy_hash",
    "scope_html",
    "scope_markdown",
]
