"""Answers of real models, kept so that a later preflight need not ask again where the request is the same."""

import re
import threading
from typing import Final, Protocol

from airworthy.core.canonical import digest
from airworthy.gateway import place_of
from airworthy.gateway.upstream import Sent
from airworthy.policy import ModelRule
from airworthy.recorder import Payloads
from airworthy.store import Database, Tx

ANSWER_BYTES_MAX: Final = 1024 * 1024
# Of ours, anew in every trial, and they mean nothing to a model.
_IDS: Final = re.compile(rb"\b(?:eff|tsk|que)_[0-9a-z]{20,40}")
_DUE: Final = re.compile(rb'(?<!\\)(\\*"due\\*":\s*\\*")[^"\\]+')


class Answers(Protocol):
    def find(self, key: bytes) -> bytes | None: ...

    def keep(self, key: bytes, body: bytes, user: str, now_us: int) -> None: ...


def answer_key(rule: ModelRule, sent: Sent, repeat: int) -> bytes:
    """The request without ids that differ each time. Each repeat of a case has answers of its own: else all repeats
    would be one.
    """
    names: dict[bytes, bytes] = {}

    def numbered(found: re.Match[bytes]) -> bytes:
        return names.setdefault(found[0], b"id_%d" % len(names))

    body = _DUE.sub(rb"\1later", _IDS.sub(numbered, sent.body))
    return digest(place_of(rule).encode(), sent.path.encode(), body, b"%d" % repeat)


class StoredAnswers:
    """In the project's database; any thread may ask."""

    def __init__(self, database: Database, payloads: Payloads, agent: str) -> None:
        self._database = database
        self._payloads = payloads
        self._agent = agent
        self._near: dict[bytes, bytes] = {}
        self._turn = threading.Lock()

    def find(self, key: bytes) -> bytes | None:
        with self._turn:
            found = self._near.get(key)
        if found is not None:
            return found
        row = self._database.read_now(
            lambda tx: tx.row("SELECT body FROM model_answers WHERE key = ?", (key,))
        )
        return None if row is None else self._payloads.unpack(bytes(row[0]))

    def keep(self, key: bytes, body: bytes, user: str, now_us: int) -> None:
        """What holds a secret, or is very long, is not kept."""
        clean, hidden = self._payloads.redactor.redact_bytes(body)
        if hidden or len(body) > ANSWER_BYTES_MAX:
            return
        with self._turn:
            self._near[key] = body
        row = (key, self._agent, user, now_us, self._payloads.pack(clean))

        def write(tx: Tx) -> None:
            tx.execute(
                'INSERT INTO model_answers (key, agent, "user", at_us, body) VALUES (?, ?, ?, ?, ?)'
                " ON CONFLICT (key) DO UPDATE SET at_us = excluded.at_us, body = excluded.body",
                row,
            )

        self._database.write_now(write)
