"""A tool: a plain function with declared facts and schemas. Knows no policy and calls nothing by itself."""

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Any, Literal, TypeVar, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic_core import PydanticSerializationError

from airworthy.core.canonical import NotSerialisable, decode, encode
from airworthy.core.effect import Effect
from airworthy.core.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])
EffectName = Literal["read", "write", "send", "delete"]

KEY_PARAMETER = "idempotency_key"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,127}")  # As the policy can name it.
_FIRST = re.compile(r"[.\[]")


class ToolDefinitionError(ConfigError):
    """A function cannot be a tool as it is declared."""

    code = "tool_definition"


class SchemaBroken(ValueError):
    """A value does not fit a tool's schema; the text says where."""


@dataclass(frozen=True)
class Tool:
    """`keyed`: the other side honours the idempotency key, so the same call may be sent again.

    `resource` names what the call reads or changes, as a template over its arguments ("customer:{customer_id}");
    two tasks never interleave on one resource.
    `dependency` names what it talks to; tools of one dependency share a breaker.
    `rehearse` gives a plausible result for a dry run.
    `server` is the MCP server that has it; empty: the agent's own code.
    `accepts` are the HTTP statuses that the tool reads itself, where it is handed a client; None: all of them.
    `undo` takes a done call back: `undo(arguments, result)`, with `idempotency_key` too if its service honours one.
    """

    name: str
    description: str
    effect: Effect
    keyed: bool
    function: Callable[..., Any]
    resource: str | Callable[[Mapping[str, Any]], str] | None = None
    dependency: str = ""
    rehearse: Callable[..., Any] | None = None
    server: str = ""
    accepts: frozenset[int] | None = frozenset()
    undo: Callable[..., Any] | None = None

    @cached_property
    def constants(self) -> frozenset[str | float]:
        """Values that the code itself chose: the defaults of its parameters."""
        found = (parameter.default for parameter in inspect.signature(self.function).parameters.values())
        return frozenset(value for value in found if isinstance(value, str | int | float))

    @cached_property
    def undoing(self) -> "Tool | None":
        """What takes back a call, as a tool of its own; its values are `arguments` and `result`."""
        if self.undo is None:
            return None
        keyed = KEY_PARAMETER in inspect.signature(self.undo).parameters
        about = f"Takes back {self.name}."
        return Tool(
            self.name,
            about,
            self.effect,
            keyed,
            self.undo,
            self.resource,
            self.dependency,
            accepts=self.accepts,
        )

    @property
    def output_schema(self) -> Mapping[str, Any] | None:
        """JSON Schema of the results, where their own side declares one, as MCP servers do."""
        return None

    @cached_property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    @cached_property
    def takes_key(self) -> bool:
        return KEY_PARAMETER in inspect.signature(self.function).parameters

    @cached_property
    def client_parameter(self) -> str | None:
        """The parameter that is handed the dependency's HTTP client; the model never sees it."""
        found = [
            name for name in inspect.signature(self.function).parameters if _is_client(self._hints.get(name))
        ]
        if len(found) > 1:
            raise ToolDefinitionError(
                f"Tool {self.name!r} takes {len(found)} HTTP clients: {', '.join(found)}.",
                mend="Take one; make another tool for another dependency.",
            )
        if found and self._hints[found[0]].__name__ != ("AsyncClient" if self.is_async else "Client"):
            raise ToolDefinitionError(
                f"The client {found[0]!r} of tool {self.name!r} does not fit it.",
                mend="An async tool takes an httpx.AsyncClient, any other an httpx.Client.",
            )
        return found[0] if found else None

    @cached_property
    def own_dependency(self) -> bool:
        """Nobody named what it talks to, so it stands for itself."""
        return self.dependency in ("", self.function.__name__)

    @cached_property
    def _hints(self) -> dict[str, Any]:
        try:
            return get_type_hints(self.function, include_extras=True)
        except (NameError, TypeError) as error:
            raise ToolDefinitionError(
                f"The types of tool {self.name!r} cannot be read: {error}.",
                mend="Define them at the top of the module, above the tool.",
            ) from error

    @cached_property
    def arguments_model(self) -> type[BaseModel]:
        fields: dict[str, Any] = {}
        hints = self._hints
        for parameter in inspect.signature(self.function).parameters.values():
            if parameter.name in (KEY_PARAMETER, self.client_parameter):
                continue
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                raise ToolDefinitionError(
                    f"Tool {self.name!r} has the parameter {parameter}, which no schema can describe.",
                    mend="Give every parameter a name and a type.",
                )
            if parameter.name not in hints:
                raise ToolDefinitionError(
                    f"Parameter {parameter.name!r} of tool {self.name!r} has no type.",
                    mend=f"Write it as `{parameter.name}: str`, or whatever it is.",
                )
            default = ... if parameter.default is parameter.empty else parameter.default
            # By alias, because a field may not be called like a method of the model ("copy", "json").
            fields[f"arg_{parameter.name}"] = (hints[parameter.name], Field(default, alias=parameter.name))
        try:
            return create_model(
                f"{self.name}_arguments",
                __config__=ConfigDict(extra="forbid", populate_by_name=False),
                **fields,
            )
        except PydanticSchemaGenerationError as error:
            raise ToolDefinitionError(
                f"A parameter of tool {self.name!r} has a type without a schema: {error}",
                mend="Take plain data, a dataclass or a pydantic model.",
            ) from error

    @cached_property
    def result_adapter(self) -> TypeAdapter[Any] | None:
        """None when the function does not say what it returns."""
        annotation = self._hints.get("return", Any)
        if annotation is Any:
            return None
        try:
            return TypeAdapter(annotation)
        except PydanticSchemaGenerationError as error:
            raise ToolDefinitionError(
                f"The result type {annotation!r} of tool {self.name!r} has no schema.",
                mend="Return plain data, a dataclass or a pydantic model.",
            ) from error

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, as models are shown it."""
        schema = self.arguments_model.model_json_schema(by_alias=True)
        schema.pop("title", None)
        for described in schema.get("properties", {}).values():
            described.pop("title", None)
        return schema

    def specification(self) -> dict[str, Any]:
        """The tool as a model is shown it, in the form of the OpenAI protocol."""
        function = {"name": self.name, "description": self.description, "parameters": self.schema()}
        return {"type": "function", "function": function}

    def read_arguments(self, raw: bytes) -> tuple[dict[str, Any], bytes]:
        """The values to call with, and their canonical JSON (defaults filled in).

        Strict: text is not taken for a number. Raises: SchemaBroken.
        """
        try:
            model = self.arguments_model.model_validate_json(raw, strict=True)
        except ValidationError as error:
            raise SchemaBroken(_problems(error)) from error
        values = {name.removeprefix("arg_"): getattr(model, name) for name in type(model).model_fields}
        return values, encode(model.model_dump(mode="json", by_alias=True))

    def write_result(self, result: Any) -> bytes:
        """Raises: SchemaBroken, NotSerialisable."""
        if self.result_adapter is None:
            return encode(result)
        try:
            checked = self.result_adapter.validate_python(result)
            return self.result_adapter.dump_json(checked, by_alias=True)
        except ValidationError as error:
            raise SchemaBroken(_problems(error)) from error
        except PydanticSerializationError as error:
            raise NotSerialisable(
                f"The result of {self.name} has no JSON form: {error}.", mend="Return plain data."
            ) from error

    def read_result(self, data: bytes) -> Any:
        """The first run and every replay get their value through here, so both get the same. Raises: SchemaBroken."""
        if self.result_adapter is None:
            return decode(data)
        try:
            return self.result_adapter.validate_json(data)
        except ValidationError as error:
            raise SchemaBroken(f"as JSON it reads otherwise: {_problems(error)}") from error

    def resource_of(self, arguments: Mapping[str, Any]) -> str | None:
        if self.resource is None:
            return None
        if callable(self.resource):
            return self.resource(arguments)
        return self.resource.format_map(arguments)


def _is_client(annotation: object) -> bool:
    """Without importing httpx: whoever names its classes has imported it."""
    httpx = sys.modules.get("httpx")
    return httpx is not None and annotation in (httpx.AsyncClient, httpx.Client)


def _problems(error: ValidationError) -> str:
    found = []
    for problem in error.errors(include_url=False, include_input=False)[:5]:
        where = ".".join(str(part) for part in problem["loc"]) or "value"
        found.append(f"{where}: {problem['msg']}")
    return "; ".join(found)


@overload
def tool(function: F, /) -> Tool: ...
@overload
def tool(
    *,
    effect: EffectName = ...,
    keyed: bool = ...,
    resource: str | Callable[[Mapping[str, Any]], str] | None = ...,
    dependency: str = ...,
    rehearse: Callable[..., Any] | None = ...,
    accepts: Sequence[int] | Literal["all"] = ...,
    undo: Callable[..., Any] | None = ...,
    name: str | None = ...,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    effect: EffectName = "read",
    keyed: bool = False,
    resource: str | Callable[[Mapping[str, Any]], str] | None = None,
    dependency: str = "",
    rehearse: Callable[..., Any] | None = None,
    accepts: Sequence[int] | Literal["all"] = (),
    undo: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Declares a function as a tool. Its name, docstring and types are what the model is shown.

    A keyed tool takes a parameter `idempotency_key: str` and passes it on; the model never sees it. Nor does it see a
    parameter annotated `httpx.AsyncClient` (in a plain function `httpx.Client`): it is handed the client of its
    dependency, which sends the key, and raises for statuses from 300 on but those that the tool `accepts`.
    """

    def declare(function: Callable[..., Any]) -> Tool:
        declared = Tool(
            name=name or function.__name__,
            description=inspect.getdoc(function) or "",
            effect=Effect(effect),
            keyed=keyed,
            function=function,
            resource=resource,
            dependency=dependency or function.__name__,
            rehearse=rehearse,
            accepts=None if accepts == "all" else frozenset(accepts),
            undo=undo,
        )
        _check(declared)
        return declared

    return declare if function is None else declare(function)


