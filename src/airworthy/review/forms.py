"""A message as each kind of channel wants it, as pure functions. Whatever quotes the outside is plain text in all."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from airworthy.core.clock import US_PER_S
from airworthy.policy.chars import printable
from airworthy.review.couriers import ChannelUnset, Secrets
from airworthy.review.message import Content, Message, clock_text, iso_text
from airworthy.review.plain_text import cut, defused, is_address

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
SLACK_TEXT_CHARS_MAX: Final = 2_900  # Slack takes 3000 in a section, counted as sent.
SLACK_TITLE_CHARS_MAX: Final = 145
DEDUP_CHARS_MAX: Final = 255
KEY_BYTES_MIN: Final = 24
KEY_BYTES_MAX: Final = 64
_DEDUP = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Post:
    """One request. `repr` shows neither address nor headers, for both hold secrets."""

    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Post({len(self.body)} bytes)"


def slack(message: Message, secrets: Secrets) -> Post:
    """Incoming webhook, with blocks of `plain_text`: Slack reads no markup, link or mention in those."""
    content = message.content
    title = _escaped(defused(content.title), SLACK_TITLE_CHARS_MAX)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _slack_plain(title)}]
    text = _escaped("\n".join(defused(line) for line in _told(message)), SLACK_TEXT_CHARS_MAX)
    if text:
        blocks.append({"type": "section", "text": _slack_plain(text)})
    if is_address(content.link):
        link = f"<{_escaped(content.link, SLACK_TEXT_CHARS_MAX)}|Open>"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": link, "verbatim": True}})
    document = {
        "text": title, "mrkdwn": False, "parse": "none", "link_names": False, "unfurl_links": False,
        "unfurl_media": False, "blocks": blocks,
    }  # fmt: skip
    return _post(secrets.address, document)


def teams(message: Message, secrets: Secrets) -> Post:
    """A workflow's webhook, with a card of text runs, in which Teams reads no Markdown."""
    content = message.content
    runs = [{"type": "TextRun", "text": defused(content.title), "weight": "bolder", "size": "medium"}]
    body = [{"type": "RichTextBlock", "inlines": runs}]
    body += [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": defused(line)}]}
        for line in _told(message)
        if line
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "body": body,
    }  # fmt: skip
    if is_address(content.link):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": content.link}]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return _post(secrets.address, {"type": "message", "attachments": [attachment]})


def pagerduty(message: Message, secrets: Secrets) -> Post:
    """Events API v2: an incident per thing, resolved when it is over."""
    content = message.content
    document: dict[str, Any] = {
        "routing_key": secrets.secret,
        "event_action": "resolve" if message.kind == "over" else "trigger",
        "dedup_key": dedup_key(content),
    }
    if message.kind != "over":
        document["payload"] = {
            "summary": cut(defused(content.title), 1_000),
            "source": "airworthy",
            "severity": content.severity,
            "timestamp": iso_text(content.at_us),
            "component": content.agent or "airworthy",
            "group": message.team,
            "class": message.kind,
            "custom_details": {
                "text": "\n".join(defused(line) for line in _told(message)),
                "message": message.id,
            },
        }
        if is_address(content.link):
            document["links"] = [{"href": content.link, "text": "Open"}]
    return _post(secrets.address or PAGERDUTY_URL, document)


def dedup_key(content: Content) -> str:
    """The same for all that is about one thing."""
    key = f"airworthy:{content.about}"
    if len(key) <= DEDUP_CHARS_MAX and _DEDUP.fullmatch(key):
        return key
    return f"airworthy:{sha256(content.about.encode()).hexdigest()}"


def webhook(message: Message, secrets: Secrets, now_us: int) -> Post:
    """Standard Webhooks: the body never changes, the time and signatures are those of the attempt."""
    document = webhook_document(message)
    return signed(message.id, json.dumps(document, ensure_ascii=True, separators=(",", ":")), secrets, now_us)


def signed(id_: str, body: str, secrets: Secrets, now_us: int) -> Post:
    """Any JSON by the same scheme. Raises: ChannelUnset, where the secret is none."""
    headers = {
        "webhook-id": id_,
        "webhook-timestamp": str(now_us // US_PER_S),
        "webhook-signature": " ".join(_signature(each, id_, now_us, body) for each in _signing(secrets)),
    }
    return Post(secrets.address, {**_JSON, **headers}, body.encode())


def webhook_document(message: Message) -> dict[str, Any]:
    """What a receiver gets. Its texts may quote the outside: they are bounded and free of control characters only."""
    content = message.content
    return {
        "type": f"notice.{_TYPES[message.kind]}",
        "timestamp": iso_text(message.created_us),
        "data": {
            "title": content.title, "text": "\n".join(content.text), "link": content.link,
            "severity": content.severity, "agent": content.agent, "team": message.team,
            "about": printable(content.about), "since": iso_text(content.at_us),
            "count": message.count, "counts": dict(content.counts),
            "notices": [printable(key) for key in content.notices],
            "entries": [
                {
                    "kind": entry.kind, "agent": entry.agent, "title": entry.title, "since": iso_text(entry.at_us),
                    "count": entry.count,
                }
                for entry in content.entries
            ],
        },
    }  # fmt: skip


def plain_lines(message: Message) -> Sequence[str]:
    """For what is text alone, such as e-mail."""
    return [defused(line) for line in _told(message)] + (
        [message.content.link] if is_address(message.content.link) else []
    )


_JSON: Final = {"content-type": "application/json", "user-agent": "airworthy"}
_TYPES: Final = {"notice": "created", "digest": "digest", "over": "over", "test": "test"}


def _signing(secrets: Secrets) -> list[str]:
    return [secret for secret in (secrets.secret, secrets.previous) if secret]


def _signature(secret: str, id_: str, now_us: int, body: str) -> str:
    from datetime import UTC, datetime

    from standardwebhooks import Webhook

    return Webhook(_key(secret)).sign(id_, datetime.fromtimestamp(now_us // US_PER_S, UTC), body)


def _key(secret: str) -> bytes:
    """Strictly read: what one library takes for a key and another does not would be a signature nobody can check."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise ChannelUnset(
            "The signing secret is not what the scheme asks for.",
            mend=f"Make one of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} random bytes, in base64, with whsec_ before it.",
        ) from None
    return key


def _post(url: str, document: Mapping[str, Any]) -> Post:
    return Post(url, _JSON, json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode())


def _told(message: Message) -> list[str]:
    """The lines under the title. A link that is a command stands among them."""
    content = message.content
    found = list(content.text)
    of = ", ".join(part for part in (content.agent, f"for {message.team}" if message.team else "") if part)
    found.append(f"{of}{', ' if of else ''}since {clock_text(content.at_us)}")
    if content.link and not is_address(content.link):
        found.append(content.link)
    return found


def _slack_plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str, chars_max: int) -> str:
    """As Slack wants it, cut so that no escape is cut in two."""
    out: list[str] = []
    left = chars_max - 1
    for char in text:
        escaped = _SLACK_ESCAPES.get(char, char)
        if len(escaped) > left:
            return "".join(out) + "…"
        out.append(escaped)
        left -= len(escaped)
    return "".join(out)


_SLACK_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
