"""What the policy says about one concrete call, as a table on both sides of every bound."""

from typing import Any

import pytest

from airworthy.policy import ToolRule
from airworthy.tools.rules import needs_approval, recipient_of, refusal, storable

MONEY = ToolRule(amount_arg="amount", amount_max=100.0)
TO = ToolRule(recipient_arg="to", recipients=("*@example.com", "Dana@partner.org"))

CALLS = [
    (ToolRule(), {}, None, "nothing is bounded"),
    (MONEY, {"amount": 100}, None, "at the bound"),
    (MONEY, {"amount": 100.01}, "at most 100", "above it"),
    (MONEY, {"amount": -100.01}, "at most 100", "a negative amount is an amount"),
    (MONEY, {"amount": "99"}, None, "text that is a number"),
    (MONEY, {"amount": "1e3"}, "at most 100", "however it is written"),
    (MONEY, {"amount": "\u0661\u0660\u0661"}, "at most 100", "in whatever digits"),
    (MONEY, {"amount": "many"}, "needs a number", "text that is none"),
    (MONEY, {"amount": None}, "needs a number", "nothing"),
    (MONEY, {}, "needs a number", "left out"),
    (MONEY, {"amount": True}, "needs a number", "a truth is no amount"),
    (MONEY, {"amount": "nan"}, "needs a number", "no number is below anything"),
    (MONEY, {"amount": "inf"}, "needs a number", "endless"),
    (MONEY, {"amount": [1]}, "needs a number", "a list"),
    (ToolRule(amount_arg="amount"), {}, "needs a number", "the policy looks for it"),
    (TO, {"to": "a@example.com"}, None, "fits the first pattern"),
    (TO, {"to": " A@EXAMPLE.com "}, None, "in another spelling"),
    (TO, {"to": "dana@partner.org"}, None, "fits the second, whatever its case"),
    (TO, {"to": "a@example.org"}, "not among", "another domain"),
    (TO, {"to": "a@example.com.evil.net"}, "not among", "a domain that only begins so"),
    (TO, {"to": "a@evil.net,b@example.com"}, "one recipient", "a second one behind a comma"),
    (TO, {"to": "a@evil.net; b@example.com"}, "one recipient", "behind a semicolon"),
    (TO, {"to": "a@evil.net b@example.com"}, "one recipient", "behind a space"),
    (TO, {"to": "a@evil.net\nBcc: b@example.com"}, "one recipient", "in a header of its own"),
    (TO, {"to": "evil\nb@example.com"}, "one recipient", "behind a line's end"),
    (TO, {"to": ["a@evil.net", "b@example.com"]}, "one recipient", "a list"),
    (TO, {"to": {"a": "b@example.com"}}, "one recipient", "a table"),
    (TO, {"to": ""}, "needs a recipient", "empty"),
    (TO, {"to": "  "}, "needs a recipient", "blank"),
    (TO, {"to": None}, "needs a recipient", "nothing"),
    (TO, {}, "needs a recipient", "left out"),
    (ToolRule(recipient_arg="to", per_recipient_per_day=1), {}, "needs a recipient", "a cap needs to know whom"),
    (ToolRule(recipient_arg="to", per_recipient_per_day=1), {"to": "a@x.org,b@x.org"}, "one recipient", "two as one"),
    (ToolRule(recipient_arg="to", recipients=("*",)), {"to": "a@x.org,b@x.org"}, "one recipient", "even where all may"),
    (ToolRule(recipient_arg="chat", recipients=("#support",)), {"chat": "#support"}, None, "no address at all"),
    (ToolRule(recipient_arg="account", recipients=("12*",)), {"account": 1234}, None, "a number"),
    (ToolRule(recipient_arg="account", recipients=("12*",)), {"account": 4321}, "not among", "another number"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "arguments", "says", "why"), CALLS)
def test_a_call_is_refused_for_what_the_policy_bounds_and_for_nothing_else(
    rule: ToolRule, arguments: dict[str, Any], says: str | None, why: str
) -> None:
    found = refusal("pay", rule, arguments)

    if says is None:
        assert found is None, why
    else:
        assert found is not None, why
        assert says in found


@pytest.mark.parametrize(
    ("rule", "arguments", "asked", "why"),
    [
        (ToolRule(), {}, False, "nobody need be asked"),
        (ToolRule(approval="always"), {}, True, "always"),
        (ToolRule(amount_arg="amount", approval_above=50.0), {"amount": 50}, False, "at the bound"),
        (ToolRule(amount_arg="amount", approval_above=50.0), {"amount": 50.5}, True, "above it"),
        (ToolRule(amount_arg="amount", approval_above=50.0), {"amount": -51}, True, "a refund is an amount"),
        (ToolRule(amount_arg="amount", approval_above=50.0), {"amount": "?"}, True, "unknown: ask"),
        (ToolRule(amount_arg="amount", approval_above=0.0), {"amount": 0.01}, True, "every amount"),
    ],
)
def test_a_person_is_asked_exactly_when_the_policy_says_so(
    rule: ToolRule, arguments: dict[str, Any], asked: bool, why: str
) -> None:
    assert (needs_approval(rule, arguments) is not None) is asked, why


def test_a_recipient_has_one_spelling_and_none_where_the_policy_names_no_argument() -> None:
    assert recipient_of(TO, {"to": " Dana@Example.COM"}) == "dana@example.com"
    assert recipient_of(ToolRule(), {"to": "a"}) is None


def test_a_name_that_holds_a_secret_is_stored_as_its_digest_and_stays_apart_from_others() -> None:
    first, second = storable("hook/abc", "hook/[redacted]"), storable("hook/abd", "hook/[redacted]")

    assert first is not None
    assert "abc" not in first
    assert first != second
    assert storable("order:7", "order:7") == "order:7"
    assert storable(None, None) is None
