"""A Responses request read as the chat request that says the same."""

from airworthy.gateway.simulator.conversation import BadRequest, Json, as_dict, as_list, as_text, content_text

_ROLES = {"user", "assistant", "system", "developer"}
# What a model thought or a host's own tool did; the simulated model takes no notice of it.
_IGNORED = {"reasoning", "web_search_call", "file_search_call", "code_interpreter_call", "computer_call"}


def as_chat(request: dict[str, Json], earlier: list[Json], said: list[Json]) -> dict[str, Json]:
    """`earlier` is the chat of the response it goes on from, `said` the chat of its own input."""
    instructions = as_text(request.get("instructions"))
    system: list[Json] = [{"role": "system", "content": instructions}] if instructions else []
    chat: dict[str, Json] = {"model": request.get("model"), "messages": [*system, *earlier, *said]}
    tools = [
        _tool(tool) for tool in map(as_dict, as_list(request.get("tools"))) if tool.get("type") == "function"
    ]
    if tools:
        chat["tools"] = [*tools]
    choice = request.get("tool_choice")
    if as_dict(choice).get("type") == "function":
        chat["tool_choice"] = {"type": "function", "function": {"name": as_dict(choice).get("name")}}
    elif isinstance(choice, str):
        chat["tool_choice"] = choice
    if "parallel_tool_calls" in request:
        chat["parallel_tool_calls"] = request["parallel_tool_calls"]
    return chat | _form(as_dict(as_dict(request.get("text")).get("format")))


def messages(given: Json) -> list[Json]:
    """The chat of an `input`. Raises: BadRequest."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise BadRequest(
            "Missing required parameter: 'input'.", param="input", wire="missing_required_parameter"
        )
    made: list[Json] = []
    for index, item in enumerate(map(as_dict, given)):
        _add(made, index, item)
    return made


def _add(made: list[Json], index: int, item: dict[str, Json]) -> None:
    kind = as_text(item.get("type")) or "message"
    if kind == "message" and item.get("role") in _ROLES:
        made.append({"role": item["role"], "content": _words(item.get("content"))})
    elif kind == "function_call":
        function: Json = {"name": item.get("name"), "arguments": item.get("arguments")}
        call: Json = {"id": item.get("call_id"), "type": "function", "function": function}
        last = as_dict(made[-1]) if made else {}
        # Chat has one message for what the model said and called in a turn; here each is an item of its own.
        if last.get("role") == "assistant":
            made[-1] = last | {"tool_calls": [*as_list(last.get("tool_calls")), call]}
        else:
            made.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind == "function_call_output":
        output = item.get("output")
        text = output if isinstance(output, str) else content_text(output)
        made.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": text})
    elif kind not in _IGNORED:
        raise BadRequest(
            f"Invalid value for 'input[{index}]': the simulator reads messages, function_call and"
            " function_call_output.",
            param=f"input[{index}]",
            wire="invalid_value",
        )


def _words(content: Json) -> str:
    if isinstance(content, str):
        return content
    parts = [as_dict(part) for part in as_list(content)]
    return "\n".join(
        as_text(part.get("text", part.get("refusal")))
        for part in parts
        if "image" not in str(part.get("type"))
    )


def _tool(tool: dict[str, Json]) -> dict[str, Json]:
    named = ("name", "description", "parameters", "strict")
    return {
        "type": "function",
        "function": {name: tool[name] for name in named if tool.get(name) is not None},
    }


def _form(wanted: dict[str, Json]) -> dict[str, Json]:
    match wanted.get("type"):
        case "json_schema":
            schema = {name: value for name, value in wanted.items() if name != "type"}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case _:
            return {}
