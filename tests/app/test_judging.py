"""The judge's model: paid from the run's purse, asked once for the same thing, and never a pass when it fails."""

import asyncio
import json

import pytest

from airworthy.app import judging
from airworthy.app.build import MIGRATIONS
from airworthy.app.judging import JudgeModel, scorer_of
from airworthy.core.clock import ManualClock
from airworthy.core.outcome import Outcome
from airworthy.evals import Expect, Finding, Trial
from airworthy.gateway.upstream import Reply, Sent, WholeReply
from airworthy.preflight.stage.answers import StoredAnswers
from airworthy.preflight.stage.purse import CapReached, Purse
from airworthy.recorder import Payloads
from airworthy.store import migrate
from tests.database import memory
from tests.preflight.kit import case, policy_of

JUDGED = case(expect=Expect(rubric="Is it kind?", judge=0.7))
TRIAL = Trial("case", Outcome.ANSWERED, answer="Gladly.")


class Model:
    """Says one thing after another, and the last from then on."""

    def __init__(self, *says: str, status: int = 200) -> None:
        self.asked = 0
        self._says = says
        self._status = status

    async def send(self, sent: Sent) -> Reply:  # the form of an upstream
        text = self._says[min(self.asked, len(self._says) - 1)]
        self.asked += 1
        body = {
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
        return WholeReply(json.dumps(body).encode(), self._status)

    async def aclose(self) -> None:
        return


def answers() -> StoredAnswers:
    database = memory()
    migrate(database, MIGRATIONS)
    return StoredAnswers(database, Payloads(), "support")


def scored(
    monkeypatch: pytest.MonkeyPatch, model: Model, kept: StoredAnswers, purse: Purse
) -> tuple[Finding, ...]:
    monkeypatch.setattr(judging, "upstream_of", lambda _: model)

    async def work() -> tuple[Finding, ...]:
        judge = JudgeModel(policy_of().models[0], purse, kept, ManualClock())
        return await scorer_of(judge)(JUDGED, TRIAL)

    return asyncio.run(work())


def test_a_score_is_kept_and_not_paid_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, kept, purse = Model('{"reason": "kind", "score": 0.9}'), answers(), Purse()

    assert scored(monkeypatch, model, kept, purse) == ()
    spent = purse.spent_nano
    assert scored(monkeypatch, model, kept, purse) == ()
    assert model.asked == 1
    assert 0 < spent == purse.spent_nano


def test_a_reply_that_is_no_score_is_neither_kept_nor_the_answer_to_the_second_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Model("How kind of you to ask.", '{"reason": "kind", "score": 0.9}')

    assert scored(monkeypatch, model, answers(), Purse()) == ()
    assert model.asked == 2


def test_a_judge_that_fails_is_undecided_and_one_beyond_the_cap_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Model("busy", status=503)

    found = scored(monkeypatch, model, answers(), Purse())
    assert [each.kind for each in found] == ["not_judged"]
    with pytest.raises(CapReached):
        scored(monkeypatch, model, answers(), Purse(cap_nano=0))
    assert model.asked == 1
