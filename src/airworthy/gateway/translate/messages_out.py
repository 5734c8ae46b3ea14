"""Writes the neutral conversation as an Anthropic Messages request."""

import re

from airworthy.gateway.translate import effort
from airworthy.gateway.translate.call_ids import to_messages
from airworthy.gateway.translate.conversation import (
    Choice,
    Conversation,
    File,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    merged,
)
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.media import document_source, image_source
from airworthy.gateway.translate.openai_out import Json, check_tool_name, thoughts_stay
from airworthy.gateway.translate.shape import json_object
from airworthy.gateway.translate.target import Target

OPENING = "(The conversation begins.)"
TEMPERATURE_MAX = 1
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOP_P_WITH_THINKING_MIN = 0.95


def write_messages(talk: Conversation, target: Target, findings: Findings) -> Json:
    """A format must have become a tool before."""
    settings = talk.settings
    for turn in talk.turns:
        thoughts_stay(turn, findings)
    system, turns = _split(talk, findings)
    limit = target.bounded(settings.output_tokens_max, findings) or target.output_tokens_max
    tools = _allowed(talk)
    for tool in tools:
        check_tool_name(tool.name, _TOOL_NAME, findings)
    stops = [stop for stop in settings.stop if stop.strip()]
    if len(stops) < len(settings.stop):
        findings.block("a stop sequence of nothing but white space")
    if settings.verbosity:
        findings.note("verbosity", "a wish about length that Anthropic has no setting for")
    if not tools and (talk.choice or settings.parallel is not None):
        findings.note("tool_choice", "there are no tools to choose from")
    body: Json = {
        "model": target.model,
        "max_tokens": limit,
        "messages": [_message(turn, findings) for turn in turns],
    }
    optional: Json = {
        "system": [_block(part, findings) for part in system],
        "temperature": _temperature(settings.temperature, findings),
        "top_p": settings.top_p,
        "stop_sequences": stops,
        "tools": [_tool(tool) for tool in tools],
        "tool_choice": _choice(talk.choice, parallel=settings.parallel) if tools else None,
        "metadata": {"user_id": settings.user} if settings.user else None,
        "stream": settings.stream or None,
        **_thinking(talk, limit, target, findings),
    }
    return body | {key: value for key, value in optional.items() if value is not None and value != []}


def _split(talk: Conversation, findings: Findings) -> tuple[tuple[Part, ...], list[Turn]]:
    """Instructions stand apart from the turns here, the first turn is the user's, and none is empty."""
    roles = [turn.role for turn in talk.turns]
    late = next((i for i, role in enumerate(roles) if role in {"user", "assistant"}), len(roles))
    if any(role in {"system", "developer"} for role in roles[late:]):
        findings.note(
            "instructions after the first turn", "stand before all turns, where Anthropic takes them"
        )
    turns = list(merged(talk.turns))
    system = turns.pop(0).parts if turns and turns[0].role == "system" else ()
    if not turns or turns[0].role != "user":
        findings.note(
            "the first turn", f"is the user's, with the words {OPENING!r}, as Anthropic demands one"
        )
        turns.insert(0, Turn("user", (Text(OPENING),)))
    last = turns[-1]
    if last.role == "assistant":
        findings.note(
            "the last turn is the assistant's",
            "Anthropic's reply continues it, where OpenAI's comes after it",
        )
        if isinstance(last.parts[-1], Text):
            # Anthropic refuses white space at the end of what it is to continue.
            turns[-1] = Turn("assistant", (*last.parts[:-1], Text(last.parts[-1].text.rstrip())))
    return system, turns


def _message(turn: Turn, findings: Findings) -> Json:
    for part in turn.parts:
        if turn.role == "assistant" and isinstance(part, Image | File):
            findings.block("an image or file in an assistant's turn")
        if isinstance(part, Refusal):
            findings.note("a refusal in an earlier turn", "stands among the assistant's text")
    blocks = [_block(part, findings) for part in turn.parts]
    return {"role": turn.role, "content": blocks}


