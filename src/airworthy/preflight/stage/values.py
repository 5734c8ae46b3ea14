"""A call as faults and stand-ins see it. Values; nothing happens here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments`: JSON data. `client`: which HTTP client the tool would have been handed; empty: none.
    `result_schema`: JSON Schema of what it returns; None: it does not say. `key`: the idempotency key; empty for tools
    that honour none.
    """

    name: str
    arguments: Mapping[str, Any]
    effect: str
    key: str = ""
    client: Literal["async", "sync", ""] = ""
    result_schema: Mapping[str, Any] | None = None

    @property
    def acts(self) -> bool:
        return self.effect != "read"
