"""airworthy: the production layer for AI agents.

Names are imported when they are first used, so that `import airworthy` costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airworthy.checks import Check, CheckContext, Verdict, blocked, check, flagged, passed, required_facts
    from airworthy.core.errors import AirworthyError, ConfigError, InputError
    from airworthy.core.outcome import ErrorFact, Outcome, Reason, ReasonCode
    from airworthy.gateway import ModelError, ModelReply
    from airworthy.policy import Policy, load_policy
    from airworthy.runtime import Agent, Run, Submission, SyncRun
    from airworthy.tools import (
        Gap,
        LockedOut,
        Permanent,
        Tool,
        ToolError,
        Transient,
        http_error,
        tool,
        transport_error,
    )

_HOMES = {
    "Agent": "airworthy.runtime",
    "AirworthyError": "airworthy.core.errors",
    "Check": "airworthy.checks",
    "CheckContext": "airworthy.checks",
    "ConfigError": "airworthy.core.errors",
    "ErrorFact": "airworthy.core.outcome",
    "Gap": "airworthy.tools",
    "InputError": "airworthy.core.errors",
    "LockedOut": "airworthy.tools",
    "ModelError": "airworthy.gateway",
    "ModelReply": "airworthy.gateway",
    "Outcome": "airworthy.core.outcome",
    "Permanent": "airworthy.tools",
    "Policy": "airworthy.policy",
    "Reason": "airworthy.core.outcome",
    "ReasonCode": "airworthy.core.outcome",
    "Run": "airworthy.runtime",
    "Submission": "airworthy.runtime",
    "SyncRun": "airworthy.runtime",
    "Tool": "airworthy.tools",
    "ToolError": "airworthy.tools",
    "Transient": "airworthy.tools",
    "Verdict": "airworthy.checks",
    "blocked": "airworthy.checks",
    "check": "airworthy.checks",
    "flagged": "airworthy.checks",
    "http_error": "airworthy.tools",
    "load_policy": "airworthy.policy",
    "passed": "airworthy.checks",
    "required_facts": "airworthy.checks",
    "tool": "airworthy.tools",
    "transport_error": "airworthy.tools",
}

__all__ = [
    "Agent",
    "AirworthyError",
    "Check",
    "CheckContext",
    "ConfigError",
    "ErrorFact",
    "Gap",
    "InputError",
    "LockedOut",
    "ModelError",
    "ModelReply",
    "Outcome",
    "Permanent",
    "Policy",
    "Reason",
    "ReasonCode",
    "Run",
    "Submission",
    "SyncRun",
    "Tool",
    "ToolError",
    "Transient",
    "Verdict",
    "blocked",
    "check",
    "flagged",
    "http_error",
    "load_policy",
    "passed",
    "required_facts",
    "tool",
    "transport_error",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'airworthy' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
