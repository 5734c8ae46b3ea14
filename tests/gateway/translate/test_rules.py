"""Each rule for requests, alone: what goes in, what comes out, and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from airworthy.gateway.translate import Target, Translated, Untranslatable, translate_request
from airworthy.gateway.translate.conversation import DialectName
from airworthy.gateway.translate.fields import DROPPED, FAMILY, WITHOUT_EFFECT

TARGET = Target("other-model", 10_000)
USER = {"role": "user", "content": "Hello"}
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
BARE: dict[DialectName, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [USER]},
    "responses": {"model": "m", "input": "Hello"},
    "messages": {"model": "m", "messages": [USER], "max_tokens": 5000},
}
TOOL: dict[DialectName, dict[str, Any]] = {
    "chat": {"type": "function", "function": {"name": "look", "parameters": SCHEMA, "strict": True}},
    "responses": {"type": "function", "name": "look", "parameters": SCHEMA, "strict": True},
    "messages": {"name": "look", "input_schema": SCHEMA, "strict": True},
}


def over(
    source: DialectName, to: DialectName, fields: dict[str, Any], target: Target = TARGET
) -> tuple[dict[str, Any], Translated]:
    done = translate_request(BARE[source] | fields, source, to, target=target)
    return json.loads(done.body), done


def refused(source: DialectName, to: DialectName, fields: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(Untranslatable) as caught:
        translate_request(BARE[source] | fields, source, to, target=TARGET)
    return caught.value.parts


CARRIED: list[tuple[DialectName, DialectName, dict[str, Any], dict[str, Any], str]] = [
    # source, to, fields in, fields out, why
    ("chat", "messages", {"stop": "END"}, {"stop_sequences": ["END"]}, "one stop may be bare text"),
    ("messages", "chat", {"stop_sequences": ["A", "B"]}, {"stop": ["A", "B"]}, "both know stops"),
    ("chat", "messages", {"temperature": 0}, {"temperature": 0}, "zero is a value"),
    ("chat", "messages", {"temperature": 1.4}, {"temperature": 1}, "Anthropic takes at most 1"),
    ("chat", "messages", {"max_tokens": 7}, {"max_tokens": 7}, "the old name of the bound"),
    ("chat", "messages", {}, {"max_tokens": 10_000}, "Anthropic demands a bound, so the most is given"),
    (
        "chat",
        "messages",
        {"max_completion_tokens": 99_999},
        {"max_tokens": 10_000},
        "the caller's is lowered",
    ),
    ("messages", "chat", {}, {"max_completion_tokens": 5000}, "the new name of the bound"),
    ("chat", "messages", {"user": "u1"}, {"metadata": {"user_id": "u1"}}, "both say for whom"),
    ("messages", "chat", {"metadata": {"user_id": "u1"}}, {"user": "u1"}, "both say for whom"),
    (
        "chat",
        "responses",
        {"user": "u1"},
        {"user": "u1", "store": False},
        "here all is stored unless declined",
    ),
    ("chat", "responses", {"store": True}, {"store": True}, "what the family shares goes word for word"),
    ("chat", "responses", {"metadata": {"k": "v"}}, {"metadata": {"k": "v"}}, "shared by the family"),
    (
        "chat",
        "responses",
        {"verbosity": "low"},
        {"text": {"verbosity": "low"}},
        "another place, the same wish",
    ),
    ("chat", "responses", {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}, "another place"),
    ("responses", "chat", {"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}, "another place"),
    (
        "chat",
        "messages",
        {"reasoning_effort": "medium"},
        {"thinking": {"type": "enabled", "budget_tokens": 5000}},
        "half of the output",
    ),
    (
        "chat",
        "messages",
        {"reasoning_effort": "low", "max_tokens": 1100},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "Anthropic refuses a budget below 1024",
    ),
    ("chat", "messages", {"reasoning_effort": "none"}, {"thinking": None}, "not to think is the default"),
    (
        "messages",
        "chat",
        {"thinking": {"type": "enabled", "budget_tokens": 2500}},
        {"reasoning_effort": "medium"},
        "half of the output",
    ),
    ("messages", "chat", {"output_config": {"effort": "max"}}, {"reasoning_effort": "max"}, "the same words"),
    (
        "messages",
        "chat",
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": SCHEMA, "strict": True},
            }
        },
        "OpenAI wants a name",
    ),
    (
        "messages",
        "responses",
        {"output_config": {"format": {"type": "json_schema", "schema": OPEN}}},
        {"text": {"format": {"type": "json_schema", "name": "reply", "schema": OPEN, "strict": False}}},
        "OpenAI's strict mode refuses open objects",
    ),
    (
        "chat",
        "responses",
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_object"}}},
        "",
    ),
]


@pytest.mark.parametrize(("source", "to", "fields", "want", "why"), CARRIED)
def test_settings_are_carried(
    source: DialectName, to: DialectName, fields: dict[str, Any], want: dict[str, Any], why: str
) -> None:
    got, _ = over(source, to, fields)

    assert {key: got.get(key) for key in want} == want, why


CHOICES: list[tuple[str, Any, Any, Any, bool | None]] = [
    # why, chat's, Responses', Anthropic's, parallel at OpenAI
    ("free", "auto", "auto", {"type": "auto"}, None),
    ("forbidden", "none", "none", {"type": "none"}, None),
    ("any tool", "required", "required", {"type": "any"}, None),
    (
        "a named tool",
        {"type": "function", "function": {"name": "look"}},
        {"type": "function", "name": "look"},
        {"type": "tool", "name": "look"},
        None,
    ),
    ("one at a time", "auto", "auto", {"type": "auto", "disable_parallel_tool_use": True}, False),
    ("any, one at a time", "required", "required", {"type": "any", "disable_parallel_tool_use": True}, False),
    ("several allowed in words", "auto", "auto", {"type": "auto", "disable_parallel_tool_use": False}, True),
]


@pytest.mark.parametrize(("why", "chat", "responses", "messages", "parallel"), CHOICES)
def test_every_form_of_tool_choice_is_carried_both_ways(
    why: str, chat: Any, responses: Any, messages: Any, parallel: bool | None
) -> None:
    said: dict[DialectName, Any] = {"chat": chat, "responses": responses, "messages": messages}
    for source in BARE:
        for to in BARE:
            if source == to:
                continue
            fields = {"tools": [TOOL[source]], "tool_choice": said[source]}
            if source != "messages" and parallel is not None:
                fields["parallel_tool_calls"] = parallel
            got, _ = over(source, to, fields)
            assert got["tool_choice"] == said[to], why
            assert got["tools"] == [TOOL[to]]
            if to != "messages":
                assert got.get("parallel_tool_calls") == parallel


def test_a_narrowed_choice_names_only_the_allowed_tools_to_anthropic() -> None:
    other = {"type": "function", "function": {"name": "other", "parameters": SCHEMA}}
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}]}
    fields = {
        "tools": [TOOL["chat"], other],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed},
    }

    there, _ = over("chat", "messages", fields)
    beside, _ = over("chat", "responses", fields)

    assert [tool["name"] for tool in there["tools"]] == ["look"]
    assert there["tool_choice"] == {"type": "any"}
    assert beside["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "look"}],
    }


@pytest.mark.parametrize(
    ("given", "schema", "want", "why"),
    [
        (None, SCHEMA, True, "Responses holds a closed schema strictly unless told otherwise"),
        (None, OPEN, False, "an open one cannot be held to"),
        (False, SCHEMA, False, "said is said"),
    ],
)
def test_strict_is_told_where_the_defaults_differ(given: Any, schema: Any, want: bool, why: str) -> None:
    tool = {"type": "function", "name": "look", "parameters": schema, "strict": given}

    got, _ = over("responses", "chat", {"tools": [tool]})

    assert got["tools"][0]["function"].get("strict", False) == want, why


def test_strict_is_not_claimed_for_a_schema_that_openai_would_refuse() -> None:
    tool = {"name": "look", "input_schema": OPEN, "strict": True}

    got, done = over("messages", "chat", {"tools": [tool]})

    assert "strict" not in got["tools"][0]["function"]
    assert any("strict" in note for note in done.notes)


def test_instructions_keep_their_order_and_stand_at_anthropics_top() -> None:
    messages = [
        {"role": "system", "content": "one"},
        {"role": "developer", "content": [{"type": "text", "text": "two"}, {"type": "text", "text": ""}]},
        USER,
        {"role": "system", "content": "three"},
    ]

    got, done = over("chat", "messages", {"messages": messages})

    assert [block["text"] for block in got["system"]] == ["one", "two", "three"]
    assert got["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]
    assert any(note.startswith("instructions after the first turn") for note in done.notes)


def test_all_results_of_a_turn_stand_first_in_one_user_message() -> None:
    calls = [
        {"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for name in ("c1", "c2")
    ]
    messages = [
        USER,
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
        {"role": "user", "content": "and?"},
    ]

    got, _ = over("chat", "messages", {"messages": messages})

    assert [message["role"] for message in got["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in got["messages"][1]["content"]] == ["tool_use", "tool_use"]
    assert got["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "one"}]},
        {"type": "tool_result", "tool_use_id": "c2"},
        {"type": "text", "text": "and?"},
    ]


def test_ids_that_anthropic_refuses_are_rewritten_and_come_back() -> None:
    call = {"id": "functions.look:0", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.look:0", "content": "x"},
    ]

    there, _ = over("chat", "messages", {"messages": messages})
    back, _ = over("messages", "chat", there)

    used, answered = (
        there["messages"][1]["content"][0]["id"],
        there["messages"][2]["content"][0]["tool_use_id"],
    )
    assert used == answered
    assert used.replace("-", "").replace("_", "").isalnum()
    assert back["messages"][1]["tool_calls"][0]["id"] == "functions.look:0"


def test_an_id_too_long_for_openai_still_joins_call_and_result() -> None:
    long = "toolu_" + "x" * 80
    messages = [
        USER,
        {"role": "assistant", "content": [{"type": "tool_use", "id": long, "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": long, "content": "x"}]},
    ]

    got, _ = over("messages", "chat", {"messages": messages})

    assert got["messages"][1]["tool_calls"][0]["id"] == got["messages"][2]["tool_call_id"]
    assert len(got["messages"][2]["tool_call_id"]) <= 40


@pytest.mark.parametrize("to", ["chat", "responses"])
def test_a_failed_result_says_so_in_words_where_there_is_no_flag(to: DialectName) -> None:
    messages = [
        USER,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "no", "is_error": True}]},
    ]  # fmt: skip

    there, _ = over("messages", to, {"messages": messages})
    back, _ = over(to, "messages", there)

    last = there["messages" if to == "chat" else "input"][-1]
    assert last.get("content", last.get("output")) == "[error] no"
    assert back["messages"][2]["content"][0]["is_error"] is True
    assert back["messages"][2]["content"][0]["content"] == [{"type": "text", "text": "no"}]


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://example.com/a.png", {"type": "url", "url": "https://example.com/a.png"}),
        ("data:image/png;base64,AAAA", {"type": "base64", "media_type": "image/png", "data": "AAAA"}),
    ],
)
def test_images_are_carried_in_both_forms_both_ways(url: str, source: dict[str, Any]) -> None:
    chat = {"type": "image_url", "image_url": {"url": url}}

    there, _ = over("chat", "messages", {"messages": [{"role": "user", "content": [chat]}]})
    beside, _ = over("chat", "responses", {"messages": [{"role": "user", "content": [chat]}]})
    back, _ = over("messages", "chat", there)

    assert there["messages"][0]["content"] == [{"type": "image", "source": source}]
    assert beside["input"][0]["content"] == [{"type": "input_image", "image_url": url, "detail": "auto"}]
    assert back["messages"][0]["content"] == [chat]


def test_pdfs_are_carried_and_their_names_with_them() -> None:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}

    there, _ = over("chat", "messages", {"messages": [{"role": "user", "content": [file]}]})
    back, _ = over("messages", "chat", there)

    block = there["messages"][0]["content"][0]
    assert block["source"] == {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
    assert block["title"] == "a.pdf"
    assert back["messages"][0]["content"] == [file]


@pytest.mark.parametrize(
    ("messages", "want", "why"),
    [
        ([{"role": "system", "content": "s"}], ["user"], "Anthropic demands a message"),
        ([{"role": "assistant", "content": "Hi"}, USER], ["user", "assistant", "user"], "the user is first"),
        ([USER, {"role": "assistant", "content": ""}, USER], ["user"], "an empty turn is none"),
        ([USER, USER], ["user"], "consecutive turns of one role are one"),
    ],
)
def test_anthropics_turns_alternate_and_begin_with_the_user(
    messages: list[Any], want: list[str], why: str
) -> None:
    got, _ = over("chat", "messages", {"messages": messages})

    assert [message["role"] for message in got["messages"]] == want, why
    assert all(block.get("text", "x").strip() for message in got["messages"] for block in message["content"])


def test_a_prefill_stays_the_last_turn_without_trailing_space() -> None:
    got, done = over("chat", "messages", {"messages": [USER, {"role": "assistant", "content": "It is \n"}]})

    assert got["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "It is"}]}
    assert any(note.startswith("the last turn is the assistant's") for note in done.notes)


def test_a_refusal_in_the_history_is_text_at_anthropic_and_a_part_of_its_own_at_openai() -> None:
    messages = [USER, {"role": "assistant", "content": None, "refusal": "I cannot."}, USER]

    there, _ = over("chat", "messages", {"messages": messages})
    beside, _ = over("chat", "responses", {"messages": messages})

    assert there["messages"][1]["content"] == [{"type": "text", "text": "I cannot."}]
    assert beside["input"][1]["content"] == [{"type": "refusal", "refusal": "I cannot."}]


FORCED: list[tuple[str, dict[str, Any], list[str], dict[str, Any]]] = [
    ("alone", {}, ["form"], {"type": "tool", "name": "form", "disable_parallel_tool_use": True}),
    ("beside free tools", {"tools": [TOOL["chat"]]}, ["look", "form"], {"type": "any"}),
    (
        "beside forbidden tools",
        {"tools": [TOOL["chat"]], "tool_choice": "none"},
        ["look", "form"],
        {"type": "tool", "name": "form", "disable_parallel_tool_use": True},
    ),
    (
        "where a tool must be called there is no text to hold",
        {"tools": [TOOL["chat"]], "tool_choice": "required"},
        ["look"],
        {"type": "any"},
    ),
]


@pytest.mark.parametrize(("why", "fields", "tools", "choice"), FORCED)
def test_structured_output_becomes_a_forced_tool(
    why: str, fields: dict[str, Any], tools: list[str], choice: dict[str, Any]
) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": SCHEMA, "strict": True}}

    got, done = over("chat", "messages", fields | {"response_format": form})

    assert [tool["name"] for tool in got["tools"]] == tools, why
    assert got["tool_choice"] == choice
    assert done.bridge.format_tool == ("form" if "form" in tools else "")


GIVES_WAY: list[tuple[str, dict[str, Any]]] = [
    ("a tool must be called", {"tools": [TOOL["chat"]], "tool_choice": "required"}),
    ("the format is a forced tool", {"response_format": {"type": "json_object"}}),
    ("a temperature stands beside it", {"temperature": 0.2}),
    ("a top_p stands beside it", {"top_p": 0.5}),
    ("a turn is continued", {"messages": [USER, {"role": "assistant", "content": "It"}]}),
    ("the output is too short", {"max_tokens": 1024}),
    (
        "an answer to a call is due, whose turn began without thoughts",
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "function": {"name": "look", "arguments": ""}}],
                },
                {"role": "tool", "tool_call_id": "c", "content": "x"},
            ]
        },
    ),
]


@pytest.mark.parametrize(("why", "fields"), GIVES_WAY)
def test_the_wish_to_think_gives_way_to_what_anthropic_does_not_allow_beside_it(
    why: str, fields: dict[str, Any]
) -> None:
    got, done = over("chat", "messages", fields | {"reasoning_effort": "high"})

    assert "thinking" not in got, why
    assert any(note.startswith("the effort high") for note in done.notes)


def test_newer_models_are_asked_to_think_as_they_want_and_older_ones_not_at_all() -> None:
    adaptive, _ = over(
        "chat", "messages", {"reasoning_effort": "high"}, Target("m", 9000, thinking="adaptive")
    )
    silent, done = over(
        "messages", "chat", {"output_config": {"effort": "low"}}, Target("m", 9000, thinking="none")
    )

    assert adaptive["thinking"] == {"type": "adaptive"}
    assert adaptive["output_config"] == {"effort": "high"}
    assert "reasoning_effort" not in silent
    assert any("the effort of thinking" in note for note in done.notes)


def test_a_server_that_knows_only_the_old_bound_gets_it() -> None:
    got, _ = over("messages", "chat", {}, Target("m", 9000, chat_limit="max_tokens"))

    assert got["max_tokens"] == 5000
    assert "max_completion_tokens" not in got


BLOCKED: list[tuple[DialectName, DialectName, dict[str, Any], tuple[str, ...]]] = [
    ("chat", "messages", {"logprobs": True, "n": 2, "whatever": 1}, ("logprobs", "n", "whatever")),
    (
        "chat",
        "messages",
        {"frequency_penalty": 0.5, "logit_bias": {"1": 1}},
        ("frequency_penalty", "logit_bias"),
    ),
    ("chat", "messages", {"functions": [{"name": "f"}]}, ("functions",)),
    ("chat", "messages", {"stop": ["\n"]}, ("a stop sequence of nothing but white space",)),
    ("chat", "responses", {"stop": ["x"]}, ("stop sequences",)),
    ("messages", "chat", {"stop_sequences": list("abcde")}, ("5 stop sequences (at most 4 are possible)",)),
    ("messages", "chat", {"top_k": 5}, ("top_k",)),
    ("messages", "chat", {"inference_geo": "eu"}, ("inference_geo",)),
    ("messages", "chat", {"max_tokens": 0}, ("max_tokens 0 (a request that only fills a cache)",)),
    ("chat", "responses", {"max_tokens": 5}, ("a bound of 5 tokens on output (at least 16 are possible)",)),
    (
        "responses",
        "messages",
        {"previous_response_id": "r", "tools": [{"type": "web_search"}]},
        ("previous_response_id", "the hosted tool web_search"),
    ),
    ("responses", "chat", {"background": True, "conversation": "c"}, ("background", "conversation")),
    (
        "responses",
        "chat",
        {"include": ["message.output_text.logprobs"]},
        ("include message.output_text.logprobs",),
    ),
    (
        "responses",
        "chat",
        {"input": [{"type": "item_reference", "id": "x"}]},
        ("input[0] (an item of type item_reference)",),
    ),
    (
        "messages",
        "chat",
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        ("the hosted tool web_search",),
    ),
    (
        "messages",
        "chat",
        {"tools": [TOOL["messages"] | {"name": "x" * 65}]},
        ("the tool name " + repr("x" * 65) + " (must match [a-zA-Z0-9_-]{1,64})",),
    ),
    (
        "chat",
        "messages",
        {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
        ("messages[0].content[0] (input_audio)",),
    ),
    (
        "chat",
        "messages",
        {"messages": [USER | {"name": "ann"}, USER | {"name": "bob"}]},
        ("messages[].name (several speakers of one role)",),
    ),
    (
        "chat",
        "messages",
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{"}}],
                },
            ]
        },
        ("the arguments of the earlier call c (no JSON object)",),
    ),
    (
        "chat",
        "messages",
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "f", "schema": {"type": "array"}},
            }
        },
        ("a JSON schema whose root is not of type object",),
    ),
    (
        "messages",
        "chat",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "c",
                            "content": [{"type": "image", "source": {"type": "url", "url": "u"}}],
                        }
                    ],
                }
            ]
        },
        ("an image or file in a tool's result",),
    ),
    (
        "messages",
        "chat",
        {
            "messages": [
                {"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": "u"}}]}
            ]
        },
        ("a PDF given by its URL",),
    ),
    (
        "messages",
        "chat",
        {
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
            ]
        },
        ("messages[0].content[0] (an image given as file)",),
    ),
]


@pytest.mark.parametrize(("source", "to", "fields", "parts"), BLOCKED)
def test_everything_in_the_way_is_named_before_any_call(
    source: DialectName, to: DialectName, fields: dict[str, Any], parts: tuple[str, ...]
) -> None:
    assert refused(source, to, fields) == parts


DROPS = [(source, field) for source, fields in DROPPED.items() for field in fields]


@pytest.mark.parametrize(("source", "field"), DROPS)
def test_what_is_dropped_is_noted_with_its_reason(source: DialectName, field: str) -> None:
    for to in BARE:
        if to != source:
            got, done = over(source, to, {field: {"x": "y"}})
            assert field not in got
            assert f"{field}: {DROPPED[source][field]}" in done.notes


@pytest.mark.parametrize("field", FAMILY)
def test_what_only_openai_knows_is_noted_on_the_way_to_anthropic(field: str) -> None:
    got, done = over("chat", "messages", {field: "x"})
    beside, _ = over("chat", "responses", {field: "x"})

    assert field not in got
    assert f"{field}: {FAMILY[field]}" in done.notes
    assert beside[field] == "x"


def test_null_and_what_holds_anyway_stand_in_nobodys_way() -> None:
    for source, harmless in WITHOUT_EFFECT.items():
        for field, values in harmless.items():
            for value in (None, *values):
                for to in BARE:
                    if to != source:
                        _, done = over(source, to, {field: value})
                        assert not any(note.startswith(field) for note in done.notes)


def test_the_same_protocol_needs_no_translation() -> None:
    with pytest.raises(ValueError, match="needs no translation"):
        translate_request(BARE["chat"], "chat", "chat", target=TARGET)


def test_big_numbers_in_arguments_keep_every_digit() -> None:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": '{"n":123456789012345678901}'},
    }

    done = translate_request(
        BARE["chat"] | {"messages": [USER, {"role": "assistant", "tool_calls": [call]}, USER]},
        "chat",
        "messages",
        target=TARGET,
    )

    assert b'"input":{"n":123456789012345678901}' in done.body


def test_the_reference_names_every_field_that_is_left_out() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "translation.md").read_text(encoding="utf-8")

    for field in [*FAMILY, *(field for fields in DROPPED.values() for field in fields)]:
        assert f"`{field}" in page
