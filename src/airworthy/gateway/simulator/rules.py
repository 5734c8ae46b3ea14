"""The user's script for the simulated model: the first rule that matches a conversation decides the turn."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator import results
from airworthy.gateway.simulator.conversation import Conversation, Json, Tool, ToolUse, as_dict
from airworthy.gateway.simulator.decision import Call, Decision
from airworthy.gateway.simulator.rulefile import CallTools, Reply, ReplyJson, Rule, When, read
from airworthy.gateway.simulator.schema import coerced
from airworthy.gateway.simulator.templates import (
    MISSING,
    Lookup,
    Missing,
    Tree,
    as_words,
    at_path,
    filled_tree,
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a matching rule wants said; the brain puts it into the form that the request asks for."""

    rule: str
    text: str | None = None
    value: Json = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    rules: tuple[Rule, ...] = ()
    # Patterns over the user's words whose named groups become placeholders, in the order of the file.
    captures: tuple[re.Pattern[str], ...] = ()

    @classmethod
    def load(cls, path: Path) -> "Rules":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"Cannot read the rules in {str(path)!r}: {error}.", mend="Check the path."
            ) from error
        return cls.parse(text, origin=str(path))

    @classmethod
    def parse(cls, text: str, *, origin: str = "rules") -> "Rules":
        """Raises: ConfigError naming the rule and, for an unknown key, the nearest known one."""
        rules = read(text, origin)
        return cls(
            rules, tuple(rule.when.user for rule in rules if rule.when.user and rule.when.user.groupindex)
        )

    def said(self, conversation: Conversation, chance: random.Random) -> Said | None:
        """The action of the first rule whose conditions hold and whose placeholders all have values."""
        for rule in self.rules:
            groups = _match(rule.when, conversation)
            if groups is None:
                continue
            said = self._acted(rule, groups, conversation, chance)
            if said is not None:
                return said
        return None

    def _acted(
        self, rule: Rule, groups: dict[str, str], conversation: Conversation, chance: random.Random
    ) -> Said | None:
        def lookup(path: tuple[str, ...]) -> Json | Missing:
            return self._value(path, groups, conversation)

        match rule.action:
            case CallTools(wanted):
                calls = [_call(name, arguments, conversation, lookup, chance) for name, arguments in wanted]
                made = tuple(call for call in calls if call is not None)
                return (
                    Said(rule.name, decision=Decision(made, rule=rule.name))
                    if len(made) == len(calls)
                    else None
                )
            case Reply(text):
                answer = filled_tree(text, lookup, chance)
                return None if answer is MISSING or answer is None else Said(rule.name, text=as_words(answer))
            case ReplyJson(value):
                instance = filled_tree(value, lookup, chance)
                return None if instance is MISSING else Said(rule.name, value=instance)

    def _value(
        self, path: tuple[str, ...], groups: dict[str, str], conversation: Conversation
    ) -> Json | Missing:
        name, *rest = path
        if not rest:
            if name in groups:
                return groups[name]
            captured = self._captured(name, conversation)
            if captured is not None:
                return captured
        for use in reversed(conversation.uses):
            if use.name == name and use.result is not None and not results.is_error(use):
                return at_path(use.value, tuple(rest)) if rest else _whole(use)
        return MISSING

    def _captured(self, name: str, conversation: Conversation) -> str | None:
        """The latest thing a user said that any rule's pattern gives this name to."""
        for text in reversed(conversation.users):
            for pattern in self.captures:
                found = pattern.search(text) if name in pattern.groupindex else None
                if found and found.group(name) is not None:
                    return found.group(name)
        return None


def _match(when: When, conversation: Conversation) -> dict[str, str] | None:
    """The named groups of the patterns that matched; None if a condition does not hold."""
    called = {use.name for use in conversation.uses}
    arrived = [use for use in conversation.arrived if when.after_tool in (None, use.name)]
    if (
        (when.has_tool is not None and conversation.tool(when.has_tool) is None)
        or (when.after_tool is not None and not arrived)
        or any(name in called for name in when.not_called)
        or any(name not in called for name in when.called)
    ):
        return None
    groups: dict[str, str] = {}
    texts: tuple[tuple[re.Pattern[str] | None, Iterable[str]], ...] = (
        (when.user, [conversation.user]),
        (when.system, [conversation.system]),
        (when.tool_result, [use.result or "" for use in reversed(arrived)]),
    )
    for pattern, candidates in texts:
        if pattern is None:
            continue
        found = next((match for match in map(pattern.search, candidates) if match), None)
        if found is None:
            return None
        groups |= {name: value for name, value in found.groupdict().items() if value is not None}
    return groups


def _call(
    name: str, arguments: Tree, conversation: Conversation, lookup: Lookup, chance: random.Random
) -> Call | None:
    """None if the tool is not offered or a value is missing: the rule then does not match."""
    tool = conversation.tool(name)
    values = filled_tree(arguments, lookup, chance)
    if tool is None or values is MISSING:
        return None
    return Call.of(name, {key: _typed(key, value, tool) for key, value in as_dict(values).items()})


def _typed(name: str, value: Json, tool: Tool) -> Json:
    """Words of the user are text; a tool that asks for a number gets the number they spell."""
    schema = as_dict(tool.parameters.get("properties")).get(name)
    return coerced(value, schema, tool.parameters) if isinstance(value, str) and schema is not None else value


def _whole(use: ToolUse) -> Json:
    return use.value if use.value is not None else use.result
