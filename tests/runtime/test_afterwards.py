"""What is said of a task afterwards is kept, bounded, redacted, and told twice without harm."""

import io
import random

import pytest

from airworthy.app.afterwards import afterwards_of
from airworthy.app.build import App, assembled
from airworthy.core.clock import ManualClock
from airworthy.core.ids import Ids
from airworthy.policy import Policy
from airworthy.review import feedback
from airworthy.review.feedback import Feedback, FeedbackRefused
from airworthy.review.results import PER_TASK_MAX, ResultRefused
from airworthy.runtime import NoSuchTask, Submission
from airworthy.runtime.afterwards import Afterwards, Told
from airworthy.runtime.results_csv import told_in
from tests.database import memory

POLICY = Policy(agent="support", purpose="tests of feedback")


def parts() -> tuple[App, Afterwards, str]:
    app = assembled(memory(), clock=ManualClock(), ids=Ids(random.Random(3)))
    task = app.operations.submit(POLICY, Submission("hello", key="order-7")).task.id
    return app, afterwards_of(app), task


def said(task: str, **what: object) -> Feedback:
    return Feedback("", task, "", 0, "api", **what)  # type: ignore[arg-type]  # named by the test


def test_feedback_is_kept_with_its_task_and_secrets_in_it_are_not() -> None:
    _, known, task = parts()

    kept = known.say(said(task, thumb="down", text="my password=hunter2hunter2 was mailed", by="ann"))

    assert known.said_of(task) == [kept]
    assert known.said(thumb="down") == [kept]
    assert known.said(thumb="up") == []
    assert kept.agent == "support"
    assert "hunter2" not in kept.text


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ({}, "empty"),
        ({"text": "  \n"}, "empty"),
        ({"text": "x" * (feedback.TEXT_CHARS_MAX + 1)}, "10001 characters"),
    ],
)
def test_feedback_that_says_nothing_or_too_much_is_refused(what: dict[str, str], why: str) -> None:
    _, known, task = parts()

    with pytest.raises(FeedbackRefused, match=why):
        known.say(said(task, **what))

    assert known.said_of(task) == []


def test_one_task_takes_only_so_much_feedback() -> None:
    _, known, task = parts()
    for _ in range(feedback.PER_TASK_MAX):
        known.say(said(task, thumb="up"))

    with pytest.raises(FeedbackRefused, match="takes no more"):
        known.say(said(task, thumb="up"))


def test_feedback_on_an_unknown_task_is_refused() -> None:
    _, known, _ = parts()

    with pytest.raises(NoSuchTask):
        known.say(said("tsk_none", thumb="up"))
    with pytest.raises(NoSuchTask):
        known.link("tsk_none")


def test_links_hold_whichever_process_made_them() -> None:
    app, known, task = parts()

    text, link = known.link(task)

    assert afterwards_of(app).linked(text) == link


def test_a_later_result_counts_whatever_the_order_they_are_told_in() -> None:
    _, known, task = parts()

    known.tell(Told("refund_usd", 5, task, at_us=200))
    known.tell(Told("refund_usd", 3, task, at_us=100))
    known.tell(Told("resolved", 0, task, at_us=100))
    known.tell(Told("resolved", 1, task, at_us=100))

    assert [(one.name, one.value) for one in known.results_of(task)] == [("refund_usd", 5), ("resolved", 1)]


def test_a_task_is_named_by_its_agent_and_key_too() -> None:
    _, known, task = parts()

    kept = known.tell(Told("resolved", agent="support", key="order-7"))

    assert kept.task_id == task


def test_a_task_has_only_so_many_names_of_results() -> None:
    _, known, task = parts()
    for number in range(PER_TASK_MAX):
        known.tell(Told(f"name_{number}", 1, task))

    known.tell(Told("name_0", 2, task))
    with pytest.raises(ResultRefused, match="50 results"):
        known.tell(Told("one_more", 1, task))


CSV = """\ufefftask,agent,key,name,value,at
{task},,,resolved,yes,2026-11-26T08:00:00Z
,support,order-7,refund_usd,12.5,
,support,order-8,resolved,no,
{task},,,resolved,often,
{task},,,Resolved,1,
{task},,,resolved
{task},,,resolved,1,yesterday
{task},,,rating,nan,
,,,resolved,1,

{task},,,note,1,2026-11-26
"""


def test_of_a_file_what_can_be_read_is_kept_and_the_rest_told_by_line() -> None:
    _, known, task = parts()

    kept, refused = known.tell_all(told_in(io.StringIO(CSV.format(task=task))))

    assert kept == 3
    assert {one.name: one.value for one in known.results_of(task)} == {
        "resolved": 1,
        "refund_usd": 12.5,
        "note": 1,
    }
    assert [one.line for one in refused] == [4, 5, 6, 7, 8, 9, 10]
    assert "order-8" in next(one.why for one in refused if one.line == 4)
    assert "often" in next(one.why for one in refused if one.line == 5)


def test_the_same_file_twice_changes_nothing() -> None:
    _, known, task = parts()
    for _ in range(2):
        known.tell_all(told_in(io.StringIO(CSV.format(task=task))))

    assert known.tallies("support")[0].tasks == 1
    assert len(known.results_of(task)) == 3


@pytest.mark.slow  # On PostgreSQL, where each of its many looks is a journey.
def test_ten_thousand_rows_are_kept_in_batches() -> None:
    _, known, task = parts()
    rows = "task,name,value\n" + f"{task},resolved,1\n" * 10_000

    kept, refused = known.tell_all(told_in(io.StringIO(rows)))

    assert (kept, refused) == (10_000, [])
