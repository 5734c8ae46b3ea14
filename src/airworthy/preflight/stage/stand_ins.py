"""Tools whose innermost function is a stand-in; every guard around it stays as it is. No act gets past this file."""

import asyncio
import contextlib
import importlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from pydantic.errors import PydanticInvalidForJsonSchema

from airworthy.core.canonical import decode, encode
from airworthy.core.errors import ConfigError
from airworthy.preflight.settings import ToolSettings
from airworthy.preflight.stage.outside import LiveTools, at_home
from airworthy.preflight.stage.part import Now, Part, now, plain
from airworthy.preflight.stage.recording import ToolResult
from airworthy.preflight.stage.shapes import made_up
from airworthy.preflight.stage.values import ToolCall
from airworthy.resilience import bounded_in_thread
from airworthy.tools import LockedOut, Permanent, Tool, Transient
from airworthy.tools.tool import KEY_PARAMETER

Function = Callable[..., Any]
_WORLD: Final = "world"
_ERRORS: Final[Mapping[str, type[Permanent]]] = {"ToolFailed": Permanent, "ToolNotAuthorised": LockedOut}


@dataclass(frozen=True)
class StandIns:
    """`declared`: functions of preflight.toml, by tool; `settings`: what it says. `live`: None: nothing is live."""

    tools: Mapping[str, Tool]
    settings: Mapping[str, ToolSettings]
    declared: Mapping[str, Function]
    live: LiveTools | None
    home: asyncio.AbstractEventLoop

    @cached_property
    def made(self) -> tuple[Tool, ...]:
        """The agent's tools, each with a function of ours; whose trial it is, they are told when they are called."""
        return tuple(self._stood_in(tool) for tool in self.tools.values())

    def _stood_in(self, tool: Tool) -> Tool:
        schema = _schema_of(tool)

        async def function(**arguments: Any) -> Any:
            key = str(arguments.pop(KEY_PARAMETER, ""))
            return await self._performed(tool, arguments, key, schema)

        function.__name__ = tool.function.__name__
        undoing = tool.undoing
        made = replace(tool, function=function, undo=None if tool.undo is None else _never)
        facts = vars(made)
        for name in ("constants", "_hints", "arguments_model", "result_adapter"):
            facts[name] = getattr(tool, name)
        # The key always comes, so that acts can be told apart; clients are handed on by whoever is live.
        facts.update(is_async=True, takes_key=True, client_parameter=None)
        facts["undoing"] = None if undoing is None else self._taking_back(tool, undoing)
        said = encode(tool.specification())  # Asked for in every trial, and slow to make.
        facts["specification"] = lambda: decode(said)
        return made

    def _taking_back(self, tool: Tool, undoing: Tool) -> Tool:
        schema = _schema_of(undoing)

        async def function(arguments: Any, result: Any, **rest: Any) -> Any:
            part = _current(tool).part
            given = plain({"arguments": arguments, "result": result})
            call = ToolCall(
                f"undo of {tool.name}", given, tool.effect.value, str(rest.get(KEY_PARAMETER, ""))
            )

            async def perform() -> Any:
                return made_up(schema, given["arguments"])

            return await part.world.act(part.task_id, call, part.now_us(), perform)

        function.__name__ = undoing.function.__name__
        made = replace(undoing, function=function)
        vars(made).update(
            result_adapter=undoing.result_adapter, is_async=True, takes_key=True, client_parameter=None, undoing=None
        )  # fmt: skip
        return made

    async def _performed(
        self, tool: Tool, values: Mapping[str, Any], key: str, schema: Mapping[str, Any] | None
    ) -> Any:
        about = _current(tool)
        part = about.part
        fields = {f"arg_{name}": value for name, value in values.items()}
        arguments = tool.arguments_model.model_construct(**fields).model_dump(mode="json", by_alias=True)
        one = part.tool_call(tool.name, about.identity)
        one.tries += 1
        client: Any = "" if tool.client_parameter is None else "async" if tool.is_async else "sync"
        call = ToolCall(tool.name, arguments, tool.effect.value, key if tool.keyed else "", client, schema)

        async def answer() -> Any:
            return await self._answer(tool, call, values, about)

        async def perform() -> Any:
            if part.over:
                raise Transient("The trial is over.", happened="no")
            if not tool.effect.acts:
                return await answer()
            return await part.world.act(part.task_id, call, part.now_us(), answer)

        fault = part.fault("tool", tool.name, one)
        if fault is None:
            return await perform()
        from airworthy.preflight.faults.tools import faulty

        return await faulty(fault, call, perform, part.chance)

    async def _answer(self, tool: Tool, call: ToolCall, values: Mapping[str, Any], about: Now) -> Any:
        """What was put in its place, then what was recorded, then what pretends or reads, then what was made up."""
        part = about.part
        given = part.script.results or {}
        if tool.name in given:
            return given[tool.name]
        arguments = encode(call.arguments)
        turn = part.turn(tool.name, arguments, about.identity)
        own = [each for each in part.script.case.results if _is_of(each, tool.name, arguments)]
        if own:
            return _given(_of_case(own[min(turn, len(own) - 1)]))
        if tool.name in self.declared:
            return await self._declared(tool, values, call, part)
        recorded = part.recorded(tool.name, arguments, turn)
        if recorded is not None:
            return _given(recorded)
        if self._may_be_live(tool):
            assert self.live is not None
            return await self.live.call(self.home, tool, values)
        part.made_up[tool.name] = None
        if tool.rehearse is not None:
            return tool.rehearse(**values)
        alike = next((each for each in part.results if each.tool == tool.name and not each.error), None)
        if alike is not None and not tool.effect.acts:
            return alike.result
        return made_up(call.result_schema, call.arguments)

    def _may_be_live(self, tool: Tool) -> bool:
        said = self.settings[tool.name].stand_in if tool.name in self.settings else "live"
        return self.live is not None and said == "live" and not tool.effect.acts

    async def _declared(self, tool: Tool, values: Mapping[str, Any], call: ToolCall, part: Part) -> Any:
        function = self.declared[tool.name]
        parameters = inspect.signature(function).parameters
        arguments = {name: value for name, value in values.items() if name in parameters}
        if KEY_PARAMETER in parameters:
            arguments[KEY_PARAMETER] = call.key
        if _WORLD in parameters:
            arguments[_WORLD] = part.world.things
        if inspect.iscoroutinefunction(function):
            return await at_home(self.home, lambda: _awaited(function(**arguments)))
        if _WORLD in parameters:  # It keeps to its world, so it needs neither a thread nor real time.
            return function(**arguments)
        return await bounded_in_thread(lambda: function(**arguments), None, name=f"stand-in of {tool.name}")


