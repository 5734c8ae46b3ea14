"""Small readers of all three protocols, written apart from the translator so that both cannot be wrong alike."""

import json
from dataclasses import dataclass, field
from typing import Any

Words = tuple[Any, ...]


@dataclass
class Said:
    """A request: `turns` alternate; ids are numbered by their first appearance, since their spelling may change."""

    system: list[str] = field(default_factory=list)
    turns: list[tuple[str, list[Words]]] = field(default_factory=list)
    tools: list[tuple[str, str, Any]] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)

    def id(self, given: str) -> int:
        return self.ids.setdefault(given, len(self.ids))

    def add(self, role: str, *words: Words) -> None:
        kept = [entry for entry in words if entry[0] != "text" or entry[1].strip()]
        if not kept:
            return
        if self.turns and self.turns[-1][0] == role:
            self.turns[-1][1].extend(kept)
        else:
            self.turns.append((role, list(kept)))

    def done(self) -> "Said":
        rank = {"result": 0, "text": 1, "image": 1, "file": 1, "call": 2}
        self.turns = [(role, sorted(words, key=lambda entry: rank[entry[0]])) for role, words in self.turns]
        self.system = [text for text in self.system if text.strip()]
        return self


def arguments(text: str) -> Any:
    return json.loads(text) if text.strip() else {}


def said(protocol: str, body: dict[str, Any]) -> Said:
    out = {"chat": _chat, "responses": _responses, "messages": _messages}[protocol](body)
    return out.done()


def _openai_part(part: dict[str, Any]) -> Words:
    match part["type"]:
        case "text" | "input_text" | "output_text":
            return ("text", part["text"])
        case "refusal":
            return ("text", part["refusal"])
        case "image_url":
            return ("image", part["image_url"]["url"])
        case "input_image":
            return ("image", part["image_url"])
        case "file":
            data = part["file"]["file_data"]
            return ("file", data if data.startswith("data:") else f"data:application/pdf;base64,{data}")
        case "input_file":
            return ("file", part.get("file_data") or part["file_url"])
        case "thinking":
            return ("text", "")
        case kind:
            raise AssertionError(kind)


def _list(content: Any) -> list[Words]:
    if content is None:
        return []
    return [("text", content)] if isinstance(content, str) else [_openai_part(part) for part in content]


def _result(said: Said, call_id: str, content: list[Words]) -> Words:
    kept = [entry for entry in content if entry[0] != "text" or entry[1].strip()]
    failed = bool(kept) and kept[0][0] == "text" and kept[0][1].startswith("[error] ")
    if failed:
        kept[0] = ("text", kept[0][1][8:])
    return ("result", said.id(call_id), [entry for entry in kept if entry != ("text", "")], failed)


def _chat(body: dict[str, Any]) -> Said:
    out = Said()
    for message in body["messages"]:
        match message["role"]:
            case "system" | "developer":
                out.system += [text for _, text in _list(message["content"])]
            case "tool":
                out.add("user", _result(out, message["tool_call_id"], _list(message["content"])))
            case role:
                words = _list(message.get("content"))
                words += [("text", message["refusal"])] if message.get("refusal") else []
                for call in message.get("tool_calls") or ():
                    function = call["function"]
                    words.append(
                        ("call", out.id(call["id"]), function["name"], arguments(function["arguments"]))
                    )
                out.add(role, *words)
    for tool in body.get("tools") or ():
        function = tool["function"]
        out.tools.append(
            (function["name"], function.get("description") or "", _schema(function["parameters"]))
        )
    return out


def _responses(body: dict[str, Any]) -> Said:
    out = Said()
    out.system += [body["instructions"]] if body.get("instructions") else []
    items = body["input"]
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        match item.get("type", "message"):
            case "message" if item["role"] in {"system", "developer"}:
                out.system += [text for _, text in _list(item["content"])]
            case "message":
                out.add(item["role"], *_list(item["content"]))
            case "function_call":
                given = arguments(item["arguments"])
                out.add("assistant", ("call", out.id(item["call_id"]), item["name"], given))
            case "function_call_output":
                out.add("user", _result(out, item["call_id"], _list(item["output"])))
            case "reasoning":
                pass
            case kind:
                raise AssertionError(kind)
    for tool in body.get("tools") or ():
        out.tools.append((tool["name"], tool.get("description") or "", _schema(tool["parameters"])))
    return out


