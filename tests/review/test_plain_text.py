"""Whatever the outside writes, a channel gets text: bounded, visible, no link, nobody mentioned, no line of its own."""

import dataclasses
import html
import json
import re
import unicodedata
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airworthy.policy.chars import hides
from airworthy.recorder.alerts import Severity
from airworthy.review import forms
from airworthy.review.courier_mail import letter
from airworthy.review.couriers import Secrets
from airworthy.review.message import Content, Message, Sum, of_many, of_one
from airworthy.review.plain_text import LINES_MAX, TEXT_CHARS_MAX, TITLE_CHARS_MAX, defused, is_address, lines
from tests.review.kit import SECRET, notice
from tests.virtual import START_US

HOSTILE = (
    "<!channel>", "<!everyone> now", "<!here|here>", "<@U123>", "<#C123>", "@channel", "@here", "@everyone", "@all",
    "<at>Ann</at>", "[click](https://evil.example/x)", "<https://evil.example|bank>", "https://evil.example/a?b=c",
    "HTTP://EVIL.EXAMPLE", "www.evil.example", "evil.example/login", "javascript:alert(1)", "data:text/html,x",
    "mailto:a@evil.example", "tel:+4912345", "<img src=x onerror=alert(1)>", "![x](https://evil.example/p.png)",
    "a\r\nBcc: all@example.com", "a\nSubject: other", "\r\n.\r\nMAIL FROM:<x@y>", "\x1b[31mred", "\u202egnp.exe",
    "\u2028line", "*bold* _it_ `code` ~s~", "&lt;!channel&gt;", "{{7*7}}", "%0d%0aBcc: x@y.example", "\x00",
    "\\\\evil\\x",
    ":boom: " * 50, "=HYPERLINK(\"https://evil.example\")", "ftp://evil.example", "file:///etc/passwd", "x" * 5_000,
    "&" * 4_000, "\n" * 500, "é" * 3_000, "\ud83d", "//evil.example", "jane@evil.example",
)  # fmt: skip
# What mail and chat programs make a link of by themselves.
LINKS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\\\\[a-z]|(mailto|javascript|tel|data):|www\.|[a-z0-9]\.[a-z]{2,}", re.I
)
MENTIONS = re.compile(r"<[!@#]\S|(?<!\w)@\w")

FEW = settings(max_examples=40, deadline=None)
pieces = st.sampled_from(HOSTILE) | st.text(max_size=60)
texts = st.lists(pieces, min_size=1, max_size=6).map(" ".join)


def _made(title: str, text: str, *, severity: Severity = "warning") -> Message:
    one = notice("k", title=title, text=text, severity=severity)
    link = f"airworthy alert show {title[:50]}"
    content = of_one(dataclasses.replace(one, link=link), 1, lambda given: given)
    return Message("msg_1", "ops", "ann@example.com", "leads", "notice", 1, START_US, content)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for entry in value.values() for text in _strings(entry)]
    return [text for entry in value for text in _strings(entry)] if isinstance(value, list) else []


@FEW
@given(texts)
def test_defused_text_has_no_link_and_no_mention(text: str) -> None:
    found = "\n".join(defused(line) for line in lines(text))

    assert not LINKS.search(found)
    assert not MENTIONS.search(found)


@FEW
@given(texts)
def test_lines_are_bounded_and_hide_nothing(text: str) -> None:
    found = lines(text)

    assert len(found) <= LINES_MAX + 1
    assert len("\n".join(found)) <= TEXT_CHARS_MAX + 2
    assert not any(hides(char) for line in found for char in line)


@FEW
@given(texts, texts)
def test_slack_gets_plain_text_alone(title: str, text: str) -> None:
    post = forms.slack(_made(title, text), Secrets("https://hooks.slack.com/services/x"))

    document = json.loads(post.body)
    assert all(block["text"]["type"] == "plain_text" for block in document["blocks"])
    assert (document["mrkdwn"], document["parse"], document["link_names"]) == (False, "none", False)
    shown = [block["text"]["text"] for block in document["blocks"]] + [document["text"]]
    for one in shown:
        assert "<" not in one
        assert ">" not in one
        assert re.sub("&(amp|lt|gt);", "", one).count("&") == 0  # no escape was cut in two
        assert len(one) <= 3_000
        assert not MENTIONS.search(html.unescape(one))
        assert not LINKS.search(html.unescape(one))
    assert 0 < len(shown[0]) <= 150