def _schema_of(tool: Tool) -> Mapping[str, Any] | None:
    """None where it does not say what it returns, or in words that JSON Schema does not have."""
    with contextlib.suppress(PydanticInvalidForJsonSchema):
        return None if tool.result_adapter is None else tool.result_adapter.json_schema(mode="serialization")
    return None


def _is_of(result: Mapping[str, Any], name: str, arguments: bytes) -> bool:
    """Of a case's own results, one without arguments answers any."""
    return result.get("tool") == name and (
        result.get("arguments") is None or encode(result["arguments"]) == arguments
    )


def _of_case(result: Mapping[str, Any]) -> ToolResult:
    error = str(result.get("error") or "")
    words = str(result.get("message") or error)
    return ToolResult(str(result["tool"]), result.get("arguments"), result.get("result"), error, words)


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def checked(tools: Mapping[str, Tool], settings: Mapping[str, ToolSettings]) -> dict[str, Function]:
    """The functions that preflight.toml names. Raises: ConfigError for what is none, or would let an act out."""
    found: dict[str, Function] = {}
    for name, said in settings.items():
        tool = tools.get(name)
        if tool is None:
            known = ", ".join(sorted(tools)) or "none"
            raise ConfigError(
                f"preflight.toml has [tools.{name}], and the agent has no such tool.",
                mend=f"It has: {known}.",
            )
        if said.stand_in == "live" and tool.effect.acts:
            raise ConfigError(
                f"preflight.toml lets {name} be called live, and it acts ({tool.effect.value}).",
                mend="Name a function that only pretends: stand_in = 'module:function'; or leave it out.",
            )
        if ":" in said.stand_in:
            found[name] = named(said.stand_in, f"tools.{name}.stand_in")
            own = inspect.unwrap(found[name])
            if any(own is each for each in (inspect.unwrap(tool.function), *_acting(tools))):
                raise ConfigError(
                    f"The stand-in of {name} is the function of a tool itself.",
                    mend="Name a function that only pretends.",
                )
    return found


def _acting(tools: Mapping[str, Tool]) -> list[Function]:
    """What acts for real, or takes back what did, whichever tool it belongs to."""
    acting = [tool for tool in tools.values() if tool.effect.acts]
    return [
        inspect.unwrap(each) for tool in acting for each in (tool.function, tool.undo) if each is not None
    ]


def named(spec: str, key: str) -> Function:
    """What `module:name` stands for. Raises: ConfigError."""
    module_name, _, attribute = spec.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"preflight.toml: {key} = {spec!r} cannot be loaded: {error}.",
            mend="Check the module and the name.",
        ) from error
    if isinstance(found, Tool):
        raise ConfigError(
            f"preflight.toml: {key} = {spec!r} is a tool.", mend="Name a plain function that only pretends."
        )
    if not callable(found):
        raise ConfigError(f"preflight.toml: {key} = {spec!r} is no function.", mend="Name a function.")
    return found  # type: ignore[no-any-return]  # callable, as was just seen


def _current(tool: Tool) -> Now:
    about = now.get()
    assert about is not None, f"{tool.name} was called from nowhere"
    return about


def _given(found: ToolResult) -> Any:
    if found.error:
        words = found.message.removeprefix(f"{found.tool}: ")
        words = words.partition(": ")[2] or words or found.error
        raise _ERRORS.get(found.error, Permanent)(words)
    return found.result


def _never(arguments: Any, result: Any, **rest: Any) -> Any:  # noqa: ARG001  # the form of any undo
    raise AssertionError("an act in a preflight")
