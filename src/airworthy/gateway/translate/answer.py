"""One reply as a neutral value, between the protocols; and the format's tool call turned into text again."""

from dataclasses import dataclass, replace

from airworthy.gateway.translate.conversation import Refusal, Text, ToolCall
from airworthy.gateway.translate.findings import Findings
from airworthy.gateway.wire.facts import UNKNOWN, Finish, Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """`model` and `id` are the provider's own words. `created_s` 0: it did not say when."""

    parts: tuple[Text | Refusal | ToolCall, ...]
    finish: Finish
    usage: Usage = UNKNOWN
    id: str = ""
    model: str = ""
    created_s: int = 0

    @property
    def text(self) -> str:
        # Providers cut one text into several where a citation begins, within a sentence; nothing belongs between.
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def refusal(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Refusal))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


def unwrapped(answer: Answer, format_tool: str, findings: Findings) -> Answer:
    """The format's call as the text of the answer."""
    if not format_tool or not any(call.name == format_tool for call in answer.calls):
        return answer
    if answer.text:
        findings.note("text beside the formatted answer", "the format leaves no place for it")
    parts = tuple(
        Text(part.arguments) if isinstance(part, ToolCall) and part.name == format_tool else part
        for part in answer.parts
        if not isinstance(part, Text)
    )
    done = replace(answer, parts=parts)
    return replace(done, finish="stop") if answer.finish == "tool_calls" and not done.calls else done
