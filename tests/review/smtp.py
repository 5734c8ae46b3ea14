"""A tiny mail server on loopback that behaves as told: just the commands that smtplib sends."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass
class Mailbox:
    """`says`: command -> the answer in place of the usual one; `hang` never answers, `close` hangs up."""

    says: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    mails: list[str] = field(default_factory=list)
    envelopes: list[tuple[str, str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = recipient = ""
        if not await self._said(writer, "CONNECT", "220 mail.test"):
            return await self._hang(reader)
        while data := await reader.readline():
            line = data.decode("utf-8", "replace").rstrip("\r\n")
            verb = line.split(" ", maxsplit=1)[0].upper()
            self.commands.append(verb)
            usual = {"EHLO": "250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN", "DATA": "354 go on",
                     "QUIT": "221 bye", "STARTTLS": "220 go on", "AUTH": "235 hello"}.get(verb, "250 ok")  # fmt: skip
            if verb == "EHLO" and self.tls is None:
                usual = "250-mail.test\r\n250 AUTH PLAIN"
            if verb == "MAIL":
                sender = line
            elif verb == "RCPT":
                recipient = line
            elif verb == "AUTH":
                self.logins.append(base64.b64decode(line.split()[-1]).decode())
            if not await self._said(writer, verb, usual):
                return await self._hang(reader)
            if verb == "STARTTLS":
                await writer.start_tls(self.tls)  # type: ignore[arg-type]  # offered only where there is one
            if verb == "DATA" and "DATA" not in self.says:
                mail = (await reader.readuntil(b"\r\n.\r\n")).decode()
                if await self._said(writer, "END", "250 taken"):
                    if "END" not in self.says:
                        self.mails.append(mail)
                        self.envelopes.append((sender, recipient))
                else:
                    return await self._hang(reader)
            if verb == "QUIT":
                break
        return None

    async def _said(self, writer: asyncio.StreamWriter, verb: str, usual: str) -> bool:
        text = self.says.get(verb, usual)
        if text == "hang":
            return False
        if text == "close":
            writer.close()
            raise ConnectionResetError
        writer.write(text.encode() + b"\r\n")
        await writer.drain()
        return True

    async def _hang(self, reader: asyncio.StreamReader) -> None:
        await reader.read()


@contextlib.asynccontextmanager
async def mail_server(
    says: Mapping[str, str] = MappingProxyType({}), *, tls: ssl.SSLContext | None = None, first: bool = False
) -> AsyncIterator[Mailbox]:
    """`tls`: offered by STARTTLS, or with `first` spoken from the first byte."""
    box = Mailbox(dict(says), None if first else tls)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError
        ):
            await box.serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls if first else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
