"""Each way a receiver can misbehave comes to one of three results, in time, without a secret in the words."""

import asyncio
import json
import logging
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from airworthy.review import forms
from airworthy.review.courier_http import HttpCourier
from airworthy.review.couriers import Later, Refused, Secrets, Sent
from tests.review.certificate import client_context, server_context
from tests.review.kit import OLD_SECRET, PATH, SECRET, answer, http, message, receiving, rule, secrets
from tests.virtual import START_US, wait_external

HIDDEN = (PATH, "XXXXSECRETXXXX", SECRET, SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(200), Sent()),
        (answer(204), Sent()),
        (answer(202), Sent()),
        (answer(500, "oops"), Later("The webhook at 127.0.0.1 answered 500: oops")),
        (answer(503, retry_after="120"), Later("The webhook at 127.0.0.1 answered 503.", 120.0)),
        (answer(429, retry_after="7"), Later("The webhook at 127.0.0.1 answered 429.", 7.0)),
        (answer(401, "no"), Later("The webhook at 127.0.0.1 answered 401: no")),
        (answer(404, "no_service"), Later("The webhook at 127.0.0.1 answered 404: no_service")),
        (answer(400, "bad"), Refused("The webhook at 127.0.0.1 answered 400: bad")),
        (answer(410), Refused("The webhook at 127.0.0.1 answered 410.", gone=True)),
        (answer(500, f"you posted to {PATH}\r\n\x1b[31m with {SECRET}"), Later(
            "The webhook at 127.0.0.1 answered 500: you posted to [redacted] \\x1b[31m with [redacted]")),
        ("hang", Later("The webhook at 127.0.0.1 did not answer within 10 s.")),
        ("trickle", Later("The webhook at 127.0.0.1 did not answer within 10 s.")),
    ],
)  # fmt: skip
async def test_what_an_answer_means(script: bytes | str, expected: object) -> None:
    async with receiving(script) as receiver:
        courier = http(rule(), receiver.url)
        result = await courier.carry(message(), START_US)
        await courier.close()

    assert result == expected


@pytest.mark.parametrize(
    "script", [b"\x00\xff garbage\r\n\r\n", "close", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000]
)
async def test_what_is_no_answer_is_tried_again(script: bytes | str) -> None:
    async with receiving(script) as receiver:
        courier = http(rule(), receiver.url)
        result = await courier.carry(message(), START_US)
        again = await courier.carry(message(), START_US)
        await courier.close()

    assert isinstance(result, Later)
    assert result.error.startswith("The webhook at 127.0.0.1: ")
    assert again == Sent()
    assert not any(part in str(result) for part in HIDDEN)


async def test_an_endless_error_is_read_for_its_beginning_only() -> None:
    async with receiving(answer(500, "x" * 5_000_000)) as receiver:
        courier = http(rule(), receiver.url)
        result = await courier.carry(message(), START_US)
        await courier.close()

    assert isinstance(result, Later)
    assert len(result.error) < 400


async def test_nobody_there_is_tried_again() -> None:
    async with receiving() as receiver:
        url = receiver.url
    result = await http(rule(), url).carry(message(), START_US)

    assert isinstance(result, Later)
    assert "ConnectError" in result.error