@FEW
@given(texts, texts)
def test_teams_gets_text_runs_alone(title: str, text: str) -> None:
    post = forms.teams(_made(title, text), Secrets("https://example.com/x"))

    card = json.loads(post.body)["attachments"][0]["content"]
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for run in runs} == {"TextRun"}
    assert "msteams" not in card
    assert not any(LINKS.search(run["text"]) or MENTIONS.search(run["text"]) for run in runs)
    assert len(post.body) < 28_000


@FEW
@given(texts, texts)
def test_pagerduty_gets_what_its_limits_allow(title: str, text: str) -> None:
    post = forms.pagerduty(_made(title, text), Secrets("", "R" * 32))

    event = json.loads(post.body)
    assert len(event["payload"]["summary"]) <= 1_024
    assert "links" not in event
    assert not any(LINKS.search(found) for found in _strings(event["payload"]["custom_details"]))


@FEW
@given(texts, texts)
def test_a_letter_has_our_headers_and_no_other(title: str, text: str) -> None:
    mail = letter(_made(title, text), "agent@example.com", START_US)

    parsed = message_from_bytes(mail.as_bytes(), policy=default)
    assert {name.lower() for name in parsed.keys()} == {  # noqa: SIM118  # a mail is no mapping of one value each
        "subject", "from", "to", "date", "message-id", "auto-submitted", "content-type", "content-transfer-encoding",
        "mime-version",
    }  # fmt: skip
    assert len(parsed.get_all("to", [])) == 1
    assert str(parsed["to"]) == "ann@example.com"
    assert parsed.get_content_type() == "text/plain"
    assert "\n" not in str(parsed["subject"])
    assert len(str(parsed["subject"])) <= 200
    assert not LINKS.search(str(parsed["subject"]))
    assert not LINKS.search(parsed.get_content())


@FEW
@given(texts, texts)
def test_a_webhook_gets_the_words_as_they_are_but_bounded_and_visible(title: str, text: str) -> None:
    post = forms.webhook(_made(title, text), Secrets("https://example.com", SECRET), START_US)

    document = json.loads(post.body)
    assert post.body.isascii()
    assert len(post.body) < 64_000
    for found in _strings(document):
        assert not any(
            unicodedata.category(char) in {"Cc", "Cf"} for char in found if char not in "\n\u200c\u200d"
        )


@FEW
@given(st.lists(texts, min_size=4, max_size=30))
def test_a_digest_of_hostile_notices_is_as_bounded_as_one(found: list[str]) -> None:
    many = tuple((notice(f"k{place}", title=text), place + 1) for place, text in enumerate(found))
    total = Sum(many, (("review", 9_000),), "warning", START_US)
    content = of_many(total, "leads", "msg_1", lambda given: given)

    assert len(content.stored()) < 20_000
    assert Content.of_stored(content.stored()) == content
    message = Message("msg_1", "ops", "", "leads", "digest", 9_000, START_US, content)
    assert len(forms.slack(message, Secrets("x")).body) < 12_000


def test_a_title_is_cut_and_its_secrets_are_out_before() -> None:
    content = of_one(notice("k", title="x" * 145 + "SECRET" * 3), 1, lambda text: text.replace("SECRET", "*"))

    assert content.title == "x" * 145 + "***"
    assert len(of_one(notice("k", title="x" * 999), 1, str).title) == TITLE_CHARS_MAX


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://console.example/reviews/rev_1", True),
        ("http://127.0.0.1:8080/x?a=b", True),
        ("airworthy review show rev_1", False),
        ("javascript:alert(1)", False),
        ("https://x.example/a|<!channel>", False),
        ('https://x.example/"onclick', False),
        ("https://x.example/" + "a" * 500, False),
        ("https://x.example/a\nb", False),
        ("", False),
    ],
)
def test_only_a_plain_address_is_a_link(link: str, expected: bool) -> None:
    assert is_address(link) is expected
