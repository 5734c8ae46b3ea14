"""Structured output where a protocol has none that all its models know: a tool that the model must answer by.

The tool's input is the answer; the way back turns the call into text again.
"""

import re
from dataclasses import replace

from airworthy.gateway.translate.conversation import Choice, Conversation, Format, Tool
from airworthy.gateway.translate.findings import Findings

_ALONE = "Answer by calling this tool. Its input is the whole answer."
_BESIDE_OTHERS = "Give the final answer by calling this tool. Its input is the whole answer."
_ANY_OBJECT = {"type": "object", "additionalProperties": True}


def with_format_tool(talk: Conversation, findings: Findings) -> tuple[Conversation, str]:
    """The conversation with the tool in place of the format, and the tool's name; empty: there is no format."""
    form = talk.format
    if form is None:
        return talk, ""
    if form.schema is not None and form.schema.get("type") != "object":
        findings.block("a JSON schema whose root is not of type object")
    if talk.choice and talk.choice.mode in {"required", "tool"} and talk.tools:
        findings.note(
            "the format of the answer", "a tool must be called, so there is no text for it to hold for"
        )
        return replace(talk, format=None), ""
    free = bool(talk.tools) and not (talk.choice and talk.choice.mode == "none")
    tool = Tool(
        name=_free_name(form, talk.tools),
        description=" ".join(filter(None, (form.description, _BESIDE_OTHERS if free else _ALONE))),
        parameters=form.schema if form.schema is not None else _ANY_OBJECT,
        strict=bool(form.strict),
    )
    findings.note(
        "the format of the answer", f"held to by the tool {tool.name}, whose call is turned into text again"
    )
    if free:
        allowed = (*talk.choice.allowed, tool.name) if talk.choice and talk.choice.allowed else ()
        choice = Choice("required", allowed=allowed)
    else:
        choice = Choice("tool", tool.name)
    settings = talk.settings if free else replace(talk.settings, parallel=False)
    return replace(talk, tools=(*talk.tools, tool), choice=choice, format=None, settings=settings), tool.name


def _free_name(form: Format, tools: tuple[Tool, ...]) -> str:
    taken = {tool.name for tool in tools}
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", form.name)[:64] or "json_reply"
    for i in range(len(taken) + 1):
        candidate = f"{name[:60]}_{i + 1}" if i else name
        if candidate not in taken:
            return candidate
    raise AssertionError("there are more names than tools")
