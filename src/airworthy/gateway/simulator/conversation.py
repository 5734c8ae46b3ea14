"""A chat-completions request as a value: who said what, which tools are offered, what their results were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import orjson

from airworthy.core.errors import AirworthyError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

BYTES_PER_TOKEN = 4
CACHE_TOKENS_MIN = 1024
CACHE_BLOCK_TOKENS = 128
FINAL_TOOLS = ("final_answer", "final_result")
_ROLES = {"system", "developer", "user", "assistant", "tool"}


class BadRequest(AirworthyError):
    """The request is not one the protocol allows; becomes an HTTP error in the shape of its provider."""

    code = "bad_request"

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, wire: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.wire_code = wire


class OverWindow(BadRequest):
    """The conversation is longer than its model can read."""

    def __init__(self, window: int, tokens: int) -> None:
        super().__init__(
            f"This model's maximum context length is {window} tokens."
            f" However, your messages resulted in {tokens} tokens.",
            param="messages",
            wire="context_length_exceeded",
        )
        self.window = window
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    description: str
    parameters: dict[str, Json]

    @property
    def is_final(self) -> bool:
        """Frameworks offer the typed final answer as a tool of such a name."""
        return self.name.startswith(FINAL_TOOLS)


@dataclass(frozen=True)
class ToolUse:
    """One tool call of the model and, once it came, its result. `turn` counts the user messages before it."""

    name: str
    arguments: str
    turn: int
    result: str | None = None

    @cached_property
    def value(self) -> Json:
        """The result as JSON; a result that is not JSON is None here and stays readable in `result`."""
        return _loads(self.result) if self.result is not None else None


@dataclass(frozen=True, slots=True)
class AnswerForm:
    """The structured answer that `response_format` asks for."""

    schema: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Conversation:
    """`arrived` are the results that came in since the model last spoke; `choice` is OpenAI's `tool_choice`:
    "auto", "none", "required", or the name of the one tool that must be called, with a leading `=`."""

    model: str
    system: str
    users: tuple[str, ...]
    uses: tuple[ToolUse, ...]
    arrived: tuple[ToolUse, ...]
    tools: tuple[Tool, ...]
    choice: str
    parallel: bool
    form: AnswerForm | None
    tokens_max: int | None
    prompt_tokens: int
    cached_tokens: int

    @property
    def user(self) -> str:
        return self.users[-1] if self.users else ""

    @property
    def fresh(self) -> tuple[ToolUse, ...]:
        """The tool uses since the last user message."""
        return tuple(use for use in self.uses if use.turn == len(self.users))

    def tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    @property
    def final_tool(self) -> Tool | None:
        return next((tool for tool in self.tools if tool.is_final), None)


def as_dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def as_text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def tokens(size_bytes: int) -> int:
    return -(-size_bytes // BYTES_PER_TOKEN)


def parse(body: Mapping[str, Json]) -> Conversation:
    """Raises: BadRequest, worded for the developer of the agent under test."""
    messages = _messages(body)
    _check_options(body)
    system, users, uses, arrived = _read(messages)
    prompt, cached = _sizes(messages, as_list(body.get("tools")))
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    return Conversation(
        model=as_text(body.get("model")),
        system=system,
        users=users,
        uses=uses,
        arrived=arrived,
        tools=_tools(as_list(body.get("tools"))),
        choice=_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        form=_form(as_dict(body.get("response_format"))),
        tokens_max=limit if isinstance(limit, int) and limit > 0 else None,
        prompt_tokens=prompt,
        cached_tokens=cached,
    )


def content_text(content: Json) -> str:
    """Content is a text or a list of parts; parts that are not text are left out."""
    if isinstance(content, list):
        return "\n".join(as_text(as_dict(part).get("text")) for part in content)
    return as_text(content)


def _messages(body: Mapping[str, Json]) -> list[dict[str, Json]]:
    raw = body.get("messages")
    if not isinstance(raw, list) or not raw:
        raise BadRequest(
            "Missing required parameter: 'messages'.", param="messages", wire="missing_required_parameter"
        )
    for index, message in enumerate(raw):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise BadRequest(
                f"Invalid value for 'messages[{index}].role'; supported are {', '.join(sorted(_ROLES))}.",
                param=f"messages[{index}].role",
                wire="invalid_value",
            )
    return [as_dict(message) for message in raw]


def _check_options(body: Mapping[str, Json]) -> None:
    if body.get("n") not in (None, 1):
        raise BadRequest(
            "The simulator writes one choice; 'n' must be 1.", param="n", wire="unsupported_value"
        )


def _read(
    messages: Sequence[dict[str, Json]],
) -> tuple[str, tuple[str, ...], tuple[ToolUse, ...], tuple[ToolUse, ...]]:
    """System text, user texts, tool uses, and those of them whose results came after the model last spoke."""
    system: list[str] = []
    users: list[str] = []
    uses: list[ToolUse] = []
    open_calls: dict[str, int] = {}
    arrived: list[int] = []
    for index, message in enumerate(messages):
        text = content_text(message.get("content"))
        role = message["role"]
        if role == "tool":
            call_id = as_text(message.get("tool_call_id"))
            if call_id not in open_calls:
                raise BadRequest(
                    f"'messages[{index}]' has role 'tool' but answers no tool call of the message before it.",
                    param=f"messages[{index}].role",
                )
            position = open_calls.pop(call_id)
            use = uses[position]
            uses[position] = ToolUse(use.name, use.arguments, use.turn, text)
            arrived.append(position)
            continue
        if open_calls:
            raise BadRequest(
                f"'messages[{index}]' comes before the results of {', '.join(sorted(open_calls))}.",
                param=f"messages[{index}].role",
            )
        if role == "user":
            users.append(text)
        elif role == "assistant":
            arrived = []
            for call in as_list(message.get("tool_calls")):
                function = as_dict(as_dict(call).get("function"))
                open_calls[as_text(as_dict(call).get("id"))] = len(uses)
                uses.append(
                    ToolUse(as_text(function.get("name")), as_text(function.get("arguments")), len(users))
                )
        else:
            system.append(text)
    if open_calls:
        raise BadRequest(f"The tool calls {', '.join(sorted(open_calls))} have no result.", param="messages")
    return "\n".join(system), tuple(users), tuple(uses), tuple(uses[position] for position in arrived)


def _sizes(messages: list[dict[str, Json]], tools: list[Json]) -> tuple[int, int]:
    """Tokens of the prompt, and of the part that an earlier call of this conversation has already sent."""
    size = len(orjson.dumps(messages)) + (len(orjson.dumps(tools)) if tools else 0)
    prompt = tokens(size)
    if prompt < CACHE_TOKENS_MIN:
        return prompt, 0
    spoken = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    if not spoken:
        return prompt, 0
    seen = prompt - tokens(len(orjson.dumps(messages[spoken[-1] :])))
    return prompt, seen // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS if seen >= CACHE_TOKENS_MIN else 0


def _tools(raw: list[Json]) -> tuple[Tool, ...]:
    tools = []
    for index, entry in enumerate(raw):
        function = as_dict(as_dict(entry).get("function"))
        name = as_text(function.get("name"))
        if not name:
            raise BadRequest(
                f"Missing required parameter: 'tools[{index}].function.name'.",
                param=f"tools[{index}].function.name",
                wire="missing_required_parameter",
            )
        tools.append(Tool(name, as_text(function.get("description")), as_dict(function.get("parameters"))))
    return tuple(tools)


def _choice(raw: Json) -> str:
    name = as_text(as_dict(as_dict(raw).get("function")).get("name"))
    return f"={name}" if name else as_text(raw) or "auto"


def _form(raw: dict[str, Json]) -> AnswerForm | None:
    match raw.get("type"):
        case "json_schema":
            return AnswerForm(as_dict(as_dict(raw.get("json_schema")).get("schema")))
        case "json_object":
            return AnswerForm(
                {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
            )
        case _:
            return None


def _loads(text: str) -> Json:
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value
