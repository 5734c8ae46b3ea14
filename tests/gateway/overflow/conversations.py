"""Conversations in every dialect, and what makes one valid: written apart from the code that shortens them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hypothesis import strategies as st

KEY = {"chat": "messages", "messages": "messages", "responses": "input"}
DIALECTS = tuple(KEY)
Message = dict[str, Any]
WORDS = "lorem ipsum dolor sit amet "


@dataclass(frozen=True)
class Step:
    """A model's message: `calls` with the length of each result; without any, it only says something."""

    calls: tuple[int, ...] = ()
    says: int = 5


@dataclass(frozen=True)
class Turn:
    says: int
    steps: tuple[Step, ...] = ()
    image: bool = False


lengths = st.integers(1, 400)
steps = st.builds(Step, st.lists(lengths, max_size=3).map(tuple), lengths)
turns = st.builds(Turn, lengths, st.lists(steps, max_size=4).map(tuple), st.booleans())
conversations = st.lists(turns, min_size=1, max_size=6)


def body_of(
    dialect: str, said: Sequence[Turn], *, open_end: bool = True, same_ids: bool = False
) -> dict[str, Any]:
    """`open_end`: the last step of the last turn is cut to what a caller sends, which ends with results or a user."""
    writer = _WRITERS[dialect]
    messages: list[Message] = []
    for at, turn in enumerate(said):
        messages.append(_user(dialect, f"question {at}. {WORDS * turn.says}", image=turn.image))
        # Only the last message of a turn calls nothing.
        made = [*(step for step in turn.steps[:-1] if step.calls), *turn.steps[-1:]]
        for number, step in enumerate(made):
            ids = [
                f"call_{count if same_ids else f'{at}_{number}_{count}'}" for count in range(len(step.calls))
            ]
            messages += writer(step, ids)
        if (at < len(said) - 1 or not open_end) and (not turn.steps or turn.steps[-1].calls):
            messages += writer(Step(), [])
    if dialect == "messages":
        return {"model": "m", "max_tokens": 10, "system": "Be kind.", "messages": messages}
    if dialect == "responses":
        return {"model": "m", "instructions": "Be kind.", "input": [_system("developer"), *messages]}
    return {"model": "m", "messages": [_system("system"), *messages[:2], _system("developer"), *messages[2:]]}


def _system(role: str) -> Message:
    return {"role": role, "content": f"The {role} says: be kind."}


def _user(dialect: str, text: str, *, image: bool) -> Message:
    if not image:
        return {"role": "user", "content": text}
    url = "https://pictures.example/1.png"
    blocks: dict[str, dict[str, Any]] = {
        "chat": {"type": "image_url", "image_url": {"url": url}},
        "messages": {"type": "image", "source": {"type": "url", "url": url}},
        "responses": {"type": "input_image", "image_url": url},
    }
    kind = "input_text" if dialect == "responses" else "text"
    return {"role": "user", "content": [{"type": kind, "text": text}, blocks[dialect]]}


def _chat(step: Step, ids: Sequence[str]) -> list[Message]:
    said: Message = {"role": "assistant", "content": WORDS * step.says}
    if ids:
        said["tool_calls"] = [
            {"id": id_, "type": "function", "function": {"name": "look", "arguments": "{}"}} for id_ in ids
        ]
    results = zip(ids, step.calls, strict=True)
    return [said, *({"role": "tool", "tool_call_id": id_, "content": WORDS * size} for id_, size in results)]


def _messages(step: Step, ids: Sequence[str]) -> list[Message]:
    calls = [{"type": "tool_use", "id": id_, "name": "look", "input": {}} for id_ in ids]
    said = {"role": "assistant", "content": [{"type": "text", "text": WORDS * step.says}, *calls]}
    if not ids:
        return [said]
    results = [
        {"type": "tool_result", "tool_use_id": id_, "content": WORDS * size}
        for id_, size in zip(ids, step.calls, strict=True)
    ]
    return [said, {"role": "user", "content": results}]


def _responses(step: Step, ids: Sequence[str]) -> list[Message]:
    if not ids:
        return [{"type": "message", "role": "assistant", "content": WORDS * step.says}]
    thought = {"type": "reasoning", "summary": [], "id": f"rs_{ids[0]}"}
    calls = [{"type": "function_call", "call_id": id_, "name": "look", "arguments": "{}"} for id_ in ids]
    results = [
        {"type": "function_call_output", "call_id": id_, "output": WORDS * size}
        for id_, size in zip(ids, step.calls, strict=True)
    ]
    return [thought, *calls, *results]


_WRITERS = {"chat": _chat, "messages": _messages, "responses": _responses}


def flaws(dialect: str, body: Mapping[str, Any]) -> list[str]:
    """What a provider would refuse."""
    messages = [each for each in body[KEY[dialect]] if each.get("role") not in ("system", "developer")]
    found = []
    if not messages or messages[0].get("role") != "user" or _answered(messages[0]):
        found.append("does not begin with a user's own message")
    waiting: list[str] = []
    for before, message in zip([{}, *messages], messages, strict=False):
        answered = _answered(message)
        if waiting and not answered and not (dialect == "responses" and _called(message)):
            found.append(f"{waiting} are not answered before {message}")
            waiting = []
        for id_ in answered:
            if id_ not in waiting:
                found.append(f"a result without its call: {id_}")
            else:
                waiting.remove(id_)
        waiting += _called(message)
        if dialect == "messages" and before.get("role") == message["role"]:
            found.append("two messages of one role")
    return [*found, *(f"{id_} is not answered" for id_ in waiting)]


def _answered(message: Message) -> list[str]:
    if message.get("role") == "tool":
        return [message["tool_call_id"]]
    if message.get("type") == "function_call_output":
        return [message["call_id"]]
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]


def _called(message: Message) -> list[str]:
    if message.get("type") == "function_call":
        return [message["call_id"]]
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return [
        *(call["id"] for call in message.get("tool_calls", [])),
        *(block["id"] for block in blocks if block["type"] == "tool_use"),
    ]


def by_letters(raw: bytes) -> int:
    return len(raw) // 4


def dumped(body: Mapping[str, Any]) -> bytes:
    return orjson.dumps(body)
