"""Rules: what they match, what they fill in, and how a mistake in the file is reported."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from airworthy.core.errors import ConfigError
from airworthy.gateway.simulator import Rules, Simulator
from tests.gateway.simulator.conversations import (
    AFTER_LOOKUP,
    FIND_ORDER,
    GET_CUSTOMER,
    ORDER,
    QUESTION,
    TEXT,
    calls,
    message,
    request,
    tool,
    used,
    user,
)

SCRIPT = r'''
[[rule]]
name = "look up"
when = { user = '(?P<order>ORD-\d+)', has_tool = "find_order", not_called = ["find_order"] }
call = [{ tool = "find_order", arguments = { order_id = "{order}" } }]

[[rule]]
name = "late"
when = { after_tool = "find_order", tool_result = '"status":"late"' }
reply = "Order {order} is late, sorry. New date: {find_order.eta}."

[[rule]]
name = "both"
when = { after_tool = "find_order" }
reply = """{Your|The} order {find_order.order_id} is {find_order.status}: \
    {find_order.lines.0.quantity} pieces, {find_order.total} EUR."""
'''


def scripted(text: str) -> Simulator:
    return Simulator(rules=Rules.parse(text))


def said(script: str, *messages: Any, **extra: Any) -> Any:
    return message(scripted(script), request(*messages, **extra))["content"]


def test_a_pattern_of_the_users_words_fills_the_arguments() -> None:
    assert calls(scripted(SCRIPT), request(user(QUESTION))) == [("find_order", {"order_id": "ORD-1042"})]


def test_the_reply_holds_fields_of_results_by_path_and_one_of_the_wordings() -> None:
    answer = said(SCRIPT, *AFTER_LOOKUP)

    assert answer in {f"{word} order ORD-1042 is shipped: 2 pieces, 49.9 EUR." for word in ("Your", "The")}


def test_a_result_that_matches_takes_the_earlier_rule() -> None:
    result = ORDER | {"status": "late"}

    answer = said(SCRIPT, user(QUESTION), *used("find_order", {"order_id": "ORD-1042"}, result))

    assert answer == "Order ORD-1042 is late, sorry. New date: 2026-12-01."


def test_a_rule_without_its_value_does_not_match_and_the_next_one_decides() -> None:
    result = {"status": "late", "order_id": "ORD-1042", "total": 1, "lines": [{"quantity": 1}], "eta": None}

    answer = said(SCRIPT, user(QUESTION), *used("find_order", {"order_id": "ORD-1042"}, result))

    assert "is late: 1 pieces, 1 EUR" in answer


def test_without_a_matching_rule_the_generic_brain_decides() -> None:
    assert calls(scripted(SCRIPT), request(user("Weather in Paris?"))) == [("get_weather", {"city": "Paris"})]


def test_the_deciding_rule_is_named_in_a_header_and_counted() -> None:
    simulator = scripted(SCRIPT)

    answer = simulator.answer(orjson.dumps(request(user(QUESTION))))

    assert answer.headers["x-sim-rule"] == "look up"
    assert simulator.calls_by_rule == {"look up": 1}


def test_a_value_said_two_messages_ago_still_fills_a_placeholder() -> None:
    script = SCRIPT + '[[rule]]\nname = "again"\nwhen = { user = "refund" }\nreply = "Refund for {order}?"'
    answered = {"role": "assistant", "content": "Shipped."}

    assert said(script, *AFTER_LOOKUP, answered, user("then refund it")) == "Refund for ORD-1042?"


def test_several_calls_of_one_rule_are_made_in_parallel() -> None:
    script = """
    [[rule]]
    name = "two"
    when = { not_called = ["find_order", "get_customer"] }
    call = [
      { tool = "find_order", arguments = { order_id = "A" } },
      { tool = "get_customer", arguments = { customer_id = "B" } },
    ]
    """

    assert [name for name, _ in calls(scripted(script), request(user("Hi")))] == [
        "find_order",
        "get_customer",
    ]


def test_a_lone_placeholder_keeps_its_type_and_text_becomes_the_type_of_the_schema() -> None:
    pay = tool(
        "pay",
        "Pay.",
        amount={"type": "number"},
        count={"type": "integer"},
        lines={"type": "array"},
        note=TEXT,
    )
    script = r"""
    [[rule]]
    name = "pay"
    when = { user = '(?P<count>\d+) times', called = ["find_order"] }
    [[rule.call]]
    tool = "pay"
    [rule.call.arguments]
    amount = "{find_order.total}"
    count = "{count}"
    lines = "{find_order.lines}"
    note = "{count} x {find_order.total}"
    """
    body = request(user("3 times"), *used("find_order", {}, ORDER), tools=[FIND_ORDER, pay])

    assert calls(scripted(script), body) == [
        ("pay", {"amount": 49.9, "count": 3, "lines": ORDER["lines"], "note": "3 x 49.9"})
    ]


def test_a_whole_result_and_doubled_braces_can_be_said() -> None:
    script = '[[rule]]\nname = "say"\nwhen = { after_tool = "find_order" }\nreply = "{{{find_order}}}"'

    assert said(script, user("Hi"), *used("find_order", {}, "all is well")) == "{all is well}"


def test_a_failed_result_gives_no_values() -> None:
    script = (
        '[[rule]]\nname = "say"\nwhen = { after_tool = "find_order" }\nreply = "It is {find_order.error}."'
    )

    assert "not available" in said(script, user(QUESTION), *used("find_order", {}, {"error": "down"}))


def test_after_tool_looks_only_at_what_came_since_the_model_spoke() -> None:
    answered = {"role": "assistant", "content": "Shipped."}

    assert "is shipped" not in said(SCRIPT, *AFTER_LOOKUP, answered, user("Thanks!"))


CONDITIONS = [
    ("user", "user = '^Hello'", (user("Hello there"),), (user("Well, Hello"),)),
    ("system", "system = 'polite'", ({"role": "system", "content": "Be polite"}, user("a")), (user("a"),)),
    ("called", 'called = ["find_order"]', AFTER_LOOKUP, (user("a"),)),
    ("not_called", 'not_called = ["find_order"]', (user("a"),), AFTER_LOOKUP),
    ("after_tool", 'after_tool = "find_order"', AFTER_LOOKUP, (user("a"),)),
    ("tool_result", "tool_result = 'shipped'", AFTER_LOOKUP, (user("shipped"),)),
]


@pytest.mark.parametrize(
    ("when", "match", "no_match"), [row[1:] for row in CONDITIONS], ids=[r[0] for r in CONDITIONS]
)
def test_each_condition_holds_and_fails(when: str, match: tuple[Any, ...], no_match: tuple[Any, ...]) -> None:
    script = f'[[rule]]\nname = "r"\nwhen = {{ {when} }}\nreply = "matched"'

    assert said(script, *match) == "matched"
    assert said(script, *no_match) != "matched"


def test_has_tool_and_a_call_need_the_tool_to_be_offered() -> None:
    has = '[[rule]]\nname = "r"\nwhen = { has_tool = "find_order" }\nreply = "matched"'
    call = '[[rule]]\nname = "r"\ncall = [{ tool = "find_order" }]'

    assert said(has, user("a")) == "matched"
    assert said(has, user("a"), tools=[GET_CUSTOMER]) != "matched"
    assert calls(scripted(call), request(user("a"))) == [("find_order", {})]
    assert calls(scripted(call), request(user("a"), tools=[GET_CUSTOMER])) == []


def test_reply_json_is_the_content_or_the_argument_of_the_final_tool() -> None:
    script = """
    [[rule]]
    name = "done"
    when = { after_tool = "find_order" }
    reply_json = { state = "{find_order.status}", total = "{find_order.total}", tags = ["a"] }
    """
    expected = {"state": "shipped", "total": 49.9, "tags": ["a"]}
    final = tool("final_result", "The answer.", state=TEXT)

    assert orjson.loads(said(script, *AFTER_LOOKUP)) == expected
    assert calls(scripted(script), request(*AFTER_LOOKUP, tools=[FIND_ORDER, final])) == [
        ("final_result", expected)
    ]


def test_a_text_reply_is_put_into_the_form_that_the_request_asks_for() -> None:
    schema = {
        "type": "object",
        "properties": {"answer": TEXT, "n": {"type": "integer"}},
        "required": ["answer", "n"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}

    answer = orjson.loads(said('[[rule]]\nname = "r"\nreply = "Hello"', user("Hi"), response_format=form))

    assert answer == {"answer": "Hello", "n": 0}


MISTAKES = [
    ("misspelt key", '[[rule]]\nname = "r"\nreplly = "x"', "'replly' is not known.*'reply'"),
    (
        "misspelt condition",
        '[[rule]]\nname = "r"\nwhen = { afer_tool = "x" }\nreply = "x"',
        "'afer_tool'.*'after_tool'",
    ),
    ("misspelt table", '[[rules]]\nname = "r"', "'rules' is not known.*'rule'"),
    ("misspelt call", '[[rule]]\nname = "r"\ncall = [{ tol = "x" }]', "'tol'.*'tool'"),
    ("no name", '[[rule]]\nreply = "x"', "rule 1 has no name"),
    (
        "same name",
        '[[rule]]\nname = "r"\nreply = "x"\n[[rule]]\nname = "r"\nreply = "y"',
        "two rules are named 'r'",
    ),
    ("no action", '[[rule]]\nname = "r"', "0 actions"),
    ("two actions", '[[rule]]\nname = "r"\nreply = "x"\nreply_json = {}', "2 actions"),
    (
        "bad pattern",
        "[[rule]]\nname = 'r'\nwhen = { user = '(' }\nreply = 'x'",
        "'user' is not a regular expression",
    ),
    ("pattern no text", "[[rule]]\nname = 'r'\nwhen = { user = 3 }\nreply = 'x'", "'user' is 3"),
    ("names no list", "[[rule]]\nname = 'r'\nwhen = { called = 'a' }\nreply = 'x'", "'called' is 'a'"),
    ("lone brace", "[[rule]]\nname = 'r'\nreply = 'a { b'", "'{' is not a placeholder"),
    (
        "unknown group",
        "[[rule]]\nname = 'r'\nwhen = { user = '(?P<order>a)' }\nreply = '{oder}'",
        "'oder'.*'order'",
    ),
    ("empty call", "[[rule]]\nname = 'r'\ncall = []", "'call' is not a list"),
    ("reply no text", "[[rule]]\nname = 'r'\nreply = 3", "'reply' is not text"),
    ("json no table", "[[rule]]\nname = 'r'\nreply_json = 3", "'reply_json' is not a table"),
    ("when no table", "[[rule]]\nname = 'r'\nwhen = 3\nreply = 'x'", "'when' is not a table"),
    ("rule no list", "rule = 3", "'rule' is not a list of tables"),
    ("no TOML", "[[rule", "is not valid TOML"),
]


@pytest.mark.parametrize(("script", "words"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_a_mistake_in_the_file_is_named_with_its_place(script: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        Rules.parse(script, origin="rules.toml")

    assert "rules.toml" in raised.value.message
    assert raised.value.mend


def test_rules_are_loaded_from_a_file_and_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(SCRIPT)

    assert [rule.name for rule in Rules.load(path).rules] == ["look up", "late", "both"]
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        Rules.load(tmp_path / "nowhere.toml")
