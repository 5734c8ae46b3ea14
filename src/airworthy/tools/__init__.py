"""The one door to the world: declared tools, guarded calls, effects that are never made twice, the outbox."""

from typing import TYPE_CHECKING

from airworthy.core.late import late
from airworthy.tools.tool import Tool, ToolDefinitionError, tool

if TYPE_CHECKING:
    from airworthy.tools.call import Answer, RunTools
    from airworthy.tools.dependencies import Dependencies, Dependency
    from airworthy.tools.errors import (
        LockedOut,
        Permanent,
        ResourceChanged,
        ToolArgumentsInvalid,
        ToolError,
        ToolFailed,
        ToolNotAuthorised,
        ToolRefused,
        ToolResultInvalid,
        ToolUnavailable,
        Transient,
        http_error,
        transport_error,
    )
    from airworthy.tools.gaps import Gap
    from airworthy.tools.outbox import EffectRow, EffectState, TransitionRefused
    from airworthy.tools.toolbox import Toolbox

__getattr__ = late(
    __name__,
    {
        "call": "Answer RunTools",
        "dependencies": "Dependencies Dependency",
        "errors": (
            "LockedOut Permanent ResourceChanged ToolArgumentsInvalid ToolError ToolFailed "
            "ToolNotAuthorised ToolRefused ToolResultInvalid ToolUnavailable Transient http_error "
            "transport_error"
        ),
        "gaps": "Gap",
        "outbox": "EffectRow EffectState TransitionRefused",
        "toolbox": "Toolbox",
    },
)

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
    "ToolNotAuthorised",
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