async def test_a_webhook_can_be_verified_with_either_secret_and_not_when_touched() -> None:
    now_us = round(datetime.now(UTC).timestamp() * 1e6)  # the library compares with the real clock
    async with receiving() as receiver:
        courier = http(rule(), secrets(receiver.url, previous=OLD_SECRET))
        await courier.carry(message(), now_us)
        await courier.carry(message(), now_us + 60_000_000)
        await courier.close()
    first, second = receiver.seen

    for secret in (SECRET, OLD_SECRET):
        document = Webhook(secret).verify(first.body, first.headers)
        assert document["type"] == "notice.created"
        assert document["data"]["title"] == "A question waits"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(first.body + b" ", first.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(first.body, first.headers)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "msg_1"
    assert first.body == second.body
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


@pytest.mark.parametrize(
    "secret", ["hunter2", "whsec_short", "whsec_not base64 at all, but long enough", "whsec_" + "A" * 400]
)
async def test_a_secret_that_is_none_is_said_and_not_repeated(secret: str) -> None:
    result = await http(rule(), secrets("https://example.com/x", secret)).carry(message(), START_US)

    assert isinstance(result, Later)
    assert "signing secret" in result.error
    assert secret not in result.error


@pytest.mark.parametrize(
    ("url", "internal", "says"),
    [
        ("ftp://example.com/SECRETPATH", True, "The address is none"),
        ("SECRETPATH", True, "The address is none"),
        ("https://", True, "The address is none"),
        ("http://example.com/SECRETPATH", False, "begins with http://"),
        ("https://user@[bad/SECRETPATH", True, "The address is none"),
    ],
)
async def test_an_address_that_is_none_is_said_and_not_repeated(url: str, internal: bool, says: str) -> None:
    result = await http(rule(internal=internal), url).carry(message(), START_US)

    assert isinstance(result, Later)
    assert says in result.error
    assert "SECRETPATH" not in result.error


async def test_no_address_and_no_secret_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """httpx's client writes every address into its log, so it is not used."""
    caplog.set_level(logging.DEBUG)
    async with receiving(answer(500), "close", answer(302, location="/SECRETPLACE")) as receiver:
        courier = http(rule(), receiver.url)
        results = [await courier.carry(message(), START_US) for _ in range(4)]
        await courier.close()

    assert len(receiver.seen) == 4
    assert not any(part in caplog.text for part in HIDDEN)
    assert not any(part in str(results) for part in (*HIDDEN, "SECRETPLACE"))


def test_secrets_show_themselves_to_nobody() -> None:
    held = Secrets("https://user:pass1234@hooks.slack.com/services/T/B/C?key=abcdefgh", SECRET)

    assert repr(held) == str(held) == "Secrets(...)"
    assert (
        held.scrubbed("pass1234 /services/T/B/C abcdefgh user")
        == "[redacted] [redacted] [redacted] [redacted]"
    )
    assert "XXXX" not in repr(forms.slack(message(), Secrets("https://x/XXXX")))


async def test_slack_teams_and_pagerduty_get_their_own_form() -> None:
    async with receiving() as receiver:
        for kind in ("slack", "teams", "pagerduty"):
            courier = http(rule(kind), secrets(receiver.url, "R" * 32))
            assert await courier.carry(message(link="https://console.example/r/1"), START_US) == Sent()
            await courier.close()
    slack, teams, pagerduty = (seen.json for seen in receiver.seen)

    assert slack["blocks"][0]["text"]["text"] == "A question waits"
    assert slack["blocks"][-1]["text"]["text"] == "<https://console.example/r/1|Open>"
    assert teams["attachments"][0]["content"]["actions"][0]["url"] == "https://console.example/r/1"
    assert pagerduty["routing_key"] == "R" * 32
    assert (pagerduty["event_action"], pagerduty["dedup_key"]) == ("trigger", "airworthy:rev_1")


def test_an_incident_is_opened_and_resolved_under_one_key() -> None:
    opened, over = (
        json.loads(forms.pagerduty(message(kind=kind, about="alert:x" * 99), Secrets("", "k")).body)
        for kind in ("notice", "over")
    )

    assert opened["dedup_key"] == over["dedup_key"]
    assert len(over["dedup_key"]) <= 255
    assert over["event_action"] == "resolve"
    assert "payload" not in over


def test_pagerduty_has_an_address_of_its_own() -> None:
    assert forms.pagerduty(message(), Secrets("", "k")).url == "https://events.pagerduty.com/v2/enqueue"


async def test_a_certificate_nobody_vouches_for_is_refused() -> None:
    async with receiving(tls=server_context()) as receiver:
        url = receiver.url.replace("http:", "https:")
        refused = await wait_external(http(rule(), url).carry(message(), START_US))
        trusting = HttpCourier(rule(), secrets(url), ssl_context=client_context())
        taken = await wait_external(trusting.carry(message(), START_US))
        await trusting.close()

    assert isinstance(refused, Later)
    assert "certificate" in refused.error.lower()
    assert taken == Sent()
    assert len(receiver.seen) == 1


async def test_an_attempt_that_is_cancelled_leaves_nothing_open() -> None:
    async with receiving("hang") as receiver:
        courier = http(rule(), receiver.url)
        task = asyncio.create_task(courier.carry(message(), START_US))
        while not receiver.seen:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await courier.close()
