"""What answers for models: recorded answers, the cap, and a real provider on the preflight's own loop."""

from unittest import mock

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.core.errors import InputError
from airworthy.core.outcome import Outcome
from airworthy.gateway.simulator import SimulatedModel, Simulator
from airworthy.gateway.simulator.rules import Rules
from airworthy.gateway.upstream import Reply, Sent, WholeReply
from airworthy.preflight.stage import Script, outside
from airworthy.preflight.stage.answers import StoredAnswers
from airworthy.preflight.stage.models import RealModels
from airworthy.preflight.stage.purse import CapReached, Purse, cap_of
from airworthy.recorder import Payloads
from airworthy.runtime import Run
from airworthy.store import migrate
from tests.database import memory
from tests.preflight.kit import PIN, RULES, agent_of, case, played, stage_of


class Provider:
    """A simulator as if it were real: counts what reaches it."""

    def __init__(self) -> None:
        self.calls = 0
        self._inner = SimulatedModel(Simulator(7, Rules.parse(RULES), models=(PIN,)))

    async def send(self, sent: Sent) -> Reply:
        self.calls += 1
        return await self._inner.send(sent)

    async def aclose(self) -> None:
        return


def answers() -> StoredAnswers:
    database = memory()
    migrate(database, MIGRATIONS)
    return StoredAnswers(database, Payloads(), "support")


def test_a_second_preflight_asks_nothing_again_and_each_repeat_has_answers_of_its_own() -> None:
    kept, provider = answers(), Provider()

    async def work(repeat: int) -> tuple[int, int]:
        async with stage_of(models=RealModels({PIN: provider}), answers=kept, purse=Purse()) as stage:
            trial = (await stage.play(Script(case("Please refund order 1001."), repeat=repeat))).trial
            assert trial.outcome is Outcome.ANSWERED, trial
            return trial.model_calls, trial.model_calls_made

    assert played(work(0)) == (3, 3)
    assert played(work(0)) == (3, 0)
    assert played(work(1)) == (3, 3)
    assert provider.calls == 6


def test_the_cap_is_never_passed_and_ends_the_trial_whatever_its_agent_catches() -> None:
    provider = Provider()

    async def handle(run: Run) -> str:
        for number in range(100):
            try:
                await run.model([{"role": "user", "content": f"hello {number}"}])
            except Exception:
                continue
        return "done"

    async def work() -> None:
        purse = Purse(cap_nano=5_000_000)
        agent = agent_of(handle, limits={"steps": 200})
        async with stage_of(agent, models=RealModels({PIN: provider}), purse=purse) as stage:
            with pytest.raises(CapReached, match="are used"):
                await stage.play(Script(case()))
            assert 0 < purse.spent_nano <= 5_000_000
            assert 0 < provider.calls < 100
            assert purse.calls == provider.calls

    played(work())


def test_a_reply_that_is_no_answer_is_not_kept() -> None:
    class Garbled(Provider):
        async def send(self, sent: Sent) -> Reply:
            reply = await super().send(sent)
            return WholeReply(b"{", 200) if self.calls == 1 else reply

    provider = Garbled()

    async def work() -> None:
        async with stage_of(models=RealModels({PIN: provider}), answers=answers(), purse=Purse()) as stage:
            trial = (await stage.play(Script(case()))).trial
            assert trial.outcome is Outcome.ANSWERED, trial

    played(work())


def test_what_is_under_way_counts_for_a_later_sitting() -> None:
    purse = Purse(cap_nano=100)
    purse.reserve(60)
    assert (purse.spent_nano, purse.taken_nano) == (0, 60)


@pytest.mark.parametrize("usd", [float("nan"), float("inf"), -1.0])
def test_a_budget_that_bounds_nothing_is_refused(usd: float) -> None:
    with pytest.raises(InputError, match="no bound"):
        cap_of(usd)


def test_all_of_a_call_counts_whose_bill_nobody_knows() -> None:
    purse = Purse(cap_nano=100)
    purse.reserve(60)
    with pytest.raises(CapReached):
        purse.reserve(60)
    purse.settle(60, None)
    assert (purse.spent_nano, purse.unpriced) == (60, 1)
    with pytest.raises(CapReached):
        purse.reserve(41)
    purse.reserve(40)
    purse.settle(40, 10)
    assert purse.spent_nano == 70


def test_a_provider_with_too_many_to_serve_is_asked_again_and_the_agent_never_hears_of_it() -> None:
    class Busy(Provider):
        async def send(self, sent: Sent) -> Reply:
            reply = await super().send(sent)
            return reply if self.calls > 2 else WholeReply(b"{}", 429, {"retry-after": "0"})

    provider = Busy()

    async def work() -> None:
        async with stage_of(models=RealModels({PIN: provider})) as stage:
            trial = (await stage.play(Script(case()))).trial
            assert trial.outcome is Outcome.ANSWERED, trial
            assert provider.calls == trial.model_calls + 2

    with mock.patch.object(outside, "WAITS_S", (0.0, 0.0)):
        played(work())
