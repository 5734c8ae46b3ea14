"""An agent: the user's function with its policy, tools and checks. Runs nothing by itself."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from airworthy.checks import Check
from airworthy.core.errors import ConfigError
from airworthy.gateway import ModelClient
from airworthy.policy import Policy, ToolFact, load_policy, policy_hash
from airworthy.tools import Tool

Handler = TypeVar("Handler", bound=Callable[..., Any])


class AgentDefinitionError(ConfigError):
    """The agent cannot run as it is written."""

    code = "agent_definition"


class Agent:
    """`policy` is the policy's file or the value itself; the agent's name stands in it.

    `checks` are the user's own, beside those that the policy names. `clients` (by model name) replace the HTTP
    clients that are otherwise made from the policy. `credentials` (by dependency) give the tokens of those whose
    credentials have kind = "callable": text, or text and the seconds it is good for; async or not.
    """

    def __init__(
        self,
        policy: Policy | str | Path,
        *,
        tools: Iterable[Tool] = (),
        checks: Iterable[Check] = (),
        clients: Mapping[str, ModelClient] | None = None,
        credentials: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        self.policy = policy if isinstance(policy, Policy) else load_policy(Path(policy))
        self.tools = tuple(tools)
        self.checks = tuple(checks)
        self.clients = clients
        self.credentials = dict(credentials or {})
        self._handler: Callable[..., Any] | None = None
        for tool in self.tools:
            if not isinstance(tool, Tool):
                raise AgentDefinitionError(f"{tool!r} is not a tool.", mend="Put @tool above the function.")
        self._check_credentials()

    @property
    def name(self) -> str:
        return self.policy.agent

    @cached_property
    def policy_hash(self) -> str:
        return policy_hash(self.policy)

    @property
    def tool_facts(self) -> tuple[ToolFact, ...]:
        return tuple(
            ToolFact(tool.name, tool.description, tool.effect.value, tool.keyed, tool.undo is not None)
            for tool in self.tools
        )

    def _check_credentials(self) -> None:
        wanted = {
            name
            for name, rule in self.policy.dependencies.items()
            if rule.credentials is not None and rule.credentials.kind == "callable"
        }
        for name in sorted(wanted - self.credentials.keys()):
            raise AgentDefinitionError(
                f"The policy takes the credentials of {name!r} from a callable, and the Agent has none for it.",
                mend=f'Hand it over: Agent(..., credentials={{"{name}": function}}).',
            )
        for name in sorted(self.credentials.keys() - wanted):
            raise AgentDefinitionError(
                f"The Agent has a callable for {name!r}, which the policy does not ask for.",
                mend=f'Add kind = "callable" to [dependencies.{name}.credentials], or drop the callable.',
            )

    def task(self, handler: Handler) -> Handler:
        """Decorates the function that handles a task: `async def handle(run: Run) -> Answer`, or without async.

        Its return annotation is the schema of the answer.
        """
        if self._handler is not None:
            raise AgentDefinitionError(
                f"Agent {self.name!r} has two task functions.", mend="Keep one, and branch inside it."
            )
        if len(inspect.signature(handler).parameters) != 1:
            raise AgentDefinitionError(
                f"The task function {handler.__name__} must take one parameter, the run.",
                mend=f"Write it as `async def {handler.__name__}(run: Run)`.",
            )
        self._handler = handler
        _ = self.output_adapter
        return handler

    @property
    def handler(self) -> Callable[..., Any]:
        if self._handler is None:
            raise AgentDefinitionError(
                f"Agent {self.name!r} has no task function.",
                mend="Put @agent.task above the function that does the work.",
            )
        return self._handler

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.handler)

    @cached_property
    def output_adapter(self) -> TypeAdapter[Any] | None:
        """None when the function does not say what it answers."""
        annotation = get_type_hints(self.handler).get("return", Any)
        if annotation in (Any, None, type(None)):
            return None
        try:
            return TypeAdapter(annotation)
        except PydanticSchemaGenerationError as error:
            raise AgentDefinitionError(
                f"The answer type {annotation!r} of agent {self.name!r} has no schema.",
                mend="Answer with plain data, a dataclass or a pydantic model.",
            ) from error