def _check_undo(declared: Tool) -> None:
    if declared.undo is None:
        return
    if not declared.effect.acts:
        raise ToolDefinitionError(
            f"Tool {declared.name!r} only reads, so there is nothing to take back.", mend="Drop undo=."
        )
    takes = list(inspect.signature(declared.undo).parameters)
    if [name for name in takes if name != KEY_PARAMETER] != ["arguments", "result"]:
        raise ToolDefinitionError(
            f"The undo of tool {declared.name!r} takes {', '.join(takes) or 'nothing'}.",
            mend="Write it as `def take_back(arguments, result)`, with `idempotency_key` beside them if you use it.",
        )
    assert declared.undoing is not None
    _ = declared.undoing.result_adapter


def _check(declared: Tool) -> None:
    if not declared.description:
        raise ToolDefinitionError(
            f"Tool {declared.name!r} has no docstring.",
            mend="Say in one sentence what it does; the model reads it.",
        )
    if not _NAME.fullmatch(declared.name):
        raise ToolDefinitionError(
            f"{declared.name!r} is no name for a tool.", mend="Use letters, digits and _ . - : / only."
        )
    if declared.keyed and not declared.takes_key and declared.client_parameter is None:
        raise ToolDefinitionError(
            f"Tool {declared.name!r} is declared keyed but takes no idempotency key.",
            mend="Add the parameter `idempotency_key: str` and pass it to the service, take an httpx client, "
            "which sends the key by itself, or drop keyed=True.",
        )
    if declared.keyed and not declared.effect.acts:
        raise ToolDefinitionError(
            f"Tool {declared.name!r} only reads, so a key means nothing.", mend="Drop keyed=True."
        )
    _check_undo(declared)
    _ = declared.arguments_model, declared.result_adapter
    if isinstance(declared.resource, str):
        known = declared.schema().get("properties", {})
        for _, field, _, _ in Formatter().parse(declared.resource):
            if field is not None and _FIRST.split(field)[0] not in known:
                raise ToolDefinitionError(
                    f"The resource {declared.resource!r} of tool {declared.name!r} names {field!r}: no parameter.",
                    mend=f"Name one of: {', '.join(known) or 'none, for it has no parameters'}.",
                )
