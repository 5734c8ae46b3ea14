"""Carries messages by apprise, which reaches a hundred services and connects by itself, past the egress guard."""

import logging
from contextvars import ContextVar
from typing import Any, Final

from airworthy.core.errors import ConfigError
from airworthy.resilience import TimedOut, bounded_in_thread
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.couriers import ChannelUnset, Later, ReadSecrets, Result, Secrets, Sent
from airworthy.review.forms import plain_lines
from airworthy.review.message import Message
from airworthy.review.plain_text import defused

_ours: ContextVar[bool] = ContextVar("airworthy_apprise", default=False)
_INSTALL: Final = "pip install 'airworthy[notify]'"


class AppriseCourier:
    """It says only whether a message went, not why not: every failure is tried again."""

    def __init__(self, rule: ChannelRule, read: ReadSecrets) -> None:
        self._rule = rule
        self._read = read
        self._abandoned = 0

    async def carry(self, message: Message, now_us: int) -> Result:  # noqa: ARG002  # the port's
        if self._abandoned:
            return Later("An earlier attempt has not ended yet.")
        try:
            secrets = self._read()
            sender = opened(secrets)
        except ChannelUnset as error:
            return Later(str(error))
        body, title = "\n".join(plain_lines(message)), defused(message.content.title)

        def notify() -> bool:
            _ours.set(True)  # In this thread's own context, so it ends with it.
            return bool(sender.notify(body=body, title=title, body_format="text"))

        def done(_: object) -> None:
            self._abandoned = 0

        def left(_: object) -> None:
            self._abandoned = 1

        try:
            went = await bounded_in_thread(notify, self._rule.timeout_s, on_abandoned=left, late=done)
        except TimedOut:
            return Later(f"The service did not answer within {self._rule.timeout_s:g} s.")
        except Exception as error:  # noqa: BLE001  # a plugin of apprise may raise anything
            return Later(f"apprise: {type(error).__name__}: {secrets.scrubbed(str(error))}")
        return Sent() if went else Later("apprise could not deliver it, and does not say why.")

    async def close(self) -> None:
        """Nothing stays open between messages."""


def opened(secrets: Secrets) -> Any:
    """Raises: ConfigError without apprise, ChannelUnset for an address that it does not know."""
    try:
        import apprise
    except ImportError as error:
        raise ConfigError("A channel of kind 'apprise' needs apprise.", mend=f"Run: {_INSTALL}") from error
    _silence()
    asset = apprise.AppriseAsset(
        app_id="airworthy", app_desc="airworthy", http_redirects=False, storage_mode="memory", async_mode=False,
        interpret_escapes=False, interpret_emojis=False,
    )  # fmt: skip
    made = apprise.Apprise(asset=asset)
    token = _ours.set(True)
    try:
        known = made.add(secrets.address)
    finally:
        _ours.reset(token)
    if not known:
        raise ChannelUnset(
            "apprise does not know the address.", mend="Write it as apprise's list of services does."
        )
    return made


class _NotOurs(logging.Filter):
    """apprise logs addresses and what is sent. Its users in this process keep their log; ours stays out of it."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  # logging's
        return not _ours.get()


_FILTER: Final = _NotOurs()


def _silence() -> None:
    logging.getLogger("apprise").addFilter(_FILTER)  # Twice is once.
