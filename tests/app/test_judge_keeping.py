"""The judge's model: what it says is kept for the next preflight, goes with its user, and only if it says something."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from airworthy.app import judging
from airworthy.app.build import assembled
from airworthy.core.outcome import Outcome
from airworthy.evals import Case, Expect, Trial
from airworthy.gateway.upstream import JSON_HEADERS, Reply, Sent, WholeReply
from airworthy.preflight.stage.answers import StoredAnswers
from airworthy.preflight.stage.purse import Purse
from tests.database import memory
from tests.preflight.kit import agent_of

CASE = Case(id="one", input="Hi", user="ann-7", expect=Expect(rubric="Is it kind?", judge=0.5))


class Saying:
    """An upstream that says one thing after another, the last again and again."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.asked = 0

    async def send(self, sent: Sent) -> Reply:
        assert sent.body
        text = self.texts[min(self.asked, len(self.texts) - 1)]
        self.asked += 1
        body = {
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        }  # fmt: skip
        return WholeReply(json.dumps(body).encode(), 200, JSON_HEADERS)

    async def aclose(self) -> None:
        return


def test_only_a_reply_that_is_a_score_is_kept_and_it_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_of()
    app = assembled(memory(), [agent])
    said = Saying(["I would rather not say.", '{"reason": "so", "score": 0.9}'])
    monkeypatch.setattr(judging, "upstream_of", lambda _: said)

    def scored() -> tuple[str, ...]:
        answers = StoredAnswers(app.database, app.payloads, "support")
        model = judging.JudgeModel(agent.policy.models[0], Purse(10**9), answers, app.clock)
        trial = Trial("one", Outcome.ANSWERED, answer="Hello!")

        async def asked() -> tuple[str, ...]:
            return tuple(each.kind for each in await judging.scorer_of(model)(CASE, trial))

        return asyncio.run(asked())

    assert scored() == ()  # Asked anew after the first reply, not given it again.
    assert scored() == ()
    assert said.asked == 2
    assert app.database.read_now(lambda tx: tx.rows('SELECT "user" FROM model_answers')) == [("ann-7",)]
