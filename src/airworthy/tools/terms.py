"""What holds for a tool: its own rule with what its dependency's rule adds; whether the two can be kept. Pure."""

from collections.abc import Mapping

from airworthy.core.errors import ConfigError
from airworthy.policy import DependencyRule, Policy, ToolRule
from airworthy.tools.tool import Tool

NO_RULE = ToolRule()
OTHER = "tool:"


def terms_of(tool: Tool, policy: Policy) -> ToolRule:
    """The rule that the chain goes by. Where both say something the tool's word counts, but for the breaker, which is
    the dependency's.
    """
    rule = policy.tools.get(tool.name, NO_RULE)
    dependency = policy.dependencies.get(tool.dependency)
    if dependency is None:
        return rule
    return rule.model_copy(
        update={
            "breaker": dependency.breaker,
            "critical": rule.critical if rule.says("critical") else dependency.critical,
            "fallback": rule.fallback or (None if tool.effect.acts else dependency.fallback),
            "last_good_age_s_max": rule.last_good_age_s_max or dependency.last_good_age_s_max,
        }
    )


def check(tools: Mapping[str, Tool], terms: Mapping[str, ToolRule], policy: Policy) -> None:
    """Raises: ConfigError for a tool that could not do what its rules say."""
    for name, tool in tools.items():
        _check_client(tool, policy.dependencies.get(tool.dependency))
        rule = terms[name]
        if rule.fallback in (None, "error"):
            continue
        if tool.effect.acts:
            raise ConfigError(
                f"Tool {name!r} acts, so nothing can take its place, and its policy says fallback = {rule.fallback!r}.",
                mend="Delete the fallback.",
            )
        if rule.critical and policy.tools.get(name, NO_RULE).fallback is not None:
            raise ConfigError(
                f"Tool {name!r} is critical, so its task waits, and its policy says fallback = {rule.fallback!r}.",
                mend=f"Set critical = false in [tools.{name}], or delete the fallback.",
            )
        _check_others(name, tools, terms)


def _check_client(tool: Tool, dependency: DependencyRule | None) -> None:
    if tool.client_parameter is None or (dependency is not None and dependency.base_url is not None):
        return
    named = "" if tool.own_dependency else f" of {tool.dependency!r}"
    section = tool.dependency if not tool.own_dependency else "crm"
    raise ConfigError(
        f"Tool {tool.name!r} takes the HTTP client{named}, and the policy names no address for it.",
        mend=f'Add [dependencies.{section}] with base_url = "https://...", and @tool(dependency="{section}").',
    )


def _check_others(name: str, tools: Mapping[str, Tool], terms: Mapping[str, ToolRule]) -> None:
    """Each tool that takes another's place must be there, read, and not lead back."""
    met = [name]
    while (fallback := terms[met[-1]].fallback or "").startswith(OTHER):
        other = fallback.removeprefix(OTHER)
        if other not in tools or tools[other].effect.acts:
            what = "acts" if other in tools else "is no tool of this agent"
            raise ConfigError(
                f"Tool {met[-1]!r} falls back to {other!r}, which {what}.", mend="Name a tool that reads."
            )
        if other in met:
            raise ConfigError(
                f"The fallbacks of {name!r} go in a circle: {' -> '.join([*met, other])}.",
                mend="Let the last of them fall back to last_good, nothing or error.",
            )
        met.append(other)