def _block(part: Part, findings: Findings) -> Json:
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text}
        case Image():
            return {"type": "image", "source": image_source(part, "an image", findings)}
        case File():
            title: Json = {"title": part.name} if part.name else {}
            return {"type": "document", "source": document_source(part), **title}
        case ToolCall():
            given = json_object(part.arguments)
            if given is None:
                findings.block(f"the arguments of the earlier call {part.id} (no JSON object)")
            return {"type": "tool_use", "id": to_messages(part.id), "name": part.name, "input": given}
        case ToolResult():
            return _result(part, findings)
        case Thinking():
            raise AssertionError("merged turns hold no thinking")


def _result(part: ToolResult, findings: Findings) -> Json:
    said = [inner for inner in part.parts if not isinstance(inner, Text) or inner.text.strip()]
    block: Json = {"type": "tool_result", "tool_use_id": to_messages(part.call_id)}
    if said:
        block["content"] = [_block(inner, findings) for inner in said]
    return block | ({"is_error": True} if part.is_error else {})


def _temperature(value: float | None, findings: Findings) -> float | None:
    if value is not None and value > TEMPERATURE_MAX:
        findings.note(f"temperature {value}", f"lowered to {TEMPERATURE_MAX}, the most that Anthropic takes")
        return TEMPERATURE_MAX
    return value


def _allowed(talk: Conversation) -> list[Tool]:
    """A narrowed choice is told by naming only the tools it allows."""
    allowed = talk.choice.allowed if talk.choice else ()
    return [tool for tool in talk.tools if not allowed or tool.name in allowed]


def _tool(tool: Tool) -> Json:
    schema = dict(tool.parameters)
    schema.setdefault("type", "object")
    described: Json = {"description": tool.description} if tool.description else {}
    return {
        "name": tool.name,
        **described,
        "input_schema": schema,
        **({"strict": True} if tool.strict else {}),
    }


def _choice(choice: Choice | None, *, parallel: bool | None) -> Json | None:
    if choice and choice.mode == "none":
        return {"type": "none"}
    if choice is None and parallel is None:
        return None
    kinds = {"auto": "auto", "required": "any", "tool": "tool"}
    out: Json = {"type": kinds[choice.mode] if choice else "auto"}
    if choice and choice.mode == "tool":
        out["name"] = choice.name
    if parallel is not None:
        out["disable_parallel_tool_use"] = not parallel
    return out


def _thinking(talk: Conversation, limit: int, target: Target, findings: Findings) -> Json:
    """An effort is a wish, so it gives way where Anthropic does not let it stand beside something firmer."""
    wanted = talk.settings.effort
    if not wanted or wanted in effort.NONE:
        return {}
    reason = _no_thinking(talk, target)
    if reason:
        findings.note(f"the effort {wanted}", reason)
        return {}
    if target.thinking == "adaptive":
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": wanted}}
    budget = effort.budget_tokens(wanted, limit)
    if budget is None:
        findings.note(
            f"the effort {wanted}", f"{limit} tokens of output leave no room for a budget of thinking"
        )
        return {}
    findings.note(
        f"the effort {wanted}", f"becomes a thinking budget of {budget} tokens, its share of the output"
    )
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _no_thinking(talk: Conversation, target: Target) -> str:
    settings = talk.settings
    if target.thinking == "none":
        return "the model takes no such setting"
    if talk.tools and talk.choice and talk.choice.mode in {"required", "tool"}:
        return "Anthropic does not think where a tool must be called"
    top_p = 1 if settings.top_p is None else settings.top_p
    if settings.temperature not in {None, 1} or top_p < _TOP_P_WITH_THINKING_MIN:
        return "Anthropic does not think with a temperature or top_p of the caller's"
    if talk.turns and talk.turns[-1].role == "assistant":
        return "Anthropic does not think where it continues a turn"
    if _between_call_and_answer(talk.turns):
        # The earlier turn would have to begin with its thoughts, signed by Anthropic.
        return "Anthropic does not begin to think between a call and its result"
    return ""


def _between_call_and_answer(turns: tuple[Turn, ...]) -> bool:
    for turn in reversed(turns):
        if turn.role == "assistant":
            return False
        if any(isinstance(part, ToolResult) for part in turn.parts):
            return True
    return False
