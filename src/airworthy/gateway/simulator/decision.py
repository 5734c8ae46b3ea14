"""What the simulated model does in one turn: some tool calls or a text, before it becomes a response body."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from airworthy.gateway.simulator.conversation import FINAL_TOOLS, Json


@dataclass(frozen=True, slots=True)
class Call:
    """`arguments` is text, because a model can also write text that is not JSON."""

    tool: str
    arguments: str

    @classmethod
    def of(cls, tool: str, arguments: Mapping[str, Json]) -> "Call":
        return cls(tool, orjson.dumps(arguments).decode())


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule` names the rule that decided, or is None when the generic brain did."""

    calls: tuple[Call, ...] = ()
    text: str | None = None
    rule: str | None = None

    @property
    def is_final(self) -> bool:
        """An answer to the user, as text or as a call of the tool that carries the answer."""
        return all(call.tool.startswith(FINAL_TOOLS) for call in self.calls)
