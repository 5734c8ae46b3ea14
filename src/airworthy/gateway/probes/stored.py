"""Answers to the probes as they are stored, a batch for each time a model was asked; decides nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from airworthy.gateway.probes.asking import ProbeAnswer
from airworthy.gateway.probes.fixed import digest_of
from airworthy.recorder import Payloads
from airworthy.store import Tx

_COLUMNS: Final = (
    "id, batch, place, model, probe, prompt_digest, asked_us, answered, fingerprint, versions, text_digest, text,"
    " tokens_in, tokens_out, finish"
)
_INSERT: Final = f"INSERT INTO probes ({_COLUMNS}) VALUES ({', '.join('?' * 15)})"


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one model answered at one time. `id` sorts by time; `model` is the pin."""

    id: str
    place: str
    model: str
    answers: tuple[ProbeAnswer, ...]


def keep(batch: Batch, payloads: Payloads) -> Callable[[Tx], None]:
    """The write. Secrets are taken out of texts; what is compared later is what is stored."""
    clean = payloads.redactor.redact_text
    rows = []
    for number, answer in enumerate(batch.answers):
        text = clean(answer.text)
        packed = payloads.pack(text.encode("utf-8", "surrogatepass"))
        rows.append(
            (
                f"{batch.id}.{number:04}", batch.id, batch.place, batch.model, answer.probe, answer.prompt_digest,
                answer.asked_us, clean(answer.answered), clean(answer.fingerprint),
                clean(json.dumps(dict(answer.versions))), digest_of(text), packed, answer.tokens_in, answer.tokens_out,
                answer.finish,
            )
        )  # fmt: skip

    def op(tx: Tx) -> None:
        for row in rows:
            tx.execute(_INSERT, row)

    return op


def newest(tx: Tx, place: str, before: str = "") -> Batch | None:
    """The newest batch of this place; the newest of those before the batch `before`, if one is named."""
    found = tx.row(
        "SELECT MAX(batch) FROM probes WHERE place = ? AND (? = '' OR batch < ?)", (place, before, before)
    )
    if found is None or found[0] is None:
        return None
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM probes WHERE place = ? AND batch = ? ORDER BY id",
        (place, found[0]),
    )
    answers = tuple(
        ProbeAnswer(
            row[4], row[5], row[6], row[7], row[8], json.loads(row[9]),
            Payloads.unpack(bytes(row[11])).decode("utf-8", "surrogatepass"), row[12], row[13], row[14],
        )
        for row in rows
    )  # fmt: skip
    return Batch(found[0], place, rows[0][3], answers)


def known_fingerprints(tx: Tx, place: str, before: str) -> frozenset[str]:
    """All that any batch of this place before this one had."""
    rows = tx.rows("SELECT DISTINCT fingerprint FROM probes WHERE place = ? AND batch < ?", (place, before))
    return frozenset(row[0] for row in rows)
