"""Calls as words: what tools are named and handed, and what a person reads of it."""

from typing import Any

import pytest

from airworthy.recorder.wording import VALUE_CHARS_MAX, phrase

CASES: list[tuple[str, object, str, str]] = [
    ("get_order", {"order_id": 8812}, "looked up order 8812", "its own id stands with the thing"),
    ("refund", {"order_id": 8812, "amount_cents": 4210}, "refunded 4210 cents for order 8812", "no currency said"),
    ("refund", {"order_id": 8812, "amount_cents": 4210, "currency": "EUR"}, "refunded 42.10 EUR for order 8812", ""),
    ("refund", {"amount": "42.1", "currency": "eur"}, "refunded 42.10 EUR", "amounts may be text"),
    ("refund", {"amount": "about 42 EUR"}, "refunded about 42 EUR", "text that says it itself"),
    ("transfer_money", {"amount_eur": 10, "to": "DE12"}, "transferred 10.00 EUR to DE12", "currency in the key"),
    ("send_email", {"to": "ann@example.com", "body": "hi"}, "e-mailed ann@example.com", ""),
    ("send_email", {}, "sent an e-mail", "nobody is named who was not"),
    ("email_customer", {}, "e-mailed the customer", ""),
    ("send_reply", {"to": "ann@example.com", "subject": "x"}, "sent a reply to ann@example.com", ""),
    ("send_sms", {"phone": "+49 1"}, "sent an SMS to +49 1", ""),
    ("search_products", {"query": "blue shoes", "limit": 5}, "searched the products for “blue shoes”", ""),
    ("find_products", {"query": "mug"}, "searched the products for mug", "looked, not found: that nobody knows"),
    ("find_order", {"order_id": 1001}, "looked for order 1001", ""),
    ("list_orders", {"customer_id": 17}, "listed the orders for customer 17", "another thing's id"),
    ("getOrderDetails", {"orderId": "#W23"}, "looked up order #W23 details", "camel case"),
    ("order_lookup", {"id": 5}, "looked up order 5", "the verb comes last"),
    ("order_status", {"order_id": 5}, "called order status (5)", "here `order` is no verb"),
    ("review_queue", {}, "called review queue", "nor is `review`"),
    ("cancel_pending_order", {"order_id": "#W1"}, "cancelled pending order #W1", ""),
    ("book_flight", {"flight_number": "LH1"}, "booked flight LH1", ""),
    ("mcp__shop__createTicket", {"title": "x y"}, "created a ticket (x y)", "without where it is from"),
    ("get_customer_by_email", {"email": "a@b"}, "looked up the customer by e-mail a@b", ""),
    ("weather", {"city": "Berlin"}, "called weather (Berlin)", "no verb: the name as words"),
    ("frobnicate_widget", {"widget_id": 12}, "called frobnicate widget (12)", ""),
    ("call_3", {}, "called call 3", ""),
    ("look", "teapot", "called look (teapot)", "arguments need be no object"),
    ("lookup", {"flag": True, "items": [1, 2], "none": None}, "looked up", "only what can be said in a word"),
    ("", {}, "called a tool", "a name may be anything"),
    ("_", None, "called a tool", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments", "expected", "why"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_a_call_is_told_by_what_was_asked_of_the_tool(
    name: str, arguments: Any, expected: str, why: str
) -> None:
    assert phrase(name, arguments).past == expected, why


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("refund", "refunding"), ("cancel", "cancelling"), ("get", "looking up"), ("set", "setting"),
        ("notify", "notifying"), ("delete", "deleting"), ("ship", "shipping"), ("weather", "calling weather"),
    ],
)  # fmt: skip
def test_what_did_not_simply_work_has_a_form_of_its_own(name: str, expected: str) -> None:
    assert phrase(name, {}).doing == expected


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "a\u202eb", "nul\x00", "\u200bzero", "line\nbreak\r\x85", "\ue000"]
)
def test_nothing_in_it_hides_or_breaks_the_line(text: str) -> None:
    for said in (phrase(text, {text: text}), phrase("send", {"to": text}), phrase("get_x", {"x_id": text})):
        assert said.past.isprintable(), said


@pytest.mark.parametrize("key", ["order_id", "to", "query", "anything", "amount"])
def test_a_huge_value_is_cut(key: str) -> None:
    said = phrase("get_order", {key: "9" * 1_000_000})

    assert len(said.past) < VALUE_CHARS_MAX + 40


@pytest.mark.parametrize("amount", [float("inf"), float("nan"), 1e300, -0.0, 10**400])
def test_an_odd_number_costs_no_sentence(amount: float) -> None:
    assert phrase("refund", {"amount": amount}).past.startswith("refunded")
