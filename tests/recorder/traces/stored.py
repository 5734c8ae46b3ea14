"""A store of made-up traces, and the same traces as plain values with a filter that knows no index."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from airworthy.recorder.tables import MIGRATIONS
from airworthy.recorder.traces import facets
from airworthy.recorder.traces import text as text_index
from airworthy.recorder.traces.find import TraceRow
from airworthy.recorder.traces.query import Amount, Labels, Moment, Query, Term, Words
from airworthy.store import Database, Tx, migrate
from tests.database import memory

_NAMES = tuple(TraceRow.__dataclass_fields__)
_INSERT = f"INSERT INTO traces ({', '.join(_NAMES)}) VALUES ({', '.join('?' for _ in _NAMES)})"
_COMPARED = {
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """`labels`: beside those of the row, what can have several values. `texts`: one for each entry of the index."""

    row: TraceRow
    labels: tuple[tuple[str, str], ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def valued(self) -> set[tuple[str, str]]:
        row = self.row
        own = {
            "agent": row.agent, "release": row.release, "session": row.session, "user": row.user_id,
            "feature": row.feature, "outcome": row.outcome or "", "origin": row.origin,
        }  # fmt: skip
        return {(key, value) for key, value in (*own.items(), *self.labels) if value}


def row(number: int, at_us: int, **more: object) -> TraceRow:
    plain = TraceRow(
        f"{number:032x}", "otlp", f"{number:032x}", "support", "", "", "", "", "handle", at_us, at_us, at_us + 5, 5,
        "answered", None, 3, 1, 1, 0, 0, 10, 5, 1_000, 0, None,
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]  # fields by name


def stored(made: Sequence[Made]) -> Database:
    database = memory()
    migrate(database, MIGRATIONS)
    add(database, made)
    return database


def add(database: Database, made: Sequence[Made]) -> None:
    def op(tx: Tx) -> None:
        for one in made:
            tx.execute(_INSERT, tuple(getattr(one.row, name) for name in _NAMES))
            facets.note(tx, one.row.id, one.row.at_us, one.valued)
            texts = [text_index.words_of([each]) for each in one.texts]
            text_index.index_all(tx, [text_index.Doc(one.row.id, one.row.at_us, each) for each in texts])

    database.write_now(op)


def fits(made: Made, query: Query) -> bool:
    allowed = query.agents is None or made.row.agent in query.agents
    return allowed and all(_fits(made, term) for term in query.terms)


def expected(made: Sequence[Made], query: Query) -> list[str]:
    found = [one.row for one in made if fits(one, query)]
    return [one.id for one in sorted(found, key=lambda one: (one.at_us, one.id), reverse=True)]


def _fits(made: Made, term: Term) -> bool:
    match term:
        case Labels():
            return term.negated != any(
                _has(made, term.key, value.text, value.prefix) for value in term.values
            )
        case Amount():
            known = {"cost": made.row.cost_nano, "duration": made.row.duration_us, "steps": made.row.steps}[
                term.key
            ]
            return known is not None and bool(_COMPARED[term.comparison](known, term.number))
        case Moment():
            return made.row.at_us >= term.at_us if term.key == "since" else made.row.at_us < term.at_us
        case Words():
            wanted = re.findall("[a-z0-9]+", term.text.lower())
            spoken = [word for text in made.texts for word in re.findall("[a-z0-9]+", text.lower())]
            there = [
                any(
                    word.startswith(each) if term.prefix and each is wanted[-1] else word == each
                    for word in spoken
                )
                for each in wanted
            ]
            return term.negated != all(there)


def _has(made: Made, key: str, value: str, prefix: bool) -> bool:
    if key == "is":
        row = made.row
        return {"open": row.duration_us is None, "error": row.errors > 0, "unpriced": row.unpriced > 0}[value]
    values = [made.row.id] if key == "id" else [text for field, text in made.valued if field == key]
    return any(each.startswith(value) if prefix else each == value for each in values)


def population(seed: int, number: int) -> list[Made]:
    """Many of a moment, many alike, and some of everything that is rare."""
    chance = random.Random(seed)
    vocabulary = ["refund", "refunds", "teapot", "order", "late", "the", "x1", "nobody"]
    made = []
    for place in range(number):
        at_us = 1_000_000 + chance.randrange(number // 2) * 1_000
        outcome = chance.choice([None, "answered", "answered", "escalated", "declined"])
        labels = [
            ("tool", chance.choice(["look", "refund", "refuse", "mail"])) for _ in range(chance.randrange(3))
        ]
        labels += [("error", chance.choice(["timeout", "rate"]))] * (chance.random() < 0.3)
        labels += [("model", chance.choice(["gpt-5-a", "gpt-5-b", "gpt-50", "sonnet"]))]
        texts = [
            " ".join(chance.choices(vocabulary, (9, 3, 5, 5, 3, 30, 1, 0.2), k=chance.randrange(1, 5)))
            for _ in range(chance.choice([0, 1, 1, 1, 2, 3]))
        ]
        one = row(
            chance.getrandbits(60), at_us, origin=chance.choice(["otlp", "otlp", "task", "import"]),
            agent=chance.choice(["support", "support", "billing", "Ünï cöde", "", "a,b"]), outcome=outcome,
            duration_us=None if outcome is None else chance.randrange(100), steps=chance.randrange(30),
            user_id=f"u-{place}" if chance.random() < 0.5 else "", session=f"s{chance.randrange(40)}",
            feature=chance.choice(["", "f1", "f2"]), errors=chance.randrange(2), unpriced=chance.randrange(2),
            cost_nano=chance.choice([None, 0, 1_000, 50_000_000]), release=f"r{place // 50}",
        )  # fmt: skip
        made.append(Made(one, tuple(labels), tuple(texts)))
    return made
