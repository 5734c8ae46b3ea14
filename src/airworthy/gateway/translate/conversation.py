"""One conversation as a neutral value, between the protocols; knows none of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

DialectName = Literal["chat", "responses", "messages"]
Role = Literal["system", "developer", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The assistant's words in which it declined; two of the protocols keep them apart from its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """Thoughts are signed or kept by the provider that had them, so they never travel; they are read to be told of."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """Either `url`, or `data` (base64) with its `media_type`. `detail` empty: not said."""

    url: str = ""
    media_type: str = ""
    data: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A PDF: either `url`, or `data` (base64)."""

    name: str = ""
    url: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is JSON text, verbatim, so that no digit of a number is lost on the way."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    call_id: str
    parts: tuple[Text | Image | File, ...]
    is_error: bool = False


Part = Text | Refusal | Thinking | Image | File | ToolCall | ToolResult


@dataclass(frozen=True, slots=True)
class Turn:
    """Results of tools are parts of a user's turn, whatever role the protocol gives them."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is a JSON schema; with `strict` the provider must hold the model to it."""

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """`name` with mode `tool`; `allowed` narrows `auto` and `required` to some of the tools."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str = ""
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """What the text of the answer must be. `schema` None: any JSON object."""

    schema: Mapping[str, object] | None = None
    name: str = ""
    description: str = ""
    strict: bool | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """None or empty: the caller left it open. `family` is what both of OpenAI's protocols share word for word."""

    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    output_tokens_max: int | None = None
    effort: str = ""
    verbosity: str = ""
    user: str = ""
    parallel: bool | None = None
    stream: bool = False
    family: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conversation:
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    choice: Choice | None = None
    format: Format | None = None
    settings: Settings = field(default_factory=Settings)


def merged(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The turns as a strict alternation, as Anthropic wants them: instructions first, nothing empty.

    Results come before all else in a user's turn, and calls after all else in the assistant's: their order among
    themselves stays.
    """
    instructions = tuple(
        part for turn in turns if turn.role in {"system", "developer"} for part in turn.parts
    )
    out: list[Turn] = [Turn("system", _spoken(instructions))] if _spoken(instructions) else []
    for turn in turns:
        parts = _spoken(turn.parts)
        if turn.role in {"system", "developer"} or not parts:
            continue
        if out and out[-1].role == turn.role:
            out[-1] = replace(out[-1], parts=out[-1].parts + parts)
        else:
            out.append(Turn(turn.role, parts))
    return tuple(replace(turn, parts=_ordered(turn)) for turn in out)


def _spoken(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(
        part
        for part in parts
        if not isinstance(part, Thinking) and not (isinstance(part, Text | Refusal) and not part.text.strip())
    )


def _ordered(turn: Turn) -> tuple[Part, ...]:
    if turn.role == "user":
        return tuple(sorted(turn.parts, key=lambda part: not isinstance(part, ToolResult)))
    return tuple(sorted(turn.parts, key=lambda part: isinstance(part, ToolCall)))
