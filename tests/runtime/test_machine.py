"""The life of a task, as its table says: every pair of state and event is here, or it is an error."""

import itertools

import pytest

from airworthy.core.outcome import Outcome
from airworthy.runtime.machine import ENDING, OPEN, TRANSITIONS, Event, IllegalTransition, State, after

S, E = State, Event
TABLE = {
    (S.QUEUED, E.CLAIM): S.RUNNING,
    (S.WAITING, E.CLAIM): S.RUNNING,
    (S.RUNNING, E.TAKE_OVER): S.RUNNING,
    (S.RUNNING, E.SUSPEND): S.WAITING,
    (S.RUNNING, E.RETRY): S.WAITING,
    (S.WAITING, E.WAKE): S.QUEUED,
    (S.QUEUED, E.PAUSE): S.PAUSED,
    (S.WAITING, E.PAUSE): S.PAUSED,
    (S.RUNNING, E.PAUSE): S.PAUSED,
    (S.PAUSED, E.RESUME): S.QUEUED,
    (S.RUNNING, E.ANSWER): S.ANSWERED,
    (S.QUEUED, E.DECLINE): S.DECLINED,
    (S.RUNNING, E.DECLINE): S.DECLINED,
    (S.RUNNING, E.ESCALATE): S.ESCALATED,
    (S.QUEUED, E.ESCALATE): S.ESCALATED,
    (S.WAITING, E.ESCALATE): S.ESCALATED,
    (S.PAUSED, E.ESCALATE): S.ESCALATED,
    (S.RUNNING, E.DEAD_LETTER): S.DEAD_LETTERED,
    (S.QUEUED, E.DEAD_LETTER): S.DEAD_LETTERED,
    (S.WAITING, E.DEAD_LETTER): S.DEAD_LETTERED,
    (S.QUEUED, E.CANCEL): S.CANCELLED,
    (S.WAITING, E.CANCEL): S.CANCELLED,
    (S.PAUSED, E.CANCEL): S.CANCELLED,
    (S.RUNNING, E.CANCEL): S.CANCELLED,
    (S.DEAD_LETTERED, E.REQUEUE): S.QUEUED,
    (S.ESCALATED, E.REOPEN): S.QUEUED,
    (S.ESCALATED, E.ANSWER): S.ANSWERED,
    (S.ESCALATED, E.DECLINE): S.DECLINED,
    (S.DEAD_LETTERED, E.ANSWER): S.ANSWERED,
}


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_each_pair_leads_where_the_table_says_or_is_an_error_that_names_the_ways_out(
    state: State, event: Event
) -> None:
    if (state, event) in TABLE:
        assert after(state, event) is TABLE[state, event]
        return
    with pytest.raises(
        IllegalTransition, match=f"{state.value} cannot be moved by '{event.value}'"
    ) as raised:
        after(state, event)
    ways = sorted(known.value for was, known in TABLE if was is state)
    assert raised.value.mend == f"From here it can only be moved by: {', '.join(ways) or 'nothing'}."


def test_the_tables_agree() -> None:
    assert TRANSITIONS == TABLE


def test_every_outcome_is_a_closed_state_and_has_an_event_that_leads_there() -> None:
    closed = set(State) - OPEN

    assert {outcome.value for outcome in Outcome} == {state.value for state in closed}
    for outcome in Outcome:
        assert after(State.RUNNING, ENDING[outcome]).value == outcome.value


def test_no_closed_task_moves_but_by_a_persons_word() -> None:
    by_people = {Event.REQUEUE, Event.REOPEN, Event.ANSWER, Event.DECLINE}

    assert {event for (state, event) in TABLE if state not in OPEN} == by_people
    assert {state for (state, _) in TABLE if state not in OPEN} == {State.ESCALATED, State.DEAD_LETTERED}
