"""What writing for either of OpenAI's protocols has in common."""

import re

from airworthy.gateway.translate.conversation import Conversation, Format, Thinking, Tool, Turn
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.translate.schemas import fits_strict
from airworthy.gateway.translate.target import Target

Json = dict[str, object]
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_settings(talk: Conversation, target: Target, findings: Findings) -> None:
    settings = talk.settings
    for tool in talk.tools:
        check_tool_name(tool.name, _TOOL_NAME, findings)
    if settings.output_tokens_max == 0:
        findings.block("max_tokens 0 (a request that only fills a cache)")
    if settings.effort and target.thinking == "none":
        findings.note("the effort of thinking", "the model takes no such setting")
    if not talk.tools and (talk.choice or settings.parallel is not None):
        findings.note("tool_choice", "there are no tools to choose from")
    if talk.turns and talk.turns[-1].role == "assistant":
        findings.note(
            "the last turn is the assistant's",
            "the reply comes after it, where Anthropic's would continue it",
        )


def check_tool_name(name: str, fits: re.Pattern[str], findings: Findings) -> None:
    if not fits.fullmatch(name):
        findings.block(f"the tool name {name!r} (must match {fits.pattern})")


def strict_of(tool: Tool, findings: Findings) -> bool:
    """OpenAI refuses a strict tool whose schema leaves anything open; Anthropic allows optional parameters."""
    if tool.strict and not fits_strict(tool.parameters):
        findings.note(
            f"strict of the tool {tool.name}",
            "its schema leaves something open, which OpenAI's strict mode refuses",
        )
        return False
    return bool(tool.strict)


def thoughts_stay(turn: Turn, findings: Findings) -> None:
    if any(isinstance(part, Thinking) for part in turn.parts):
        findings.note(
            "earlier thinking", "it is signed or kept by the provider that had it, and no other takes it"
        )


def schema_fields(form: Format, findings: Findings) -> Json:
    """The fields of a JSON schema format, which chat puts into an object of its own and Responses beside the type."""
    out: Json = {"name": form.name or "reply", "schema": form.schema}
    if form.description:
        out["description"] = form.description
    if form.strict and not fits_strict(form.schema):
        findings.note(
            "strict of the format", "its schema leaves something open, which OpenAI's strict mode refuses"
        )
        out["strict"] = False
    elif form.strict is not None:
        out["strict"] = form.strict
    return out
