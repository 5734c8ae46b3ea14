"""Carries messages by SMTP, to the address that the egress guard has judged; one message, one recipient."""

import contextlib
import smtplib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final
from urllib.parse import unquote, urlsplit

from airworthy.core.clock import US_PER_S
from airworthy.resilience import TimedOut, bounded, bounded_in_thread
from airworthy.resilience.egress import Egress, EgressRefused, ResolveAsync, checked_addresses_async
from airworthy.review.channel_rule import ChannelRule
from airworthy.review.couriers import ChannelUnset, Later, ReadSecrets, Refused, Result, Secrets, Sent
from airworthy.review.forms import plain_lines
from airworthy.review.message import Message
from airworthy.review.plain_text import cut, defused

# smtp: encrypted once connected (STARTTLS), or not sent; smtps: from the first byte; smtp+plain: never.
_PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_SHAPE: Final = "smtp://user:password@host:587 (smtps:// where TLS comes first)"


@dataclass(frozen=True, slots=True)
class Server:
    """`repr` must not show the password, so it shows the host alone."""

    mode: str
    host: str
    port: int
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Server({self.host!r})"


class MailCourier:
    """By `smtplib`, in a thread of its own for each attempt; the connection of one that takes too long is closed."""

    def __init__(
        self,
        rule: ChannelRule,
        read: ReadSecrets,
        *,
        resolve: ResolveAsync | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._rule = rule
        self._read = read
        self._resolve = resolve
        self._ssl_context = ssl_context

    async def carry(self, message: Message, now_us: int) -> Result:
        try:
            secrets = self._read()
            server = server_of(secrets.address, internal=self._rule.internal)
        except ChannelUnset as error:
            return Later(str(error))
        where = f"The mail server {server.host}"
        session = _Session(server, self._ssl_context, self._rule.timeout_s)
        try:
            addresses = await bounded(lambda: self._addresses(server), self._rule.timeout_s)
            mail = letter(message, self._rule.sender or "", now_us)
            return await bounded_in_thread(
                lambda: session.sent(addresses, mail, where, secrets), self._rule.timeout_s
            )
        except TimedOut:
            return Later(f"{where} did not answer within {self._rule.timeout_s:g} s.")
        except EgressRefused as error:
            return Later(f"{error.message} If it is meant to be inside your network, set internal = true.")
        except Exception as error:  # noqa: BLE001  # of a socket, of TLS or of SMTP: each means it did not arrive
            return Later(f"{where}: {type(error).__name__}: {secrets.scrubbed(str(error))}")
        finally:
            session.abort()

    async def _addresses(self, server: Server) -> tuple[str, ...]:
        egress = Egress(internal=self._rule.internal)
        return await checked_addresses_async(server.host, server.port, egress, resolve=self._resolve)

    async def close(self) -> None:
        """Nothing stays open between messages."""


def letter(message: Message, sender: str, now_us: int) -> EmailMessage:
    """Plain text. The same Message-ID at every attempt, so that mail programs show a repeat once."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = cut(defused(message.content.title), 200)
    mail["From"] = Address("airworthy", addr_spec=sender)
    mail["To"] = Address(addr_spec=message.recipient)
    mail["Date"] = datetime.fromtimestamp(now_us // US_PER_S, UTC)
    mail["Message-ID"] = f"<{message.id}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(plain_lines(message)) + "\n")
    return mail


def server_of(address: str, *, internal: bool) -> Server:
    """Raises: ChannelUnset, which does not repeat the address."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ChannelUnset("The address of the mail server is none.", mend=f"Write {_SHAPE}.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "smtp+plain" and (user or not internal):
        raise ChannelUnset(
            "Mail without encryption is sent only inside your own network, and without a password.",
            mend=f"Write {_SHAPE}; or set internal = true, and leave user and password out.",
        )
    return Server(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], user, password)


class _Session:
    """One connection, in a thread; `abort` is called from outside and ends whatever it is doing."""

    def __init__(self, server: Server, ssl_context: ssl.SSLContext | None, timeout_s: float) -> None:
        self._server = server
        self._context = ssl_context
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._over = False

    def sent(self, addresses: tuple[str, ...], mail: EmailMessage, where: str, secrets: Secrets) -> Result:
        recipient = str(mail["To"])
        # Reading the roots of trust takes tens of milliseconds, so it is done in this thread.
        context = self._context or ssl.create_default_context()
        try:
            with contextlib.closing(self._greeted(addresses, context)) as smtp:
                if self._server.mode == "smtp":
                    smtp.starttls(context=context)
                    self._socket = smtp.sock
                if self._server.user:
                    smtp.login(self._server.user, self._server.password)
                smtp.send_message(mail)
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    smtp.quit()  # It has been taken; how the goodbye goes is of no matter.
        except smtplib.SMTPRecipientsRefused as error:
            code, says = next(iter(error.recipients.values()))
            return _refused(f"{where} refused {recipient}", (code, says), secrets, all_alike=False)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            return _refused(f"{where} refused the message", (error.smtp_code, error.smtp_error), secrets)
        return Sent()

    def abort(self) -> None:
        self._over = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _greeted(self, addresses: tuple[str, ...], context: ssl.SSLContext) -> "_Smtp":
        return _Smtp(self._connected(addresses, context), self._server, self._timeout_s)

    def _connected(self, addresses: tuple[str, ...], context: ssl.SSLContext) -> socket.socket:
        failed: OSError | None = None
        for address in addresses:
            try:
                raw = socket.create_connection((address, self._server.port), self._timeout_s / len(addresses))
            except OSError as error:
                failed = error
                continue
            self._socket = raw
            raw.settimeout(self._timeout_s)
            if self._server.mode == "smtps":
                self._socket = context.wrap_socket(raw, server_hostname=self._server.host)
            if self._over:
                self.abort()
            return self._socket
        assert failed is not None
        raise failed


class _Smtp(smtplib.SMTP):
    """On a connection that is open already: `smtplib` itself would ask for the address of the name again."""

    def __init__(self, opened: socket.socket, server: Server, timeout_s: float) -> None:
        self._opened = opened
        super().__init__(server.host, server.port, local_hostname="localhost", timeout=timeout_s)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002  # the base class calls it so
        return self._opened


def _refused(
    what: str, answer: tuple[int, bytes | str], secrets: Secrets, *, all_alike: bool = True
) -> Result:
    code, says = answer
    text = says.decode("utf-8", "replace") if isinstance(says, bytes) else says
    error = f"{what}: {code} {secrets.scrubbed(text)}"
    # 4xx is a busy server or greylisting; 5xx will not change.
    return Refused(error) if code >= 500 else Later(error, all_alike=all_alike)
