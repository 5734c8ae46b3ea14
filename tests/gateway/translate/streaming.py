"""Readers of streams that hold each protocol to its order of events; written apart from the translator."""

import json
from typing import Any

from tests.gateway.translate.reading import Heard, arguments, heard, tokens


def sse(raw: bytes) -> list[tuple[str, Any]]:
    """Name and data of each event; `[DONE]` stays text. A recording may be cut within an event, and ends there."""
    out: list[tuple[str, Any]] = []
    for block in raw.decode().replace("\r\n", "\n").split("\n\n"):
        fields = [line.partition(":") for line in block.split("\n") if line and not line.startswith(":")]
        data = "\n".join(value.removeprefix(" ") for key, _, value in fields if key == "data")
        name = next((value.strip() for key, _, value in fields if key == "event"), "")
        if data.endswith("…[cut]"):
            return out
        if data:
            out.append((name, data if data == "[DONE]" else json.loads(data)))
    return out


def listened(protocol: str, raw: bytes) -> Heard:
    """What the stream said. AssertionError: its events are not in the protocol's order."""
    return {"chat": _chat, "messages": _messages, "responses": _responses}[protocol](sse(raw))


def _chat(events: list[tuple[str, Any]]) -> Heard:
    out = Heard()
    calls: list[list[str]] = []
    assert all(name == "" for name, _ in events)
    if events and events[-1][1] != "[DONE]":
        out.error = events.pop()[1]["error"]["message"]
    else:
        assert events.pop()[1] == "[DONE]"
        assert out.error == ""
    for i, (_, chunk) in enumerate(events):
        assert chunk["object"] == "chat.completion.chunk"
        assert isinstance(chunk["created"], int)
        assert chunk["id"] == events[0][1]["id"]
        if chunk.get("usage"):
            assert chunk["choices"] == []
            assert i == len(events) - 1
            out.tokens = tokens("chat", chunk["usage"])
            continue
        (choice,) = chunk["choices"]
        delta = choice["delta"]
        assert (delta.get("role") == "assistant") == (i == 0)
        assert not out.finish
        out.text += delta.get("content") or ""
        out.refusal += delta.get("refusal") or ""
        for part in delta.get("tool_calls") or ():
            if part["index"] == len(calls):
                assert part["id"]
                assert part["type"] == "function"
                calls.append([part["function"]["name"], ""])
            assert part["index"] < len(calls)
            calls[part["index"]][1] += part["function"]["arguments"]
        out.finish = choice["finish_reason"] or ""
        out.model = chunk["model"]
    assert bool(out.finish) != bool(out.error)
    out.calls = [(name, text if out.error else arguments(text)) for name, text in calls]
    return out


def _messages(events: list[tuple[str, Any]]) -> Heard:
    out = Heard()
    open_block: dict[str, Any] | None = None
    text, index, stopped = "", -1, False
    if events[-1][0] == "error":
        out.error = events.pop()[1]["error"]["message"]
    for i, (name, event) in enumerate(events):
        assert name == event["type"]
        assert (name == "message_start") == (i == 0)
        assert not stopped
        match name:
            case "message_start":
                assert event["message"]["content"] == []
                out.model = event["message"]["model"]
            case "content_block_start":
                assert open_block is None
                assert not out.finish
                index += 1
                assert event["index"] == index
                open_block, text = event["content_block"], ""
            case "content_block_delta":
                assert open_block is not None
                assert event["index"] == index
                kinds = {"text": "text_delta", "tool_use": "input_json_delta"}
                assert event["delta"]["type"] == kinds[open_block["type"]]
                text += event["delta"].get("text", "") + event["delta"].get("partial_json", "")
            case "content_block_stop":
                assert open_block is not None
                assert event["index"] == index
                if open_block["type"] == "text":
                    out.text += text
                else:
                    assert open_block["input"] == {}
                    out.calls.append((open_block["name"], arguments(text)))
                open_block = None
            case "message_delta":
                assert open_block is None
                out.finish = event["delta"]["stop_reason"]
                out.tokens = tokens("messages", event["usage"])
            case "message_stop":
                assert out.finish
                stopped = True
            case "ping":
                pass
            case _:
                raise AssertionError(name)
    assert stopped != bool(out.error)
    return out


def _responses(events: list[tuple[str, Any]]) -> Heard:
    items: dict[int, dict[str, Any]] = {}
    done: dict[int, dict[str, Any]] = {}
    pieces: dict[tuple[str, int], str] = {}
    assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
    assert [name for name, _ in events[:2]] == ["response.created", "response.in_progress"]
    assert all(name == event["type"] for name, event in events)
    for name, event in events[2:-1]:
        item_id = event.get("item_id", "")
        place = (item_id, event.get("content_index", -1))
        if item_id:
            assert items[event["output_index"]]["id"] == item_id
            assert event["output_index"] not in done
        match name:
            case "response.output_item.added":
                assert event["output_index"] == len(items)
                assert event["item"]["status"] == "in_progress"
                items[event["output_index"]] = event["item"]
            case "response.content_part.added":
                assert place not in pieces
                pieces[place] = ""
            case "response.output_text.delta" | "response.refusal.delta":
                pieces[place] += event["delta"]
            case "response.output_text.done" | "response.refusal.done":
                assert pieces[place] == event.get("text", event.get("refusal"))
            case "response.content_part.done":
                assert pieces[place] == event["part"].get("text", event["part"].get("refusal"))
            case "response.function_call_arguments.delta":
                pieces[place] = pieces.get(place, "") + event["delta"]
            case "response.function_call_arguments.done":
                assert pieces.get(place, "") == event["arguments"]
            case "response.output_item.done":
                item = done[event["output_index"]] = event["item"]
                assert item["id"] == items[event["output_index"]]["id"]
                for i, part in enumerate(item.get("content", ())):
                    assert pieces[item["id"], i] == part.get("text", part.get("refusal"))
            case _:
                raise AssertionError(name)
    name, last = events[-1]
    response = last["response"]
    assert name == f"response.{response['status']}"
    if name == "response.failed":
        return Heard(error=response["error"]["message"], model=response["model"])
    assert response["output"] == [done[i] for i in range(len(done))]
    assert len(done) == len(items)
    return heard("responses", response)
