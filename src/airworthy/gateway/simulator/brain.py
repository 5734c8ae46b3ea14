"""The simulated model's mind: rules, else a tool whose arguments are known, else an answer from facts."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from airworthy.gateway.simulator import answers, results
from airworthy.gateway.simulator.conversation import Conversation, Json, Tool, as_dict, as_list, as_text
from airworthy.gateway.simulator.decision import Call, Decision
from airworthy.gateway.simulator.facts import TEXT_CHARS_MAX, Facts, Found, Strength, text_words, words
from airworthy.gateway.simulator.rules import Rules, Said
from airworthy.gateway.simulator.schema import sample

CALLS_PER_QUESTION_MAX = 6
CALLS_AT_ONCE_MAX = 4

_READS = {
    "get", "find", "search", "list", "lookup", "look", "fetch", "read", "check", "query", "show",
    "describe", "view", "retrieve", "count", "calculate", "compute", "convert", "track", "estimate",
    "quote", "verify", "validate", "is", "has", "what", "compare", "summarize", "load", "browse",
}  # fmt: skip
_WRITES = {
    "create", "update", "delete", "cancel", "send", "refund", "pay", "book", "set", "add", "remove",
    "transfer", "submit", "post", "write", "modify", "change", "issue", "place", "return",
    "exchange", "approve", "close", "open", "escalate", "notify", "email", "charge", "schedule",
    "reset", "execute", "run", "purchase", "buy", "edit", "insert", "reply", "forward", "archive",
    "assign", "move", "rename", "enable", "disable", "register", "subscribe", "block", "grant",
    "revoke", "release", "publish", "deploy", "restart", "stop", "start", "apply", "save", "store",
    "log", "make", "do", "handoff", "ask",
}  # fmt: skip
_STOP_WORDS = {
    "the", "a", "an", "of", "for", "to", "in", "on", "and", "or", "is", "it", "my", "me", "i",
    "you", "your", "by", "with", "this", "that", "from", "at", "be", "are", "was", "do", "does",
    "can", "please", "what", "when", "where", "how", "which", "who", "id", "get", "find", "if",
    "not", "has", "have", "its", "given", "returns", "return", "s",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Option:
    """A tool that could be called now. `score` orders options; `calls` are what calling it would be."""

    score: tuple[int, int]
    calls: tuple[Call, ...]


def decide(conversation: Conversation, rules: Rules | None, chance: random.Random) -> Decision:
    said = rules.said(conversation, chance) if rules is not None else None
    if said is not None:
        return said.decision or _in_form(said, conversation, chance)
    facts = Facts(conversation)
    forced = conversation.tool(conversation.choice[1:]) if conversation.choice.startswith("=") else None
    if forced is not None and not forced.is_final:
        return Decision((Call.of(forced.name, best_effort(forced, facts)),))
    if conversation.choice != "none" and len(conversation.fresh) < CALLS_PER_QUESTION_MAX:
        calls = next_calls(conversation, facts)
        if calls:
            return Decision(calls)
    if conversation.choice == "required" and conversation.final_tool is None and conversation.tools:
        tool = max(conversation.tools, key=lambda tool: relevance(tool, conversation.user))
        return Decision((Call.of(tool.name, best_effort(tool, facts)),))
    return in_form(answers.compose(conversation, _missing(conversation, facts), chance), conversation, chance)


def next_calls(conversation: Conversation, facts: Facts) -> tuple[Call, ...]:
    """The reads worth making; when none is left, the one write that the user asked for by its verb."""
    spent = {use.name for use in conversation.fresh}
    open_tools = [tool for tool in conversation.tools if tool.name not in spent and not tool.is_final]
    reads = [
        option for tool in open_tools if is_read(tool) and (option := _read_option(tool, conversation, facts))
    ]
    if reads:
        best = max(reads, key=lambda option: option.score)
        return best.calls if conversation.parallel else best.calls[:1]
    for tool in open_tools:
        if not is_read(tool) and is_asked_for(tool, conversation.user):
            arguments = arguments_for(tool, facts)
            if arguments is not None:
                return (Call.of(tool.name, {name: found.value for name, found in arguments.items()}),)
    return ()


def arguments_for(tool: Tool, facts: Facts) -> dict[str, Found] | None:
    """The required parameters and those optional ones the user stated; None if a required one is unknown."""
    properties = as_dict(tool.parameters.get("properties"))
    required = [as_text(name) for name in as_list(tool.parameters.get("required"))]
    filled: dict[str, Found] = {}
    for name in [*required, *(name for name in properties if name not in required)]:
        schema = properties.get(name, {})
        found = facts.find(name, schema, tool)
        if found is None and name in required and "default" in as_dict(schema):
            found = Found(as_dict(schema)["default"], Strength.GUESSED)
        if found is None and name in required and as_dict(schema).get("type") == "boolean":
            found = Found(all(word in facts.last.lower() for word in words(name)), Strength.GUESSED)
        if found is None and name in required:
            return None
        if found is not None and (name in required or found.strength is Strength.SAID):
            filled[name] = found
    return filled


def best_effort(tool: Tool, facts: Facts) -> dict[str, Json]:
    """Arguments for a call that must be made: what is known, and samples for the rest."""
    properties = as_dict(tool.parameters.get("properties"))
    made: dict[str, Json] = {}
    for name in map(as_text, as_list(tool.parameters.get("required"))):
        found = facts.find(name, properties.get(name, {}), tool)
        made[name] = found.value if found is not None else sample(properties.get(name, {}), tool.parameters)
    return made


def is_read(tool: Tool) -> bool:
    """By its verb; a name without a known verb (`weather`, `order_status`) is taken for a read."""
    verbs = [word for word in words(tool.name) if word in _READS or word in _WRITES]
    return not verbs or verbs[0] in _READS


def is_asked_for(tool: Tool, text: str) -> bool:
    spoken = _spoken_words(text[-TEXT_CHARS_MAX:])
    verbs = [word for word in words(tool.name) if word in _WRITES]
    return any(word.startswith(verb) for verb in verbs for word in spoken)


def relevance(tool: Tool, text: str) -> int:
    """Words shared with the user's text; a word of the tool's name counts twice."""
    spoken = _content_words(_spoken_words(text[-TEXT_CHARS_MAX:]))
    named = _content_words(words(tool.name))
    return 2 * len(spoken & named) + len(spoken & (_content_words(words(tool.description)) - named))


def _read_option(tool: Tool, conversation: Conversation, facts: Facts) -> _Option | None:
    arguments = arguments_for(tool, facts)
    if arguments is None:
        return None
    near = relevance(tool, conversation.user)
    strongest = max((found.strength for found in arguments.values()), default=Strength.GUESSED)
    # A tool that needs nothing is called only when its name was mentioned, one that needs something
    # when the user named the value or at least touched its subject.
    if near < 2 if not arguments else near < 1 and strongest is not Strength.SAID:
        return None
    made = {(use.name, use.arguments) for use in conversation.uses if use.turn == len(conversation.users)}
    calls = [call for call in _each_value(tool, arguments, facts) if (call.tool, call.arguments) not in made]
    return _Option((int(strongest), near), tuple(calls[:CALLS_AT_ONCE_MAX])) if calls else None


def _each_value(tool: Tool, arguments: dict[str, Found], facts: Facts) -> list[Call]:
    """One call, or one per value if the user named several for the first parameter."""
    values = {name: found.value for name, found in arguments.items()}
    first = next(iter(arguments), None)
    if first is None or arguments[first].strength is not Strength.SAID or len(arguments) > 1:
        return [Call.of(tool.name, values)]
    schema = as_dict(tool.parameters.get("properties")).get(first, {})
    every = [found for found in facts.all(first, schema, tool) if found.strength is Strength.SAID]
    return [Call.of(tool.name, values | {first: found.value}) for found in every]


def _missing(conversation: Conversation, facts: Facts) -> Sequence[str]:
    """Parameters without a value of the read the question is most about; the answer asks for them."""
    about = [
        tool
        for tool in conversation.tools
        if not tool.is_final and (is_read(tool) or is_asked_for(tool, conversation.user))
    ]
    if conversation.fresh or not about:
        return ()
    tool = max(about, key=lambda tool: relevance(tool, conversation.user))
    if relevance(tool, conversation.user) == 0:
        return ()
    properties = as_dict(tool.parameters.get("properties"))
    required = [as_text(name) for name in as_list(tool.parameters.get("required"))]
    return [name for name in required if facts.find(name, properties.get(name, {}), tool) is None]


def in_form(text: str, conversation: Conversation, chance: random.Random) -> Decision:
    """A final text as the request wants it: plain, in the requested JSON, or inside the final tool."""
    return _in_form(Said("", text=text), conversation, chance)


def _in_form(said: Said, conversation: Conversation, chance: random.Random) -> Decision:
    """The answer as text, as the JSON that `response_format` asks for, or as a call of the final tool."""
    rule = said.rule or None
    tool = conversation.final_tool if conversation.choice != "none" else None
    if conversation.form is not None:
        value = (
            said.value
            if said.text is None
            else answers.instance(conversation.form.schema, conversation, said.text, chance)
        )
        return Decision(text=orjson.dumps(value).decode(), rule=rule)
    if tool is not None:
        value = (
            said.value
            if said.text is None
            else answers.instance(tool.parameters, conversation, said.text, chance)
        )
        return Decision((Call.of(tool.name, as_dict(value)),), rule=rule)
    return Decision(text=said.text if said.text is not None else orjson.dumps(said.value).decode(), rule=rule)


@lru_cache(maxsize=16)
def _spoken_words(text: str) -> frozenset[str]:
    """Every tool is compared with the same text, so the last few are kept."""
    return frozenset(text_words(text))


@lru_cache(maxsize=256)
def _content_words(parts: Collection[str]) -> frozenset[str]:
    single = {part[:-1] if part.endswith("s") and len(part) > 3 else part for part in parts}
    return frozenset(single - _STOP_WORDS)


def obeyed(conversation: Conversation) -> Decision | None:
    """What a model does that takes a tool's result for an instruction: the call or text it demands.

    None if no result holds a command or the demanded call was already made.
    """
    for use in reversed(conversation.uses):
        for command in results.commands(use):
            lowered = command.lower()
            for tool in conversation.tools:
                if tool.is_final or tool.name == use.name:
                    continue
                named = tool.name.lower() in lowered or tool.name.replace("_", " ").lower() in lowered
                if not named and (is_read(tool) or not is_asked_for(tool, command)):
                    continue
                if any(other.name == tool.name for other in conversation.uses):
                    return None
                return Decision(
                    (Call.of(tool.name, best_effort(tool, Facts(_spoken(conversation, command)))),)
                )
            if not any(tool.name.lower() in lowered for tool in conversation.tools):
                return Decision(text=answers.demanded(command))
    return None


def _spoken(conversation: Conversation, command: str) -> Conversation:
    """The conversation as the deceived model hears it: the command comes from the user."""
    return replace(conversation, users=(*conversation.users, command))
