"""The one door to the world: declared tools, guarded calls, effects that are never made twice, the outbox."""

from airworthy.tools.dependencies import Dependencies, Dependency
from airworthy.tools.errors import (
    LockedOut,
    Permanent,
    ResourceChanged,
    ToolArgumentsInvalid,
    ToolError,
    ToolFailed,
    ToolRefused,
    ToolResultInvalid,
    ToolUnavailable,
    Transient,
    http_error,
    transport_error,
)
from airworthy.tools.gaps import Gap
from airworthy.tools.outbox import EffectRow, EffectState, TransitionRefused
from airworthy.tools.tool import Tool, ToolDefinitionError, tool
from airworthy.tools.toolbox import Answer, RunTools, Toolbox

__all__ = [
    "Answer",
    "Dependencies",
    "Dependency",
    "EffectRow",
    "EffectState",
    "Gap",
    "LockedOut",
    "Permanent",
    "ResourceChanged",
    "RunTools",
    "Tool",
    "ToolArgumentsInvalid",
    "ToolDefinitionError",
    "ToolError",
    "ToolFailed",
    "ToolRefused",
    "ToolResultInvalid",
    "ToolUnavailable",
    "Toolbox",
    "Transient",
    "TransitionRefused",
    "http_error",
    "tool",
    "transport_error",
]
