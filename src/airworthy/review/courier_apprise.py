"""Carries messages by apprise, which reaches a hundred services and connects by itself, past the egress guard."""

import logging
from contextvars import ContextVar
from typing import Final

from airworthy.resilience import TimedOut, bounded_in_thread
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.couriers import ChannelUnset, Later, ReadSecrets, Result, Secrets, Sent
from airworthy.review.forms import plain_lines
from airworthy.review.message import Message
from airworthy.review.plain_text import defused

_ours: ContextVar[bool] = ContextVar("airworthy_apprise", default=False)
_TALKERS: Final = ("apprise", "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
_INSTALL: Final = "pip install 'airworthy[notify]'"


class AppriseCourier:
    """It says only whether a message went, not why not: every failure is tried again."""

    def __init__(self, rule: ChannelRule, read: ReadSecrets) -> None:
        self._rule = rule
        self._read = read
        self._abandoned = False

    async def carry(self, message: Message, now_us: int) -> Result:  # noqa: ARG002  # the port's
        if self._abandoned:
            return Later("An earlier attempt has not ended yet.")
        try:
            secrets = self._read()
        except ChannelUnset as error:
            return Later(str(error))
        body, title = "\n".join(plain_lines(message)), defused(message.content.title)

        def left(_: object) -> None:
            self._abandoned = True

        def ended(_: object) -> None:
            self._abandoned = False

        try:
            return await bounded_in_thread(
                lambda: _notified(secrets, title, body), self._rule.timeout_s, on_abandoned=left, late=ended
            )
        except TimedOut:
            return Later(f"The service did not answer within {self._rule.timeout_s:g} s.")
        except Exception as error:  # noqa: BLE001  # a plugin of apprise may raise anything
            return Later(f"apprise: {type(error).__name__}: {secrets.scrubbed(str(error))}")

    async def close(self) -> None:
        """Nothing stays open between messages."""


def _notified(secrets: Secrets, title: str, body: str) -> Result:
    """In a thread, for its first use alone reads a hundred modules."""
    _ours.set(True)  # In the context of this thread, so it ends with it.
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_NOT_OURS)  # Twice is once.
    try:
        import apprise
    except ImportError:
        return Later(f"A channel of kind 'apprise' needs apprise. Run: {_INSTALL}")
    asset = apprise.AppriseAsset(
        app_id="airworthy", app_desc="airworthy", http_redirects=False, storage_mode="memory", async_mode=False,
        interpret_escapes=False, interpret_emojis=False,
    )  # fmt: skip
    service = apprise.Apprise(asset=asset)
    if not service.add(secrets.address):
        return Later("apprise does not know the address. Write it as its list of services does.")
    went = bool(service.notify(body=body, title=title, body_format="text"))
    return Sent() if went else Later("apprise could not deliver it, and does not say why.")


class _NotOurs(logging.Filter):
    """apprise and what it connects with log addresses and what is sent. Others in this process keep their log of it."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  # logging's
        return not _ours.get()


_NOT_OURS: Final = _NotOurs()
