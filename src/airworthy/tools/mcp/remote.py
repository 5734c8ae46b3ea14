"""A tool of an MCP server as a tool of the house: schemas checked, the call made by who holds the connection."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, cast

import orjson
from pydantic import TypeAdapter

from airworthy.core.canonical import NotSerialisable, decode, encode
from airworthy.core.effect import Effect
from airworthy.policy import ToolRule
from airworthy.tools.mcp.definition import Definition
from airworthy.tools.mcp.schema import Checker, SchemaUnusable, checker
from airworthy.tools.tool import SchemaBroken, Tool


class Caller(Protocol):
    """Who makes a call: one client's request, or the outbox at its time."""

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The server's result. `name`: the server's own. Raises: Transient, Permanent."""
        ...


CALLER: ContextVar[Caller] = ContextVar("CALLER")


@dataclass(frozen=True)
class RemoteTool(Tool):
    """Never keyed: no key of ours reaches the server's own other side. A lost answer leaves its effect in doubt."""

    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None

    @cached_property
    def is_async(self) -> bool:
        return True

    @cached_property
    def takes_key(self) -> bool:
        return False

    @cached_property
    def client_parameter(self) -> str | None:
        return None

    @cached_property
    def own_dependency(self) -> bool:
        return False

    @cached_property
    def result_adapter(self) -> TypeAdapter[Any] | None:
        return None

    def schema(self) -> dict[str, Any]:
        return dict(self.input_schema or {"type": "object"})

    def read_arguments(self, raw: bytes) -> tuple[dict[str, Any], bytes]:
        """Defaults are not filled in: they are the server's. Raises: SchemaBroken."""
        try:
            values = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise SchemaBroken(f"no JSON: {error}") from error
        if not isinstance(values, dict):
            raise SchemaBroken("value: it has to be an object")
        self._check(self.input_schema, values)
        return values, encode(values)

    def write_result(self, result: Any) -> bytes:
        """Raises: SchemaBroken, NotSerialisable."""
        if not isinstance(result, Mapping) or not isinstance(result.get("content", []), list):
            raise SchemaBroken("value: no result of a tool call")
        told = result.get("structuredContent")
        if self.output_schema is not None and not result.get("isError") and _complete(result):
            self._check(self.output_schema, told)
        return encode({"content": [], **result})

    def read_result(self, data: bytes) -> Any:
        return decode(data)

    def _check(self, schema: Mapping[str, Any] | None, value: Any) -> None:
        if schema is None:
            return
        try:
            problems = _checker(schema).problems(value)
        except SchemaUnusable as error:
            raise SchemaBroken(f"the schema itself cannot be used: {error}") from error
        if problems:
            raise SchemaBroken(problems)


def _complete(result: Mapping[str, Any]) -> bool:
    """A server of the stateless generation may ask for input first; that is no result yet."""
    return bool(result.get("resultType", "complete") == "complete")


def _checker(schema: Mapping[str, Any]) -> Checker:
    try:
        return checker(encode(schema))
    except NotSerialisable as error:
        raise SchemaUnusable(str(error)) from error


def effect_of(rule: ToolRule | None) -> Effect:
    """As the policy says. The server's own hints count for nothing: what nobody has named may act."""
    return Effect.WRITE if rule is None or rule.effect is None else Effect(rule.effect)


def remote_tool(definition: Definition, rule: ToolRule | None, server: str) -> RemoteTool:
    """The server is what its tools talk to: a `[dependencies.<server>]` of the policy holds for all of them."""
    theirs = definition.theirs

    async def call(**arguments: Any) -> Any:
        return await CALLER.get().call_tool(theirs, arguments)

    return RemoteTool(
        name=definition.name,
        description=definition.description,
        effect=effect_of(rule),
        keyed=False,
        function=call,
        dependency=server,
        server=server,
        input_schema=cast("Mapping[str, Any]", definition.shown["inputSchema"]),
        output_schema=cast("Mapping[str, Any] | None", definition.shown.get("outputSchema")),
    )
