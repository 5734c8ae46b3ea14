"""What one MCP server offers to one agent: its tools within the policy, as they were accepted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airworthy.core.clock import Clock
from airworthy.core.errors import ConfigError
from airworthy.policy import policy_hash
from airworthy.store import Database
from airworthy.tools.mcp import definition, pins
from airworthy.tools.mcp.definition import Definition, house_name
from airworthy.tools.mcp.remote import effect_of, remote_tool
from airworthy.tools.tool import Tool
from airworthy.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Name:
    """`server`: how it is called in records. `prefix`: what its tools' names begin with in the house; may be empty."""

    server: str
    prefix: str = ""


class Shelf:
    """One per process: whichever session looked last has brought it up to date."""

    def __init__(
        self, box: Toolbox, database: Database, clock: Clock, name: Name, tell: Callable[[str], None]
    ) -> None:
        self.box = box
        self.name = name
        self.filled = False
        self._database = database
        self._clock = clock
        self._tell = tell
        self._hash = policy_hash(box.policy)
        self._held: dict[str, str] = {}
        self._definitions: dict[str, Definition] = {}
        self._states: dict[str, pins.State] = {}
        self._told: set[str] = set()

    async def observed(self, tools: Sequence[Any]) -> None:
        """The server's tools, all of them, as it lists them now. Raises: StoreError."""
        found, unusable = definition.read(tools, self.name.prefix)
        for bad in unusable:
            self._say(f"The tool {bad.name or '(without a name)'} is not offered. {bad.why}")
        now = {each.name: each for each in found}
        policy = self.box.policy
        server = self.name.server
        seen = await self._database.write(
            lambda tx: pins.observed(tx, policy.agent, server, self._hash, found, self._clock.now_us())
        )
        for tool in seen.changed:
            self._say(
                f"The server's tool {tool} is {_WORDS[seen.states.get(tool, 'gone')]}; see `airworthy mcp list`."
            )
        if now == self._definitions and seen.states == self._states and self.filled:
            return
        self._definitions, self._states = now, dict(seen.states)
        self._held = {}
        placed = [self._placed(each, seen.states[each.name]) for each in found]
        try:
            self.box.replace(tool for tool in placed if tool is not None)
        except (
            ConfigError
        ) as error:  # A fallback, say, that the server has no more: nothing is offered until then.
            self._say(str(error))
        self.filled = True

    def _placed(self, each: Definition, state: pins.State) -> Tool | None:
        rule = self.box.policy.tools.get(each.name)
        if rule is not None and rule.server not in (None, self.name.server):
            return None
        if state in ("new", "changed") and (self.box.policy.live or effect_of(rule).acts):
            self._held[each.name] = (
                f"The tool {each.name!r} is {_WORDS[state]} since a person accepted what its server offers. "
                "It cannot be used until somebody has looked at it: airworthy mcp accept."
            )
            return None
        return remote_tool(each, rule, self.name.server)

    def house_name(self, theirs: str) -> str:
        return house_name(self.name.prefix, theirs)

    def held_back(self, name: str) -> str | None:
        """Why a tool of the server may not be used for now; None when nothing stands against it."""
        return self._held.get(name) if name in self.box.policy.tools or not self.box.policy.live else None

    def shown(self) -> list[dict[str, Any]]:
        """The tools within scope, as the client may see them, under the server's own names."""
        return [dict(each.shown) for name, each in self._definitions.items() if self.box.allowed(name)]

    def input_schema(self, name: str) -> Any:
        found = self._definitions.get(name)
        return None if found is None else found.shown.get("inputSchema")

    def _say(self, text: str) -> None:
        if text not in self._told and len(self._told) < _TOLD_MAX:
            self._told.add(text)
            self._tell(text)


_WORDS = {"new": "new", "changed": "changed", "gone": "gone", "accepted": "as it was accepted"}
_TOLD_MAX = 1000
