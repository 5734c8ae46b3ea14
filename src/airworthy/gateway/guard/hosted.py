"""Tools that a provider itself carries out: nobody sees their calls, so the requests are judged. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from airworthy.gateway.errors import ModelRefusedRequest
from airworthy.gateway.guard.judge import reads_arguments, rule_of, shown, unheld
from airworthy.policy import Policy

# The types of the tools whose calls come back to the caller, where they are judged one by one.
_FOR_THE_CALLER: Final[Mapping[str, frozenset[str | None]]] = {
    "chat": frozenset({"function", "custom"}),
    "responses": frozenset({"function", "custom"}),
    "messages": frozenset({None, "custom", "bash", "text_editor", "computer", "memory"}),
}
# Keys of a request that switch on a tool without naming it among the tools.
_BY_KEY: Final[Mapping[str, Mapping[str, str]]] = {
    "chat": {"web_search_options": "web_search", "search_parameters": "web_search", "plugins": "plugins"},
    "responses": {},
    "messages": {"mcp_servers": "mcp"},
}
_DATE: Final = re.compile(r"_(?:\d{8}|\d{4}_\d\d_\d\d)\Z")
_DEPTH_MAX: Final = 4


class HostedToolWithheld(ModelRefusedRequest):
    """The request offers the model a tool that the provider runs and the policy does not name."""

    code: ClassVar[str] = "hosted_tool_withheld"


def hosted_tools(dialect: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """What the request offers of the provider's own tools, by type, without the dates of their versions."""
    listed = body.get("tools")
    keys = _BY_KEY.get(dialect)
    if keys is None:
        return ()
    own = _FOR_THE_CALLER[dialect]
    if type(listed) is list and any(type(tool) is not dict or tool.get("type") not in own for tool in listed):
        types = list(_types(listed, own, dialect, 0))
    else:
        types = []  # The usual way.
    switched_on = [name for key, name in keys.items() if body.get(key)]
    return tuple(dict.fromkeys([*switched_on, *types]))


def check_hosted(policy: Policy, dialect: str, body: Mapping[str, Any]) -> None:
    """Raises: HostedToolWithheld."""
    for name in hosted_tools(dialect, body):
        rule = rule_of(policy, name)
        why = None
        if rule is None:
            why = "the policy of this agent does not name it"
        elif unheld(rule) is not None or reads_arguments(rule):
            why = "what the policy asks of its calls cannot be kept, because nobody sees them before they are made"
        if why is not None:
            raise HostedToolWithheld(
                f"The request offers {shown(name)}, a tool that the model's provider carries out: {why}.",
                mend=f"Leave it out of the request, or add [tools.{shown(name)}] to the policy, without such bounds.",
            )


def _types(listed: list[Any], own: frozenset[str | None], dialect: str, depth: int) -> Iterator[str]:
    for tool in listed:
        if type(tool) is not dict:
            continue
        kind = tool.get("type")
        if kind == "namespace" and type(tool.get("tools")) is list and depth < _DEPTH_MAX:
            yield from _types(tool["tools"], own, dialect, depth + 1)
            continue
        if type(kind) is not str:
            # Messages' plain tools have no type; elsewhere a tool without one is known by what it holds.
            if dialect == "messages" or kind is not None or "function" in tool or "name" in tool:
                continue
            kind = next(iter(tool), "")
        name = _DATE.sub("", kind)
        if name not in own:
            yield name
