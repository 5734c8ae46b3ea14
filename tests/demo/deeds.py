"""A finished demo as a value, so that claims and wording can be tested without running one."""

from dataclasses import replace
from typing import Any

from airworthy.core.canonical import digest, encode
from airworthy.core.outcome import Reason, ReasonCode
from airworthy.demo.evidence import Evidence, Journal, Kill
from airworthy.demo.inquiries import Inquiry
from airworthy.demo.ledger import Ledger
from airworthy.runtime import State, TaskRow
from airworthy.tools import EffectRow, EffectState

LETTER = Inquiry(
    key="letter-001", sender="a@example.com", subject="Price", body="How much is the Oak Tray?", kind="price",
    expected=frozenset({"answered"}), note="Plain.", unsayable=("secret list",),
)  # fmt: skip
SHOP = Ledger(
    arrivals=1, effects=1, refunds=0, mails=1, distinct_keys=1, duplicates=0, same_content=0, keyless=0,
    tickets_mailed_twice=0, keys_retried=0, replays=0, conflicts=0, faults={},
)  # fmt: skip
EFFECT = EffectRow(
    id="eff_1", task_id="tsk_1", seq=3, agent="support", tool="send_reply", effect="send", state=EffectState.DONE,
    keyed=True, arguments="{}", recipient="a@example.com", day="2025-11-24", created_us=1,
)  # fmt: skip
CLOSED = Journal(outcomes=1, in_doubt=0, started=0, model_calls=2, tool_calls=2)


def closed(
    state: State = State.ANSWERED,
    code: ReasonCode = ReasonCode.DONE,
    text: str = "Answered.",
    number: int = 1,
    **evidence: Any,
) -> TaskRow:
    letter = lettered(number)
    why = Reason(code=code, text=text, evidence=evidence)
    return TaskRow(
        id=f"tsk_{number}", agent="support", policy_hash="sha256:0", trace_id="0" * 32, idempotency_key=letter.key,
        input_digest=digest(encode(letter.message)), session=letter.key, user_id=letter.sender, feature="",
        source="email", priority=0, state=state, created_us=1, changed_us=2, closed_us=2, run=1, reason_code=code,
        reason=why.model_dump_json(), cost_nano=1_000_000,
    )  # fmt: skip


def lettered(number: int) -> Inquiry:
    return replace(LETTER, key=f"letter-{number:03d}")


def evidence(*tasks: TaskRow, **changes: Any) -> Evidence:
    """One letter, answered and mailed, with one kill on the way; `changes` say what was otherwise."""
    tasks = tasks or (closed(),)
    whole = Evidence(
        letters=[lettered(number) for number in range(1, len(tasks) + 1)],
        tasks=tasks,
        journals={task.id: CLOSED for task in tasks},
        effects=[EFFECT],
        at_shop=SHOP,
        keys_at_shop=["eff_1"],
        arrivals_cut_off={"eff_1": ["carried_out"]},
        mails={"letter-001": ["a@example.com\nRe: Price\nThe Oak Tray costs 12.00 EUR."]},
        kills=[Kill(closed=0, under_way=1, cut_off=("eff_1",))],
        kills_planned=1,
        billed_nano=2_000_000,
        unbilled_nano=500_000,
        cap_nano=5_000_000_000,
        told={"opened": 1, "answered": 1},
    )
    return replace(whole, **changes)
