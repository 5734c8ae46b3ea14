"""A store as it might look after some days of work: several agents, each in its own way, and things that wait.

Every number comes from a seed, so that a test can count with it and a screenshot looks the same tomorrow.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.recorder import rollups
from airworthy.recorder.alerts import Alert, raised
from airworthy.recorder.rollups import Change
from airworthy.recorder.traces import facets
from airworthy.runtime.switches import Switch, set_off
from airworthy.store import Database, Tx

HOUR_US: Final = 3_600 * US_PER_S
OUTCOMES: Final = ("answered", "declined", "escalated", "dead_lettered", "cancelled")


@dataclass(frozen=True, slots=True)
class Kind:
    """`ends`: weights of OUTCOMES. `turn`: from so many hours ago on it escalates much more often."""

    agent: str
    per_hour: float
    ends: tuple[int, int, int, int, int]
    typical_s: float
    cost_usd: float
    model: str
    tools: tuple[str, ...]
    features: tuple[str, ...]
    sentences: tuple[str, ...]
    origin: str = "task"
    priced: bool = True
    turn: float = 0.0


KINDS: Final = (
    Kind("refunds", 22, (88, 4, 6, 1, 1), 8.0, 0.012, "gpt-5-mini-2026-07-01", ("order_find", "refund", "email_send"),
         ("web", "phone"), ("Refunded 42.10 EUR for order 8812 and e-mailed the customer.",
                            "Found order 7710; asked a person because the refund is above 200 EUR.",
                            "Told the customer that the order is too old for a refund."), turn=3.0),
    Kind("support", 61, (93, 3, 3, 0, 1), 4.2, 0.006, "claude-haiku-4-5", ("kb_search", "ticket_open"),
         ("chat", "mail"), ("Answered how to reset a password from two articles.",
                            "Opened ticket 4411 for a parcel that did not arrive.",
                            "Could not find the invoice, so it handed the question to the billing team.")),
    Kind("invoice-reader", 14, (97, 1, 2, 0, 0), 16.0, 0.031, "gpt-5-2026-06-10", ("ocr", "ledger_write"),
         ("inbox",), ("Read invoice INV-2026-118 of 1,290.00 EUR and wrote it to the ledger.",
                      "Read an invoice without a date and asked a person for it.")),
    Kind("onboarding", 5, (90, 6, 4, 0, 0), 35.0, 0.055, "gpt-5-2026-06-10", ("crm_read", "account_create"),
         ("signup",), ("Created an account for Delta Foods and sent the welcome mail.",)),
    Kind("price-watch", 30, (100, 0, 0, 0, 0), 2.1, 0.0, "llama-4-local", ("fetch_price",), ("hourly",),
         ("Checked 14 prices; none changed by more than 2 %.",), priced=False),
    Kind("research-crew", 3, (80, 0, 5, 5, 10), 240.0, 0.42, "claude-opus-4-5", ("web_search", "summarise"), ("",),
         ("Summarised 11 pages about cold chain rules.",), origin="otlp"),
    Kind("contract-check", 4, (70, 20, 10, 0, 0), 48.0, 0.09, "gpt-5-2026-06-10", ("clause_find",), ("legal",),
         ("Found two clauses about liability and marked them for the lawyers.",)),
    Kind("hr-letters", 2, (95, 5, 0, 0, 0), 12.0, 0.02, "claude-haiku-4-5", ("letter_write",), ("hr",),
         ("Wrote a reference letter and left it for signature.",)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """One row as it is written, with what a naive count needs."""

    id: str
    kind: Kind
    at_us: int
    outcome: str | None
    duration_us: int | None
    cost_nano: int | None
    steps: int
    errors: int
    retries: int
    unpriced: int
    feature: str
    release: str
    sentence: str
    error_type: str | None
    user: str
    trace_id: str


def traces(now_us: int, hours: float, seed: int = 7, share: float = 1.0) -> Iterator[Trace]:
    """Of the last so many hours. `share`: of the traffic."""
    chance = random.Random(seed)
    for kind in KINDS:
        at_us = now_us - round(hours * HOUR_US)
        while True:
            hour = (at_us // HOUR_US) % 24
            daily = 0.35 + 0.65 * math.sin(math.pi * ((hour - 5) % 24) / 24) ** 2
            at_us += round(chance.expovariate(kind.per_hour * daily * share) * HOUR_US)
            if at_us >= now_us:
                break
            yield _trace(kind, at_us, now_us, chance)


def _trace(kind: Kind, at_us: int, now_us: int, chance: random.Random) -> Trace:
    ends = list(kind.ends)
    turned = kind.turn and at_us > now_us - kind.turn * HOUR_US
    if turned:
        ends[2], ends[3] = ends[2] * 5, ends[3] * 6
    duration_us = round(kind.typical_s * chance.lognormvariate(0, 0.6) * (2.5 if turned else 1) * US_PER_S)
    is_open = at_us + duration_us > now_us or chance.random() < 0.002
    outcome = None if is_open else chance.choices(OUTCOMES, ends)[0]
    errors = int(chance.random() < (0.4 if turned else 0.05)) + (outcome == "dead_lettered")
    steps = 2 + chance.randrange(9)
    cost = round(kind.cost_usd * chance.lognormvariate(0, 0.5) * 1e9)
    letters = "0123456789abcdefghjkmnpqrstvwxyz"
    id_ = "".join(chance.choice(letters) for _ in range(16))
    millis = at_us // 1000
    head = "".join(letters[millis >> 5 * place & 31] for place in range(9, -1, -1))
    trace_id = f"{chance.getrandbits(128):032x}"
    return Trace(
        id=trace_id if kind.origin == "otlp" else f"tsk_{head}{id_}",
        kind=kind,
        at_us=at_us,
        outcome=outcome,
        duration_us=None if is_open else duration_us,
        cost_nano=cost if kind.priced else None,
        steps=steps,
        errors=errors,
        retries=int(chance.random() < 0.08),
        unpriced=0 if kind.priced else 2,
        feature=chance.choice(kind.features),
        release="a41c9e02d77b" if at_us < now_us - 20 * HOUR_US else "5be01f6a9c33",
        sentence=chance.choice(kind.sentences),
        error_type="TimeoutError" if errors else None,
        user=f"u{chance.randrange(400)}",
        trace_id=trace_id,
    )


def write(tx: Tx, trace: Trace) -> None:
    kind = trace.kind
    ended_us = None if trace.duration_us is None else trace.at_us + trace.duration_us
    columns = {
        "id": trace.id, "origin": kind.origin, "trace_id": trace.trace_id, "agent": kind.agent,
        "release": trace.release, "session": "", "user_id": trace.user, "feature": trace.feature, "name": kind.agent,
        "at_us": trace.at_us, "started_us": trace.at_us, "ended_us": ended_us, "duration_us": trace.duration_us,
        "outcome": trace.outcome, "error_type": trace.error_type, "steps": trace.steps,
        "model_calls": trace.steps // 2, "tool_calls": trace.steps - trace.steps // 2, "errors": trace.errors,
        "retries": trace.retries, "tokens_in": 900 * trace.steps, "tokens_out": 120 * trace.steps,
        "cost_nano": trace.cost_nano, "unpriced": trace.unpriced, "sentence": trace.sentence,
    }  # fmt: skip
    marks = ", ".join("?" for _ in columns)
    tx.execute(f"INSERT INTO traces ({', '.join(columns)}) VALUES ({marks})", tuple(columns.values()))
    facets.note(tx, trace.id, trace.at_us, [
        ("agent", kind.agent), ("release", trace.release), ("user", trace.user), ("feature", trace.feature),
        ("outcome", trace.outcome or ""), ("error", trace.error_type or ""), ("model", kind.model),
        ("origin", kind.origin), *(("tool", tool) for tool in kind.tools),
    ])  # fmt: skip
    rollups.add(
        tx, trace.at_us, rollups.series_id(tx, kind.agent, trace.release, trace.feature), change_of(trace)
    )


def hostile(like: Trace, id_: str, text: str) -> Trace:
    """The same with this text wherever somebody else writes one. Labels are as long as their columns let them be."""
    kind = replace(
        like.kind, agent=text[:300], model=text[:100], tools=(text[:100],), features=(text,), origin="otlp"
    )
    return replace(
        like, id=id_, trace_id=id_, kind=kind, sentence=text, feature=text, release=text, user=text, error_type=text,
        errors=1, outcome=text[:50],
    )  # fmt: skip


def change_of(trace: Trace) -> Change:
    change = Change()
    change.add("opened")
    for name in ("steps", "errors", "retries"):
        change.add(name, getattr(trace, name))
    change.add("model_calls", trace.steps // 2)
    change.add("priced" if trace.cost_nano is not None else "unpriced", trace.steps // 2)
    change.add("cost_nano", trace.cost_nano or 0)
    if trace.outcome is not None and trace.duration_us is not None:
        change.add(trace.outcome)
        change.add("ended")
        change.add("duration_us", trace.duration_us)
        change.values.append(("duration", trace.duration_us, 1))
    return change


def fill(database: Database, now_us: int, hours: float, *, seed: int = 7, share: float = 1.0) -> list[Trace]:
    """Traces alone."""
    made = list(traces(now_us, hours, seed, share))
    for first in range(0, len(made), 500):
        database.write_now(_writing(made[first : first + 500]))
    return made


def _writing(batch: Sequence[Trace]) -> Callable[[Tx], None]:
    def op(tx: Tx) -> None:
        for each in batch:
            write(tx, each)

    return op


def trouble(tx: Tx, now_us: int) -> None:
    """An alert of each severity, and a switch that somebody has set."""
    said = "Refunds fail: the payment service answers 503"
    text = "14 of the last 20 calls of `refund` failed.\nThe breaker opens at 15."
    raised(tx, Alert("refund-limit", "tool", "refunds", "critical", said, text), now_us - 540 * US_PER_S)
    said = "The tool crm_read answers with another schema"
    text = "The field `vat_id` is missing since 04:10."
    raised(tx, Alert("schema:crm", "schema", "onboarding", "warning", said, text), now_us - 5 * HOUR_US)
    why = "wrong clauses since noon, until the new prompt is out"
    set_off(tx, Switch("agent:contract-check", "dana", why, now_us - 2 * HOUR_US))