def _messages(body: dict[str, Any]) -> Said:
    out = Said()
    system = body.get("system") or []
    out.system = [system] if isinstance(system, str) else [block["text"] for block in system]
    for message in body["messages"]:
        if message["role"] == "system":
            out.system += [text for _, text in _blocks(out, message["content"])]
        else:
            out.add(message["role"], *_blocks(out, message["content"]))
    for tool in body.get("tools") or ():
        out.tools.append((tool["name"], tool.get("description") or "", _schema(tool["input_schema"])))
    return out


def _schema(schema: Any) -> Any:
    """A tool without parameters is written in several ways."""
    empty = not schema or schema == {"type": "object"}
    return {"type": "object", "properties": {}} if empty else {"type": "object", **schema}


def _blocks(said: Said, content: Any) -> list[Words]:
    if isinstance(content, str):
        return [("text", content)]
    out: list[Words] = []
    for block in content or ():
        match block["type"]:
            case "text":
                out.append(("text", block["text"]))
            case "image":
                out.append(("image", _source(block["source"])))
            case "document":
                out.append(("file", _source(block["source"])))
            case "tool_use":
                out.append(("call", said.id(block["id"]), block["name"], block["input"]))
            case "tool_result":
                inner = _blocks(said, block.get("content"))
                kept = [entry for entry in inner if entry[0] != "text" or entry[1].strip()]
                out.append(("result", said.id(block["tool_use_id"]), kept, block.get("is_error") is True))
            case "thinking" | "redacted_thinking":
                pass
            case kind:
                raise AssertionError(kind)
    return out


def _source(source: dict[str, Any]) -> str:
    if source["type"] == "url":
        return str(source["url"])
    return f"data:{source['media_type']};base64,{source['data']}"


@dataclass
class Heard:
    """A reply, whole or streamed."""

    text: str = ""
    refusal: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    tokens: tuple[int, int, int] | None = None
    """In (with all that the cache had part in), out, read from the cache."""
    finish: str = ""
    model: str = ""
    error: str = ""


def heard(protocol: str, reply: dict[str, Any]) -> Heard:
    match protocol:
        case "chat":
            choice = reply["choices"][0]
            message = choice["message"]
            out = Heard(_plain(message.get("content")), message.get("refusal") or "", model=reply["model"])
            for call in message.get("tool_calls") or ():
                out.calls.append((call["function"]["name"], arguments(call["function"]["arguments"])))
            out.finish = choice["finish_reason"]
        case "messages":
            out = Heard(model=reply["model"], finish=reply["stop_reason"])
            for block in reply["content"]:
                out.text += block["text"] if block["type"] == "text" else ""
                out.calls += [(block["name"], block["input"])] if block["type"] == "tool_use" else []
        case _:
            out = Heard(model=reply["model"], finish=reply["status"])
            for item in reply["output"]:
                for part in item["content"] if item["type"] == "message" else ():
                    out.text += part.get("text", "")
                    out.refusal += part.get("refusal", "")
                if item["type"] == "function_call":
                    out.calls.append((item["name"], arguments(item["arguments"])))
    out.tokens = tokens(protocol, reply.get("usage"))
    return out


def _plain(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def tokens(protocol: str, usage: dict[str, Any] | None) -> tuple[int, int, int] | None:
    if not usage:
        return None
    match protocol:
        case "chat":
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            return (usage["prompt_tokens"], usage["completion_tokens"], cached)
        case "responses":
            cached = (usage.get("input_tokens_details") or {}).get("cached_tokens") or 0
            return (usage["input_tokens"], usage["output_tokens"], cached)
        case _:
            read = usage.get("cache_read_input_tokens") or 0
            written = usage.get("cache_creation_input_tokens") or 0
            return (usage["input_tokens"] + read + written, usage["output_tokens"], read)
