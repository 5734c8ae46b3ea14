"""Withholds the tool calls that a policy does not allow, for agents whose tools run elsewhere, and tells the model.

Everything but `memory` and `watch` is pure: bytes and values in, bytes and values out.
"""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.gateway.guard.forms import (
        GUARDED,
        dropped,
        proposed,
        reinserted,
        retold,
        sibling_ids,
        stream_without,
        without,
    )
    from airworthy.gateway.guard.hosted import HostedToolWithheld, check_hosted, hosted_tools
    from airworthy.gateway.guard.judge import Withheld, judged
    from airworthy.gateway.guard.memory import Memory
    from airworthy.gateway.guard.parts import Dropped
    from airworthy.gateway.guard.stream import Held, StreamGuard
    from airworthy.gateway.guard.watch import Watch, together, watching

__getattr__ = late(
    __name__,
    {
        "forms": "GUARDED dropped proposed reinserted retold sibling_ids stream_without without",
        "hosted": "HostedToolWithheld check_hosted hosted_tools",
        "judge": "Withheld judged",
        "memory": "Memory",
        "parts": "Dropped",
        "stream": "Held StreamGuard",
        "watch": "Watch together watching",
    },
)

__all__ = [
    "GUARDED",
    "Dropped",
    "Held",
    "HostedToolWithheld",
    "Memory",
    "StreamGuard",
    "Watch",
    "Withheld",
    "check_hosted",
    "dropped",
    "hosted_tools",
    "judged",
    "proposed",
    "reinserted",
    "retold",
    "sibling_ids",
    "stream_without",
    "together",
    "watching",
    "without",
]
