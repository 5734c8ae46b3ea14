"""From a request's headers and body to who calls and with what; checks every text that comes from outside."""

import hashlib
from collections.abc import Mapping
from typing import Final

from airworthy.core.asgi import Receive, Scope
from airworthy.gateway.budget.scopes import NO_KEY_BUDGETS
from airworthy.gateway.call import Caller
from airworthy.gateway.keys import Key, KeyRing, is_label
from airworthy.gateway.server.refusal import Refusal, bad, no_key, too_large

Given = Mapping[bytes, bytes]

PASSED: Final = (
    b"anthropic-beta", b"anthropic-version", b"openai-beta", b"openai-organization", b"openai-project",
)  # fmt: skip
PASSED_CHARS_MAX = 2_000
_LABELS: Final = "Use 1 to 128 letters, digits and the signs . _ : -"


class Gone(Exception):  # not an error: the other side hung up
    """The caller left before its request was whole; there is nobody to answer."""


def given(scope: Scope) -> Given:
    """Headers by name. Of one that came twice the values are joined, as HTTP has it."""
    pairs: list[tuple[bytes, bytes]] = scope["headers"]
    headers = dict(pairs)
    if len(headers) != len(pairs):
        headers = {}
        for name, value in pairs:
            headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def passed(headers: Given) -> dict[str, str]:
    """What a provider should see too. Raises: Refusal (400) for a value that is no plain text."""
    found = {}
    for name in PASSED:
        value = headers.get(name)
        if value is not None:
            text = value.decode("latin-1")
            if len(text) > PASSED_CHARS_MAX or not (text.isascii() and text.isprintable()):
                raise bad(
                    f"The header {name.decode()} is too long or holds odd characters.",
                    mend="Send plain ASCII.",
                )
            found[name.decode()] = text
    return found


async def key_of(headers: Given, ring: KeyRing, now_us: int) -> tuple[Key, str]:
    """The key, and the run that may follow it after a dot. Raises: Refusal (401), StoreError."""
    # SDKs for either protocol may send both, the other one being a placeholder.
    texts = [text for text in (_bearer(headers), headers.get(b"x-api-key", b"")) if text.startswith(b"aw_")]
    for text in texts:
        secret, _, run = text.decode("latin-1").partition(".")
        key = ring.find(secret, now_us)
        if key is None and ring.may_be_new(secret):
            await ring.catch_up(now_us)
            key = ring.find(secret, now_us)
        if key is not None:
            return key, run
    raise no_key()


def caller_of(key: Key, key_run: str, path_run: str, headers: Given) -> Caller:
    """Who calls, before the body is read. Raises: Refusal, 400 for a malformed name, 403 for another's."""
    run = path_run or key_run
    if run and not is_label(run):
        raise bad("The run after the key's dot is no id.", mend=_LABELS, code="bad_run")
    if path_run and key_run and path_run != key_run:
        raise bad(
            "The path and the key name different runs.", mend="Name the run in one place.", code="bad_run"
        )
    return Caller(
        key.id, key.agent, _named(headers, b"x-airworthy-user", key.user),
        _named(headers, b"x-airworthy-feature", key.feature), _named(headers, b"x-airworthy-session", ""), run,
        key.priority, None if key.budgets is NO_KEY_BUDGETS else key.budgets,
    )  # fmt: skip


def with_user(caller: Caller, user: str) -> Caller:
    """The user that the body names, where neither key nor header names one.

    A name that cannot stand in a record or a header as it is (an e-mail address, JSON) is known by its hash.
    """
    if caller.user or not user:
        return caller
    if not is_label(user):
        user = "u-" + hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return Caller(
        caller.key_id, caller.agent, user, caller.feature, caller.session, caller.run, caller.priority,
        caller.budgets,
    )  # fmt: skip


async def body_of(receive: Receive, headers: Given, bytes_max: int) -> bytes:
    """The whole body. Raises: Refusal (400, 413, 415); Gone when the caller left first."""
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        raise Refusal(
            415, "unsupported_encoding", "The request is compressed.", mend="Send the body as it is."
        )
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:19]) > bytes_max:
        raise too_large(bytes_max, close=False)
    return await _whole(receive, bytes_max)


async def _whole(receive: Receive, bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise too_large(bytes_max, close=True)
        if not message.get("more_body"):
            if not parts:
                return part
            parts.append(part)
            return b"".join(parts)
        parts.append(part)


def _bearer(headers: Given) -> bytes:
    text = headers.get(b"authorization", b"")
    return text[7:].strip() if text[:7].lower() == b"bearer " else b""


def _named(headers: Given, name: bytes, bound: str) -> str:
    value = headers.get(name)
    if not value:
        return bound
    text = value.decode("latin-1")
    if not is_label(text):
        raise bad(f"The header {name.decode()} is no plain name.", mend=_LABELS)
    if bound and text != bound:
        word = name.decode().removeprefix("x-airworthy-")
        raise Refusal(
            403, "key_bound", f"The key is bound to another {word}.",
            mend=f"Leave the header out, or use a key without a {word} of its own.",
        )  # fmt: skip
    return text
