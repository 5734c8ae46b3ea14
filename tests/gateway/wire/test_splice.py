"""Only what we set changes in a request; every other byte goes on as the caller wrote it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.gateway.wire.dialect import DIALECTS
from airworthy.gateway.wire.facts import RequestFacts
from airworthy.gateway.wire.splice import set_keys, spans

CHAT = DIALECTS["chat"]

SPANS = [
    (b'{"model":"a"}', ["a"], "plain"),
    (b' {\n "model" :\t"a" }\n', ["a"], "spaces everywhere"),
    (b'{"x":{"model":"b"},"model":"a"}', ["a"], "a nested key of the same name comes first"),
    (b'{"model":"a","x":[{"model":"b"}]}', ["a"], "and after"),
    (b'{"x":"\\"model\\":","model":"a"}', ["a"], "a text that looks like the key"),
    (b'{"x":"model","model":"a"}', ["a"], "a text that is the key's name"),
    (b'{"x\\"model":"b","model":"a"}', ["a"], "a key that ends like it"),
    (b'{"x":"{\\\\","model":"a"}', ["a"], "a brace and a backslash in a text"),
    (b'{"mod\\u0065l":"a"}', ["a"], "spelt with an escape"),
    (b'{"x":{"model":"b"},"mod\\u0065l":"a"}', ["a"], "spelt with an escape behind a plain nested one"),
    (b'{"model":"a","model":"c"}', ["a", "c"], "twice: both are changed, whichever the receiver takes"),
    (b'{"model":{"a":[1,{"model":2}]},"b":1}', [{"a": [1, {"model": 2}]}], "an object as the value"),
    (b'{"model":-1.5e3}', [-1500.0], "a number"),
    (b'{"model":null,"b":true}', [None], "null"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "values", "why"), SPANS)
def test_the_own_keys_value_is_found(raw: bytes, values: list[Any], why: str) -> None:
    found = [json.loads(raw[start:end]) for start, end in spans(raw, "model")]

    assert found == values, why


def test_keys_are_added_at_the_end_of_any_object() -> None:
    assert set_keys(b"{ }", {"a": b"1"}, present=frozenset()) == b'{ "a":1}'
    assert set_keys(b'{"x":2 }\n', {"a": b"1", "b": b"2"}, present=frozenset()) == b'{"x":2 ,"a":1,"b":2}\n'


KEYS = st.one_of(
    st.sampled_from(["model", "max_tokens", "n", "x", 'a"model', "}", "é", "\\"]), st.text(max_size=5)
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**12), 10**12),
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.text(alphabet=st.characters(codec="utf-8"), max_size=8),
        st.sampled_from(['"model":', '{"model":"z"}', "\\", '\\"', "}"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


@pytest.mark.slow
@settings(deadline=None)  # The machine may be busy.
@given(
    body=st.dictionaries(KEYS, VALUES, max_size=6),
    key=st.sampled_from(["model", "max_tokens", "n"]),
    value=VALUES,
    spaced=st.booleans(),
    ascii_only=st.booleans(),
)
def test_any_object_keeps_all_but_the_set_key(
    body: dict[str, Any], key: str, value: Any, spaced: bool, ascii_only: bool
) -> None:
    """Slow, because nested values are drawn a hundred times."""
    raw = json.dumps(body, indent=1 if spaced else None, ensure_ascii=ascii_only).encode()
    new = json.dumps(value).encode()

    changed = set_keys(raw, {key: new}, present=frozenset(body.keys() & {key}))

    assert json.loads(changed) == {**body, key: value}
    if key in body:
        ((start, end),) = spans(raw, key)
        assert changed == raw[:start] + new + raw[end:]
    else:
        assert changed.endswith(b'"%b":%b}' % (key.encode(), new))
        assert changed.startswith(raw[:-1].rstrip() if body else b"{")


def spliced(raw: bytes, name: str = "chat", **changes: Any) -> bytes:
    dialect = DIALECTS[name]
    facts: RequestFacts = dialect.read_request(raw)
    settings: dict[str, Any] = {"model": None, "output_tokens_max": None, "include_usage": False, **changes}
    return dialect.spliced(raw, facts, **settings)


HEAD = b'{ "model":"m-1" ,"messages":[ ], "odd": 1.0e2, "t": "\\u00e9"'

BOUNDS = [
    (b"}", b',"max_tokens":7}', "none: the name every server knows"),
    (b',"max_tokens": 900}', b',"max_tokens": 7}', "the older name stays"),
    (b',"max_completion_tokens":900 }', b',"max_completion_tokens":7 }', "the newer name stays"),
    (b',"max_tokens":null}', b',"max_tokens":7}', "null leaves it open"),
    (b',"max_completion_tokens":null}', b',"max_completion_tokens":null,"max_tokens":7}', "null is no name used"),
    (b',"max_tokens":7}', b',"max_tokens":7}', "the same already"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "why"), BOUNDS)
def test_a_chat_bound_takes_the_callers_name_for_it(before: bytes, after: bytes, why: str) -> None:
    assert spliced(HEAD + before, output_tokens_max=7) == HEAD + after, why


@pytest.mark.parametrize("model", ["o1", "o4-mini", "gpt-5", "gpt-5.2-codex", "openai/gpt-5"])
def test_a_reasoning_model_gets_the_newer_name(model: str) -> None:
    changed = spliced(HEAD + b"}", model=model, output_tokens_max=7)

    assert json.loads(changed)["max_completion_tokens"] == 7
    assert "max_tokens" not in json.loads(changed)


USAGE_ASKED = [
    (b',"stream":true}', b',"stream":true,"stream_options":{"include_usage":true}}', "no options"),
    (
        b',"stream":true,"stream_options":null}',
        b',"stream":true,"stream_options":{"include_usage":true}}',
        "null",
    ),
    (
        b',"stream_options":{ "a": 1.0 },"stream":true}',
        b',"stream_options":{ "a": 1.0 ,"include_usage":true},"stream":true}',
        "beside other options",
    ),
    (
        b',"stream_options":{"include_usage": false},"stream":true}',
        b',"stream_options":{"include_usage": true},"stream":true}',
        "refused by the caller",
    ),
    (b',"stream":false}', b',"stream":false}', "no stream"),
    (
        b',"stream":true,"stream_options":{"include_usage":true}}',
        b',"stream":true,"stream_options":{"include_usage":true}}',
        "asked for already",
    ),
]


@pytest.mark.parametrize(("before", "after", "why"), USAGE_ASKED)
def test_usage_is_asked_for_in_streams_only(before: bytes, after: bytes, why: str) -> None:
    assert spliced(HEAD + before, include_usage=True) == HEAD + after, why


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_nothing_to_change_gives_the_very_bytes_back(name: str) -> None:
    raw = b'{"model":"m-1","messages":[],"input":"x","max_tokens":5}'

    assert spliced(raw, name, model="m-1") is raw


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_changed_model_changes_nothing_else(name: str) -> None:
    raw = b'{"messages":[{"model":"m-1"}] , "input":"model" ,"model" : "m-1", "z": 1.00}'

    assert spliced(raw, name, model="m-\u00e9") == raw.replace(b': "m-1", "z', ': "m-é", "z'.encode())


def test_the_other_dialects_have_their_own_bound() -> None:
    raw = b'{"model":"m","input":"x","messages":[],"max_tokens":1,"max_output_tokens":2}'

    assert spliced(raw, "responses", output_tokens_max=9) == raw.replace(b'tokens":2', b'tokens":9')
    assert spliced(raw, "messages", output_tokens_max=9) == raw.replace(b'tokens":1', b'tokens":9')
    assert spliced(raw, "embeddings", output_tokens_max=9) == raw
    assert spliced(raw, "count_tokens", output_tokens_max=9) == raw
