"""The rule file: TOML in, checked rules out; a misspelt key, pattern or placeholder is an error here."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias

from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator.conversation import Json, as_dict
from airworthy.gateway.simulator.templates import Template, Tree, as_words, slots, template, tree

_RULE_KEYS = ("name", "when", "call", "reply", "reply_json")
_ACTIONS = ("call", "reply", "reply_json")
_WHEN_KEYS = ("user", "system", "has_tool", "after_tool", "tool_result", "not_called", "called")
_CALL_KEYS = ("tool", "arguments")
RULES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class When:
    """All conditions that are set must hold. Calls are counted over the whole conversation."""

    user: re.Pattern[str] | None = None
    system: re.Pattern[str] | None = None
    has_tool: str | None = None
    after_tool: str | None = None
    tool_result: re.Pattern[str] | None = None
    not_called: tuple[str, ...] = ()
    called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallTools:
    calls: tuple[tuple[str, Tree], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    text: Template


@dataclass(frozen=True, slots=True)
class ReplyJson:
    value: Tree


Action: TypeAlias = CallTools | Reply | ReplyJson


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    when: When
    action: Action


def read(text: str, origin: str) -> tuple[Rule, ...]:
    """Raises: ConfigError naming the rule and, for an unknown key, the nearest known one."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{origin} is not valid TOML: {error}.", mend="Correct it at that place."
        ) from error
    _known(document, ("rule",), origin)
    entries = document.get("rule", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(
            f"{origin}: 'rule' is not a list of tables.", mend="Write each rule under `[[rule]]`."
        )
    if len(entries) > RULES_MAX:
        raise ConfigError(f"{origin} has {len(entries)} rules.", mend=f"Keep to {RULES_MAX} or fewer.")
    rules = tuple(_rule(entry, f"{origin}, rule {number}") for number, entry in enumerate(entries, start=1))
    _check_names(rules, origin)
    _check_placeholders(rules, origin)
    return rules


def _check_placeholders(rules: tuple[Rule, ...], origin: str) -> None:
    groups = {name for rule in rules for pattern in _patterns(rule.when) for name in pattern.groupindex}
    tools = {name for rule in rules for name in _tools_named(rule)}
    for rule in rules:
        for slot in slots(_tree_of(rule.action)):
            if len(slot.path) == 1 and slot.path[0] not in groups | tools:
                _unknown(slot.path[0], sorted(groups | tools), f"{origin}, rule {rule.name!r}: placeholder")


def _rule(entry: Mapping[str, Json], where: str) -> Rule:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError(
            f"{where} has no name.", mend='Add `name = "..."`; it appears in the response headers.'
        )
    where = f"{where} ({name})"
    _known(entry, _RULE_KEYS, where)
    given = [key for key in _ACTIONS if key in entry]
    if len(given) != 1:
        raise ConfigError(
            f"{where} has {len(given)} actions.", mend=f"Give exactly one of: {', '.join(_ACTIONS)}."
        )
    when = entry.get("when", {})
    if not isinstance(when, dict):
        raise ConfigError(f"{where}: 'when' is not a table.", mend="Write `when = { user = '...' }`.")
    return Rule(name, _when(when, where), _action(given[0], entry[given[0]], where))


def _when(raw: dict[str, Json], where: str) -> When:
    _known(raw, _WHEN_KEYS, f"{where}, when")
    return When(
        user=_pattern(raw, "user", where),
        system=_pattern(raw, "system", where),
        has_tool=_name(raw, "has_tool", where),
        after_tool=_name(raw, "after_tool", where),
        tool_result=_pattern(raw, "tool_result", where),
        not_called=_names(raw, "not_called", where),
        called=_names(raw, "called", where),
    )


def _action(key: str, raw: Json, where: str) -> Action:
    if key == "reply_json":
        if not isinstance(raw, dict):
            raise ConfigError(f"{where}: 'reply_json' is not a table.", mend="Write `reply_json = { ... }`.")
        return ReplyJson(tree(raw, where=f"{where}, reply_json"))
    if key == "reply":
        if not isinstance(raw, str):
            raise ConfigError(f"{where}: 'reply' is not text.", mend='Write `reply = "..."`.')
        return Reply(template(raw, where=f"{where}, reply"))
    if not isinstance(raw, list) or not raw:
        raise ConfigError(
            f"{where}: 'call' is not a list.", mend='Write `call = [{ tool = "...", arguments = {} }]`.'
        )
    calls = []
    for entry in raw:
        call = as_dict(entry)
        _known(call, _CALL_KEYS, f"{where}, call")
        name = _name(call, "tool", f"{where}, call")
        arguments = call.get("arguments", {})
        if name is None or not isinstance(arguments, dict):
            raise ConfigError(
                f"{where}: a call needs a tool name and a table of arguments.", mend="Complete it."
            )
        calls.append((name, tree(arguments, where=f"{where}, call {name}")))
    return CallTools(tuple(calls))


def _pattern(raw: dict[str, Json], key: str, where: str) -> re.Pattern[str] | None:
    text = _name(raw, key, where)
    if text is None:
        return None
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(
            f"{where}: {key!r} is not a regular expression: {error}.",
            mend="Correct it, or escape what is meant as text.",
        ) from error


def _name(raw: dict[str, Json], key: str, where: str) -> str | None:
    value = raw.get(key)
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"{where}: {key!r} is {value!r}.", mend="Give one text.")
    return value


def _names(raw: dict[str, Json], key: str, where: str) -> tuple[str, ...]:
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ConfigError(f"{where}: {key!r} is {value!r}.", mend="Give a list of tool names.")
    return tuple(as_words(name) for name in value)


def _known(raw: Mapping[str, object], known: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in known:
            _unknown(key, known, f"{where}: key")


def _unknown(word: str, known: Iterable[str], where: str) -> None:
    options = list(known)
    near = get_close_matches(word, options, n=1, cutoff=0)
    raise ConfigError(
        f"{where} {word!r} is not known.",
        mend=f"Did you mean {near[0]!r}? Known are: {', '.join(options)}." if near else "Remove it.",
    )


def _check_names(rules: tuple[Rule, ...], origin: str) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise ConfigError(
                f"{origin}: two rules are named {rule.name!r}.", mend="Give each rule its own name."
            )
        seen.add(rule.name)


def _patterns(when: When) -> list[re.Pattern[str]]:
    return [pattern for pattern in (when.user, when.system, when.tool_result) if pattern is not None]


def _tools_named(rule: Rule) -> list[str]:
    when = rule.when
    called = [name for name, _ in rule.action.calls] if isinstance(rule.action, CallTools) else []
    return [
        *called,
        *when.called,
        *when.not_called,
        *(name for name in (when.has_tool, when.after_tool) if name),
    ]


def _tree_of(action: Action) -> Tree:
    match action:
        case CallTools(calls):
            return {f"{index}": arguments for index, (_, arguments) in enumerate(calls)}
        case Reply(text):
            return text
        case ReplyJson(value):
            return value
