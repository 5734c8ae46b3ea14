"""Mail goes encrypted or not at all, to one recipient, and a server's no is told from its not now."""

import ssl
from email import message_from_string
from email.policy import default
from typing import Any

import pytest

from airworthy.review.courier_mail import MailCourier, server_of
from airworthy.review.couriers import ChannelUnset, Later, Refused, Result, Secrets, Sent
from tests.review.certificate import client_context, server_context
from tests.review.kit import message, rule
from tests.review.smtp import Mailbox, mail_server
from tests.virtual import START_US, wait_external


async def _sent(
    box: Mailbox,
    scheme: str = "smtp+plain",
    user: str = "",
    context: ssl.SSLContext | None = None,
    **keys: Any,
) -> Result:
    courier = MailCourier(
        rule("email", **keys), lambda: Secrets(f"{scheme}://{user}127.0.0.1:{box.port}"), ssl_context=context
    )
    return await wait_external(courier.carry(message(recipient="ann@example.com"), START_US))


async def test_a_letter_arrives_with_an_id_that_stays() -> None:
    async with mail_server() as box:
        assert await _sent(box) == Sent()
        assert await _sent(box) == Sent()

    first, second = (message_from_string(mail, policy=default) for mail in box.mails)
    assert first["message-id"] == second["message-id"] == "<msg_1@example.com>"
    assert str(first["subject"]) == "A question waits"
    assert first.get_content().splitlines()[0] == "Why?"
    assert box.envelopes[0] == ("mail FROM:<agent@example.com>", "rcpt TO:<ann@example.com>")


async def test_starttls_and_a_password() -> None:
    async with mail_server(tls=server_context()) as box:
        result = await _sent(box, "smtp", "agent:p4ss%40word@", client_context())

    assert result == Sent()
    assert box.logins == ["\0agent\0p4ss@word"]
    assert box.commands.index("STARTTLS") < box.commands.index("AUTH")


async def test_tls_from_the_first_byte() -> None:
    async with mail_server(tls=server_context(), first=True) as box:
        assert await _sent(box, "smtps", context=client_context()) == Sent()

    assert len(box.mails) == 1


async def test_a_server_that_does_not_offer_encryption_gets_no_password_and_no_mail() -> None:
    async with mail_server() as box:
        result = await _sent(box, "smtp", "agent:p4ssword@")

    assert isinstance(result, Later)
    assert "STARTTLS" in result.error
    assert not box.logins
    assert not box.mails


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_certificate_nobody_vouches_for_gets_neither(scheme: str) -> None:
    async with mail_server(tls=server_context(), first=scheme == "smtps") as box:
        result = await _sent(box, scheme, "agent:p4ssword@", ssl.create_default_context())

    assert isinstance(result, Later)
    assert "certificate" in result.error
    assert not box.logins
    assert not box.mails


@pytest.mark.parametrize(
    ("verb", "says", "expected"),
    [
        ("RCPT", "550 no such user", Refused("The mail server 127.0.0.1 refused ann@example.com: 550 no such user")),
        ("RCPT", "451 greylisted", Later(
            "The mail server 127.0.0.1 refused ann@example.com: 451 greylisted", all_alike=False)),
        ("MAIL", "553 not you", Refused("The mail server 127.0.0.1 refused the message: 553 not you")),
        ("MAIL", "421 busy", Later("The mail server 127.0.0.1 refused the message: 421 busy")),
        ("END", "554 spam", Refused("The mail server 127.0.0.1 refused the message: 554 spam")),
        ("END", "452 full", Later("The mail server 127.0.0.1 refused the message: 452 full")),
        ("QUIT", "close", Sent()),
    ],
)  # fmt: skip
async def test_what_an_answer_means(verb: str, says: str, expected: Result) -> None:
    async with mail_server({verb: says}) as box:
        assert await _sent(box) == expected


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        (verb, says)
        for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END")
        for says in ("hang", "close", "garbage \x00 and no code")
        if (verb, says[0]) != ("EHLO", "g")  # Then smtplib says HELO, which is right.
    ],
)
async def test_a_server_that_breaks_is_tried_again(verb: str, says: str) -> None:
    async with mail_server({verb: says}) as box:
        result = await _sent(box, timeout_s=0.2)

    assert isinstance(result, Later)
    assert not box.mails


async def test_a_wrong_password_is_tried_again_and_not_shown() -> None:
    async with mail_server({"AUTH": "535 no: agent p4ssword"}, tls=server_context()) as box:
        result = await _sent(box, "smtp", "agent:p4ssword@", client_context())

    assert isinstance(result, Later)
    assert "535" in result.error
    assert "p4ssword" not in result.error


@pytest.mark.parametrize(
    ("address", "internal"),
    [
        ("mail.example.com", True),
        ("http://mail.example.com", True),
        ("smtp://", True),
        ("smtp://u:SECRETWORD@mail.example.com:99999", True),
        ("smtp://u:SECRETWORD@mail.example.com/path", True),
        ("smtp+plain://mail.example.com", False),
        ("smtp+plain://u:SECRETWORD@mail.example.com", True),
    ],
)
def test_an_address_that_will_not_do_is_said_and_not_repeated(address: str, internal: bool) -> None:
    with pytest.raises(ChannelUnset) as caught:
        server_of(address, internal=internal)

    assert "SECRETWORD" not in str(caught.value)


def test_ports_are_the_usual_ones() -> None:
    found = [
        server_of(f"{scheme}://mail.example", internal=True).port
        for scheme in ("smtp", "smtps", "smtp+plain")
    ]

    assert found == [587, 465, 25]
    assert "SECRETWORD" not in repr(server_of("smtp://u:SECRETWORD@mail.example", internal=False))


async def test_a_recipient_that_is_none_sends_nothing() -> None:
    async with mail_server() as box:
        courier = MailCourier(rule("email"), lambda: Secrets(f"smtp+plain://127.0.0.1:{box.port}"))
        bad = message(recipient="a@example.com\r\nRCPT TO:<all@example.com>")
        result = await wait_external(courier.carry(bad, START_US))

    assert isinstance(result, Later)
    assert box.commands == []
