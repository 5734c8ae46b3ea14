"""What counts as failing when something fails, and what is sound. Pure: trials are written out."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from airworthy.core.outcome import Outcome
from airworthy.evals import Act, Asked, Case, Expect, ToolExpect, ToolUse, Trial
from airworthy.policy import Policy
from airworthy.preflight.faults.damage import EXTRA_NAME
from airworthy.preflight.oracle import Target, unsound
from airworthy.preflight.plan import Golden
from airworthy.preflight.stage.recording import Recording
from airworthy.preflight.stage.script import Played
from airworthy.recorder import Recorded, StepFacts, StepState
from airworthy.resilience.chaos import Fault, When
from airworthy.tools import Tool, tool
from tests.preflight.kit import policy_of

ORDER = '{"id":1001,"status":"shipped","paid_cents":1250,"placed":"2026-11-03"}'
REFUND = {"order_id": 1001, "cents": 1250, "reason": "It came broken, sorry."}
MAIL = {"to": "ada@x.example", "body": "Dear Ada, 12.50 EUR of order 1001 are on their way to you."}


@tool
async def get_order(order_id: int) -> dict[str, Any]:
    """Reads."""
    return {}


@tool(effect="write", keyed=True)
async def refund(order_id: int, cents: int, reason: str, *, idempotency_key: str) -> dict[str, Any]:
    """Pays back."""
    return {}


@tool(effect="send")
async def send_mail(to: str, body: str) -> str:
    """Sends, and knows no keys."""
    return ""


@tool(effect="delete")
async def close_account(customer: str) -> str:
    """Deletes."""
    return ""


@tool(effect="write")
async def open_ticket(text: str) -> str:
    """Asks a colleague."""
    return ""


TOOLS: Mapping[str, Tool] = {
    each.name: each for each in (get_order, refund, send_mail, close_account, open_ticket)
}
CASE = Case(id="refund", input="Please refund order 1001, it is broken.", user="ada@x.example")
LOOKED = ToolUse("get_order", {"order_id": 1001}, "read", 2, {"id": 1001})
PAID = ToolUse("refund", REFUND, "write", 4, {"ok": True})
MAILED = ToolUse("send_mail", MAIL, "send", 6, "sent")
USUAL = Trial(
    case="refund", outcome=Outcome.ANSWERED, reason="done", text="Answered.", answer="12.50 EUR are refunded.",
    tools=(LOOKED, PAID, MAILED), acts=(Act("refund", REFUND), Act("send_mail", MAIL)), heard=(ORDER, '{"ok":true}'),
    steps=8, cost_nano=1_000,
)  # fmt: skip
ESCALATED = replace(
    USUAL, outcome=Outcome.ESCALATED, reason="tool_failure", text="get_order: HTTP 500", answer=None, tools=(
        replace(LOOKED, result=None, error="ToolUnavailable", attempts=3),
    ), acts=(), heard=("get_order: HTTP 500",),
)  # fmt: skip

ANSWERED = replace(ESCALATED, outcome=Outcome.ANSWERED, reason="done", text="Answered.", answer="I am sorry.")


def _recording(trial: Trial) -> Recording:
    asked = {
        "messages": [{"role": "system", "content": "Our shop is at 12 Long Street. Returns take 30 days."}]
    }
    steps = [
        _step(0, "input", {}), _step(1, "model", asked),
        *(_step(use.seq, "tool", dict(use.arguments), use) for use in trial.tools),
    ]  # fmt: skip
    return Recording("refund", tuple(steps))


def _step(seq: int, kind: str, arguments: Any, use: ToolUse | None = None) -> Recorded:
    return Recorded(
        seq, 1, kind, use.name if use else kind, b"k", StepState.DONE, use.effect if use else None, True,
        1_790_000_000_000_000, None, None, arguments, use.result if use else None, None, StepFacts(),
    )  # fmt: skip


def _found(
    trial: Trial, kind: str = "http_500", when: When = "always", on: str = "get_order", *,
    case: Case = CASE, usual: Trial = USUAL, policy: Policy | None = None,
) -> list[str]:  # fmt: skip
    call = next((use for use in usual.tools if use.name == on), None)
    target = (
        Target("model", "pin", 1, 1, Fault(kind, when))
        if call is None
        else Target("tool", on, 1, call.seq, Fault(kind, when), dict(call.arguments))
    )
    golden = Golden(case, Played(usual, _recording(usual)))
    found = unsound(policy or policy_of(), TOOLS, golden, target, Played(trial, _recording(trial)))
    assert all(finding.text for finding in found)
    return [finding.kind for finding in found]


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        (USUAL, "it got through"),
        (ESCALATED, "a person was asked"),
        (replace(ESCALATED, outcome=Outcome.DEAD_LETTERED), "it was given up with a reason"),
        (replace(ESCALATED, outcome=Outcome.DECLINED, reason="agent_declined", text="Not now."), "it was declined"),
        (replace(ANSWERED, answer="I cannot look it up now."), "it says so"),
        (replace(ANSWERED, answer="Returns take 30 days."), "its instructions say it"),
        (replace(ANSWERED, answer="Order 1001 is noted."), "the letter says it"),
        (replace(ESCALATED, acts=(Act("open_ticket", {"text": "Look into order 1001."}),)), "a colleague was asked"),
    ],
)  # fmt: skip
def test_what_is_sound_when_a_tool_keeps_failing(trial: Trial, why: str) -> None:
    assert _found(trial) == [], why


@pytest.mark.parametrize(
    ("trial", "kind"),
    [
        (replace(ESCALATED, outcome=None, reason="hangs", text="given up"), "no_outcome"),
        (replace(ESCALATED, outcome=None, reason="waits", text="nobody knows for what"), "no_outcome"),
        (replace(ESCALATED, outcome=Outcome.DEAD_LETTERED, reason="agent_error", text="KeyError: 'id'"), "crash"),
        (replace(USUAL, acts=(Act("refund", REFUND, times=2), Act("send_mail", MAIL))), "duplicate_effect"),
        (replace(USUAL, acts=(*USUAL.acts, Act("send_mail", {**MAIL, "body": "Sorry again."}))), "duplicate_effect"),
        (replace(USUAL, acts=(Act("refund", {**REFUND, "cents": 1001}), Act("send_mail", MAIL))), "wrong_effect"),
        (replace(ESCALATED, acts=(Act("send_mail", {"to": "eve@x.example", "body": "Hello."}),)), "wrong_effect"),
        (replace(ESCALATED, acts=(Act("close_account", {"customer": "ada@x.example"}),)), "wrong_effect"),
        (replace(ANSWERED, answer="12.50 EUR are refunded."), "ungrounded"),
        (replace(ESCALATED, acts=(Act("send_mail", MAIL),)), "ungrounded"),
        (replace(USUAL, steps=21), "limit"),
        (replace(USUAL, cost_nano=600_000_000), "limit"),
        (replace(USUAL, seconds=140.0), "limit"),
    ],
)  # fmt: skip
def test_what_is_not(trial: Trial, kind: str) -> None:
    assert kind in _found(trial)


def test_other_words_for_the_same_effect_are_no_other_effect() -> None:
    mail = {**MAIL, "body": "Ada, good news: your 12.50 EUR come back."}
    other = replace(USUAL, acts=(Act("refund", {**REFUND, "reason": "Broken."}), Act("send_mail", mail)))

    assert _found(other, "http_500", "once") == []


def test_a_fact_may_be_told_as_known_beforehand() -> None:
    golden = Golden(CASE, Played(USUAL, _recording(USUAL)))
    target = Target("tool", "get_order", 1, 2, Fault("http_500", "always"), {"order_id": 1001})
    trial = replace(ANSWERED, answer="We cannot look now. Call 080012345.")
    now = Played(trial, _recording(trial))

    assert [each.kind for each in unsound(policy_of(), TOOLS, golden, target, now)] == ["ungrounded"]
    assert unsound(policy_of(), TOOLS, golden, target, now, ("Call 080012345.",)) == ()


def test_what_a_run_draws_anew_is_no_other_argument() -> None:
    mail = {**MAIL, "reference": "3d0c7a52-11aa", "at": "2026-11-26T12:00:09Z"}
    other = {**MAIL, "reference": "99ffe021-77bb", "at": "2026-11-26T12:04:31Z"}
    usual, now = (
        replace(USUAL, acts=(Act("refund", REFUND), Act("send_mail", each))) for each in (mail, other)
    )
    recording = _recording(now)
    drawn = replace(recording.steps[0], seq=9, kind="free", name="uuid", result="99ffe021-77bb")
    golden = Golden(CASE, Played(usual, _recording(usual)))
    target = Target("tool", "get_order", 1, 2, Fault("timeout"), {"order_id": 1001})

    with_it = Played(now, replace(recording, steps=(*recording.steps, drawn)))
    assert unsound(policy_of(), TOOLS, golden, target, with_it) == ()
    without = unsound(policy_of(), TOOLS, golden, target, Played(now, recording))
    assert "wrong_effect" in [finding.kind for finding in without]


def test_an_effect_may_follow_data_that_the_fault_made_and_nothing_else() -> None:
    heard = ORDER.replace("1250", "1125")
    followed = replace(
        USUAL, acts=(Act("refund", {**REFUND, "cents": 1125}),), heard=(heard, '{"ok":true}'), answer="Done.",
        tools=(replace(LOOKED, result={"paid_cents": 1125}), PAID, replace(MAILED, error="")),
    )  # fmt: skip

    assert _found(followed, "stale", "once") == []
    assert "wrong_effect" in _found(replace(followed, heard=(ORDER,)), "stale", "once")
    assert "wrong_effect" in _found(followed, "http_500", "once")


def test_an_effect_that_failed_is_not_told_as_answered() -> None:
    failed = replace(
        USUAL, answer="All is done.", acts=(Act("send_mail", {**MAIL, "body": "All is done."}),),
        tools=(LOOKED, replace(PAID, result=None, error="ToolFailed"), MAILED),
    )  # fmt: skip
    optional = policy_of(tools={"refund": {"critical": False}})

    assert _found(failed, "http_404", "always", "refund") == ["missing_effect"]
    assert _found(failed, "http_404", "always", "refund", policy=optional) == []
    admitted = replace(failed, answer="The refund could not be made.")
    assert _found(admitted, "http_404", "always", "refund") == []
    usual, same = (replace(each, answer="Refunded. Do not reply.") for each in (USUAL, failed))
    assert _found(same, "http_404", "always", "refund", usual=usual) == ["missing_effect"]
    escalated = replace(failed, outcome=Outcome.ESCALATED)
    assert _found(escalated, "http_404", "always", "refund") == []


def test_what_nobody_could_know_is_nobodys_fault() -> None:
    reported = replace(USUAL, acts=(Act("send_mail", MAIL),))
    expect = Expect(acts=(ToolExpect(name="refund"), ToolExpect(name="send_mail")), facts=("12.50",))
    case = CASE.model_copy(update={"expect": expect})

    assert _found(reported, "not_done", "once", "refund") == []
    assert _found(reported, "not_done", "once", "refund", case=case) == []
    assert _found(replace(reported, answer="Done."), "not_done", "once", "refund", case=case) == ["facts"]


def test_one_fault_that_passes_must_not_cost_the_answer() -> None:
    tried_once = replace(ESCALATED, tools=(replace(LOOKED, result=None, error="ToolUnavailable"),))

    assert _found(tried_once, "http_500", "once") == ["not_retried"]
    assert _found(tried_once, "http_500", "always") == []
    assert _found(tried_once, "http_401", "once") == []
    assert _found(replace(ESCALATED, reason="model_failure", tools=()), "http_429", "once", "model") == [
        "not_retried"
    ]


def test_a_field_that_nobody_asked_for_must_change_nothing() -> None:
    looked = replace(LOOKED, result={"id": 1001, EXTRA_NAME: "?"})
    put_off = replace(
        USUAL, outcome=Outcome.ESCALATED, reason="agent_escalated", answer=None, tools=(looked,), acts=()
    )

    assert _found(put_off, "extra_field", "once") == ["outcome"]
    assert _found(replace(put_off, tools=(replace(looked, result={"id": 1}),)), "stale", "once") == []


def test_an_act_without_a_key_is_rightly_left_in_doubt() -> None:
    doubt = replace(USUAL, outcome=Outcome.ESCALATED, reason="in_doubt", answer=None, tools=(
        LOOKED, PAID, replace(MAILED, result=None, error="ToolUnavailable")))  # fmt: skip

    assert _found(doubt, "reset_after", "once", "send_mail") == []


def test_an_answer_after_a_fault_that_passed_is_as_good_as_ever() -> None:
    case = CASE.model_copy(update={"expect": Expect(facts=("12.50",))})

    assert _found(replace(USUAL, answer="Done."), "timeout", "once", case=case) == ["facts"]
    assert _found(replace(USUAL, answer="Done."), "timeout", "always", case=case) == []


def test_a_refused_credential_may_wait_for_a_person() -> None:
    waits = replace(ESCALATED, outcome=None, reason="waits", text="somebody to mend it")

    assert _found(waits, "http_401") == []
    assert _found(waits, "http_500") == ["no_outcome"]


def test_what_the_case_forbids_is_forbidden_whatever_fails() -> None:
    expect = Expect(
        not_facts=("secret",), approval=("refund",), no_acts=False, not_tools=("close_account",),
        acts=(ToolExpect(name="refund"), ToolExpect(name="send_mail")), json_schema={"type": "object"},
    )  # fmt: skip
    case = CASE.model_copy(update={"expect": expect})
    asked = replace(USUAL, asked=(Asked("refund", "12.50", "yes"),), answer={"ok": 1})

    assert _found(asked, case=case, usual=asked) == []
    assert _found(replace(asked, asked=()), case=case, usual=asked) == ["approval"]
    assert _found(replace(asked, answer={"is": "secret"}), case=case, usual=asked) == ["not_facts"]
    assert _found(replace(asked, answer="text"), case=case, usual=asked) == ["json_schema"]
    ticket = replace(ESCALATED, acts=(Act("open_ticket", {"text": "?"}),))
    assert _found(ticket, case=case, usual=asked) == ["wrong_effect"]


def test_what_the_golden_run_has_from_elsewhere_is_passed_over() -> None:
    usual = replace(USUAL, answer="Call 555-0100-22, or quote 77123.")
    failing = replace(ESCALATED, outcome=Outcome.ANSWERED, reason="done", answer="Please quote 77123.")

    assert _found(failing, usual=usual) == []
    assert _found(replace(failing, answer="Please quote 77124."), usual=usual) == ["ungrounded"]


@pytest.mark.parametrize(
    "answer", ["No problem! All is done.", "Done. Please do not hesitate to write again."]
)
def test_a_courtesy_admits_no_failure(answer: str) -> None:
    failed = replace(
        USUAL, answer=answer, acts=(Act("send_mail", {**MAIL, "body": "All is done."}),),
        tools=(LOOKED, replace(PAID, result=None, error="ToolFailed"), MAILED),
    )  # fmt: skip

    assert _found(failed, "http_404", "always", "refund") == ["missing_effect"]


def test_an_answer_without_its_facts_is_lost_although_it_is_told_as_answered() -> None:
    case = CASE.model_copy(update={"expect": Expect(facts=("12.50",))})
    sorry = replace(ANSWERED, tools=(replace(LOOKED, result=None, error="ToolUnavailable"),))

    assert _found(sorry, "http_500", "once", case=case) == ["not_retried"]
    assert _found(sorry, "http_429", "once", "model", case=case) == ["not_retried"]
    assert _found(sorry, "http_500", "always", case=case) == []
    assert _found(sorry, "http_401", "once", case=case) == []


def test_what_is_declined_when_nothing_fails_is_not_done_because_something_does() -> None:
    declined = replace(
        USUAL, outcome=Outcome.DECLINED, reason="agent_declined", answer=None, acts=(), tools=(LOOKED,)
    )
    granted = replace(USUAL, acts=(Act("refund", REFUND),))
    ticket = replace(ESCALATED, acts=(Act("open_ticket", {"text": "Look into order 1001."}),))

    assert "wrong_effect" in _found(granted, "empty", "always", usual=declined)
    assert _found(ticket, "empty", "always", usual=declined) == []


def test_a_long_argument_takes_no_long_time() -> None:
    long = f"2026-11-26T{'1' * 200_000} "
    usual, now = (
        replace(USUAL, acts=(Act("send_mail", {**MAIL, "at": at}),)) for at in ("2026-11-26T12:00", long)
    )
    begun = time.process_time()

    assert "wrong_effect" in _found(now, "http_500", "always", usual=usual)
    assert time.process_time() - begun < 5
