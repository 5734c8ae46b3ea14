"""Taking back over HTTP goes by the same rule as the command; what a policy or a rehearsal says holds there as well."""

import pytest

from airworthy.policy import AdmissionRule
from airworthy.tools import EffectRow, EffectState, outbox
from tests.console.kit import Api, api

DONE = EffectRow(
    "eff_1", "tsk_1", 1, "support", "pay", "send", EffectState.DONE, True, '{"to":"ada"}', None, "2026-01-01", 1,
    result='"ok"', undoable=True,
)  # fmt: skip


def with_effect() -> Api:
    made = api()
    made.app.database.write_now(lambda tx: outbox.insert(tx, DONE))
    return made


@pytest.mark.parametrize(
    ("who", "status"),
    [("dana", 202), ("vera", 403), ("viewer", 403), ("submitter", 403), ("operator", 403), ("reviewer", 403)],
)
async def test_who_lets_things_out_may_take_them_back(who: str, status: int) -> None:
    """Where people are declared, a program decides nothing here either."""
    made = with_effect()

    async with made.client(who) as client:
        answer = await client.post("/api/v1/effects/eff_1/undo", json={"why": "wrong person"})

    assert answer.status_code == status, answer.text
    found = made.app.database.read_now(lambda tx: outbox.undone_by(tx, "eff_1"))
    assert [(row.decided_by, row.note) for row in found] == (
        [("dana", "wrong person")] if status == 202 else []
    )


async def test_it_is_taken_back_once_and_what_is_not_there_is_said() -> None:
    made = with_effect()

    async with made.client("dana") as client:
        first = await client.post("/api/v1/effects/eff_1/undo")
        again = await client.post("/api/v1/effects/eff_1/undo")
        none = await client.post("/api/v1/effects/eff_9/undo")
        shown = await client.get(f"/api/v1/effects/{first.json()['id']}")

    assert (first.status_code, again.status_code, none.status_code) == (202, 409, 400)
    assert (shown.json()["undo_of"], shown.json()["state"]) == ("eff_1", "scheduled")


async def test_a_task_without_a_priority_has_that_of_its_feature_and_a_rehearsal_stays_one() -> None:
    made = api()
    rule = AdmissionRule(priorities={"urgent": 9})
    policy = made.agent.policy.model_copy(update={"admission": rule})
    made.agent.policy = policy

    urgent = await made.submit(feature="urgent")
    lowered = await made.submit(feature="urgent", priority=1)
    rehearsed = await made.submit(dry_run=True)

    assert [made.app.operations.task(id_).priority for id_ in (urgent, lowered)] == [9, 1]
    assert made.app.operations.steps(rehearsed)[0].facts.notes == ({"dry_run": True},)
