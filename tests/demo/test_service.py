"""The shop's services answer truthfully, break on purpose, and count what they did."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from airworthy.core.asgi import Message
from airworthy.demo import ledger, shop
from airworthy.demo.faults import NO_FAULTS, Fault, FaultPlan
from airworthy.demo.service import BODY_BYTES_MAX, Habits, ShopService

MAIL = {"to": "ruth.bellamy@example.com", "subject": "Your order", "body": "It is on its way."}
REFUND = {"order_id": 1001, "amount_cents": 500, "reason": "one mug was chipped"}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool

    @property
    def json(self) -> dict[str, Any]:
        parsed = orjson.loads(self.body)
        assert isinstance(parsed, dict)
        return parsed


@pytest.fixture
def path(tmp_path: Path) -> Path:
    connection = shop.connect(str(tmp_path / "shop.db"))
    shop.build(connection, 7)
    connection.close()
    return tmp_path / "shop.db"


@pytest.fixture
def service(path: Path) -> Iterator[ShopService]:
    made = ShopService(path, NO_FAULTS)
    yield made
    made.close()


def _ask(
    service: ShopService,
    method: str,
    target: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    where, _, query = target.partition("?")
    sent: list[Message] = []
    parts: list[Message] = [
        {"type": "http.request", "body": orjson.dumps(body) if body is not None else b"", "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return parts.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": where,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    asyncio.run(service(scope, receive, send))
    received = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    content = b"".join(message["body"] for message in sent[1:])
    return Reply(sent[0]["status"], received, content, complete=len(sent) > 1)


def _always(fault: Fault, times: int = 1) -> FaultPlan:
    return FaultPlan(rates={fault: 1.0}, in_a_row_max=times)


def _count(path: Path) -> ledger.Ledger:
    with closing(sqlite3.connect(path)) as connection:
        return ledger.verify(connection)


@pytest.mark.parametrize(
    ("target", "status", "needle"),
    [
        ("/customers?email=tobias.falk%40example.net", 200, '"balance":"-42.50 EUR"'),
        ("/customers?email=nobody%40example.net", 200, '"customers":[]'),
        ("/customers/101", 200, "Meyer-Schmidt"),
        ("/customers/9", 404, "not_found"),
        ("/orders/1006", 200, '"status":"lost"'),
        ("/orders/9999", 404, "There is no order 9999."),
        ("/orders/10x", 404, "not_found"),
        ("/orders/1001?email=anna.meyer-schmidt%40example.com", 200, '"status":"shipped"'),
        ("/orders/1001?email=anna.schmidt-meyer%40example.com", 404, "There is no order 1001."),
        ("/orders?customer_id=101", 200, '"id":1001'),
        ("/products?query=harbour+mug", 200, "Harbour Mug"),
        ("/policies?topic=returns", 200, "30 days"),
        ("/policies?topic=astrology", 404, "not_found"),
        ("/ledger", 200, '"effects":0'),
        ("/", 404, "not_found"),
    ],
)
def test_a_question_is_answered_from_the_shop(
    service: ShopService, target: str, status: int, needle: str
) -> None:
    reply = _ask(service, "GET", target)

    assert reply.status == status
    assert needle in reply.body.decode()


def test_the_same_key_and_body_act_once_and_get_the_stored_answer(service: ShopService, path: Path) -> None:
    first = _ask(service, "POST", "/refunds", REFUND, {"Idempotency-Key": "k1"})
    second = _ask(service, "POST", "/refunds", dict(reversed(REFUND.items())), {"Idempotency-Key": "k1"})

    assert first.status == second.status == 200
    assert first.json == second.json
    assert "idempotent-replay" not in first.headers
    assert second.headers["idempotent-replay"] == "true"
    counted = _count(path)
    assert (counted.arrivals, counted.effects, counted.replays, counted.keys_retried) == (2, 1, 1, 1)


def test_the_same_key_with_another_body_is_a_conflict(service: ShopService, path: Path) -> None:
    _ask(service, "POST", "/mail", MAIL, {"Idempotency-Key": "k1"})
    other = _ask(service, "POST", "/mail", {**MAIL, "body": "Something else."}, {"Idempotency-Key": "k1"})

    assert other.status == 409
    assert (_count(path).effects, _count(path).conflicts) == (1, 1)


def test_a_stored_answer_outlives_the_service(path: Path) -> None:
    first = ShopService(path, NO_FAULTS)
    _ask(first, "POST", "/mail", MAIL, {"Idempotency-Key": "k1"})
    first.close()

    second = ShopService(path, NO_FAULTS)
    reply = _ask(second, "POST", "/mail", MAIL, {"Idempotency-Key": "k1"})
    second.close()

    assert reply.headers["idempotent-replay"] == "true"
    assert _count(path).mails == 1


@pytest.mark.parametrize(
    ("target", "body", "status", "error"),
    [
        ("/refunds", {**REFUND, "amount_cents": 10_000_000}, 422, "more_than_paid"),
        ("/refunds", {**REFUND, "order_id": 1008}, 422, "already_refunded"),
        ("/refunds", {**REFUND, "amount_cents": "500"}, 422, "invalid"),
        ("/refunds", {**REFUND, "note": "please"}, 422, "invalid"),
        ("/mail", {**MAIL, "to": "not an address"}, 422, "invalid"),
        ("/mail", {**MAIL, "body": "x" * BODY_BYTES_MAX}, 413, "too_large"),
        ("/parcels", {}, 404, "not_found"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_effect(
    service: ShopService, path: Path, target: str, body: dict[str, object], status: int, error: str
) -> None:
    reply = _ask(service, "POST", target, body, {"Idempotency-Key": "k1"})

    assert reply.status == status
    assert reply.json["error"] == error
    assert _count(path).effects == 0


@pytest.mark.parametrize(
    ("fault", "effects"),
    [
        (Fault.HTTP_500, 0),
        (Fault.HTTP_503, 0),
        (Fault.TIMEOUT, 0),
        (Fault.MALFORMED_HTML, 1),
        (Fault.CUT_JSON, 1),
        (Fault.MISSING_FIELD, 1),
        (Fault.RESET_AFTER_ACT, 1),
    ],
)
def test_a_retry_with_the_key_acts_once_whatever_broke_the_first_attempt(
    path: Path, fault: Fault, effects: int
) -> None:
    service = ShopService(path, _always(fault))

    _ask(service, "POST", "/mail", MAIL, {"Idempotency-Key": "k1"})
    effects_after_fault = _count(path).effects
    retry = _ask(service, "POST", "/mail", MAIL, {"Idempotency-Key": "k1"})
    service.close()

    assert effects_after_fault == effects
    assert retry.status == 200
    assert retry.json["sent"] is True
    counted = _count(path)
    assert (counted.effects, counted.duplicates, counted.faults) == (1, 0, {fault.value: 1})


@pytest.mark.parametrize(
    ("fault", "status", "complete"),
    [
        (Fault.HTTP_500, 500, True),
        (Fault.HTTP_503, 503, True),
        (Fault.TIMEOUT, 200, False),
        (Fault.RESET_AFTER_ACT, 200, False),
        (Fault.MISSING_FIELD, 200, True),
    ],
)
def test_a_question_can_break_too(path: Path, fault: Fault, status: int, *, complete: bool) -> None:
    service = ShopService(path, _always(fault), Habits(hold_s=0.0))

    reply = _ask(service, "GET", "/orders/1001")
    service.close()

    assert (reply.status, reply.complete) == (status, complete)
    if fault is Fault.MISSING_FIELD:
        assert "status" not in reply.json
    if fault is Fault.HTTP_503:
        assert reply.headers["retry-after"] == "1"


@pytest.mark.parametrize("fault", [Fault.MALFORMED_HTML, Fault.CUT_JSON])
def test_a_malformed_answer_is_not_json_though_it_says_200(path: Path, fault: Fault) -> None:
    service = ShopService(path, _always(fault))

    reply = _ask(service, "GET", "/orders/1001")
    service.close()

    assert reply.status == 200
    with pytest.raises(orjson.JSONDecodeError):
        _ = reply.json


def test_a_stale_answer_is_of_yesterday_and_says_so(path: Path) -> None:
    service = ShopService(path, _always(Fault.STALE))

    stale, fresh = (_ask(service, "GET", "/orders/1001") for _ in range(2))
    service.close()

    assert (stale.json["status"], stale.json["as_of"]) == ("packed", "2025-11-23")
    assert (fresh.json["status"], fresh.json["as_of"]) == ("shipped", "2025-11-24")
    assert stale.headers["age"] == "86400"


def test_a_shop_that_ignores_keys_shows_the_duplicate_it_made(path: Path) -> None:
    service = ShopService(path, _always(Fault.RESET_AFTER_ACT), Habits(honours_keys=False))

    for _ in range(2):
        _ask(service, "POST", "/mail", MAIL, {"Idempotency-Key": "k1"})
    service.close()

    assert (_count(path).effects, _count(path).distinct_keys, _count(path).duplicates) == (2, 1, 1)


@pytest.mark.parametrize(
    ("first", "second", "duplicates", "same_content", "why"),
    [
        (
            {"Ticket": "t1"},
            {"Ticket": "t1"},
            1,
            0,
            "one letter, two keys: the sender lost its key in a crash",
        ),
        ({"Ticket": "t1"}, {"Ticket": "t2"}, 0, 1, "two letters with one text"),
        ({}, {}, 0, 1, "nothing ties them"),
    ],
)
def test_duplicates_are_found_even_under_different_keys(
    service: ShopService,
    path: Path,
    first: dict[str, str],
    second: dict[str, str],
    duplicates: int,
    same_content: int,
    why: str,
) -> None:
    _ask(service, "POST", "/mail", MAIL, {"Idempotency-Key": "k1", **first})
    _ask(service, "POST", "/mail", MAIL, {"Idempotency-Key": "k2", **second})

    assert (_count(path).duplicates, _count(path).same_content) == (duplicates, same_content), why
    assert _count(path).tickets_mailed_twice == duplicates


def test_an_effect_without_a_key_is_counted_as_keyless(service: ShopService, path: Path) -> None:
    _ask(service, "POST", "/mail", MAIL)

    assert (_count(path).keyless, _count(path).distinct_keys) == (1, 0)


def test_the_ledger_over_http_is_the_ledger(service: ShopService, path: Path) -> None:
    _ask(service, "POST", "/mail", MAIL, {"Idempotency-Key": "k1", "Ticket": "t1"})

    assert _ask(service, "GET", "/ledger").json == vars(_count(path))
