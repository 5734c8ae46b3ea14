"""From what stands to what needs a person: the order, the words, and who sees what."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from airworthy.console.attention import Weight, named_items, needs, sentence, troubles, unnamed
from airworthy.console.standing import Standing
from airworthy.core.clock import US_PER_S
from airworthy.core.errors import AirworthyError
from airworthy.recorder.alerts import AlertRow
from airworthy.review import Item, Kind, Status
from airworthy.runtime.machine import State
from airworthy.runtime.standing import Tasks
from airworthy.runtime.switches import Switch

NOW = 1_764_000_000 * US_PER_S
HOUR = 3_600 * US_PER_S
AGENTS = ("refunds", "support")


def item(id_: str, kind: Kind, agent: str = "support", **about: Any) -> Item:
    found = {"deadline_us": None, "on_deadline": "wait", "created_us": NOW - HOUR, **about}
    return Item(id_, kind, Status.OPEN, id_, f"tsk_{id_}", agent, "", placed=True, **found)


def alert(severity: Any, agent: str = "refunds") -> AlertRow:
    return AlertRow(
        f"key-{severity}", "tool", agent, severity, "It fails", "", "", 1, NOW - HOUR, NOW, None, ""
    )


def stands(items: Sequence[Item] = (), **about: Any) -> Standing:
    waiting: dict[tuple[str, Kind], int] = {}
    for each in items:
        waiting[each.agent, each.kind] = waiting.get((each.agent, each.kind), 0) + 1
    made: Mapping[str, Any] = {
        "now_us": NOW, "open": {}, "stuck": {}, "items": items, "waiting": waiting, "alerts": (), "switches": (),
        "breakers": (), "workers": 1, "spoiled": {}, **about,
    }  # fmt: skip
    return Standing(**made)


QUEUED = {State.QUEUED: {"support": Tasks("support", 12, NOW - HOUR)}}


@pytest.mark.parametrize(
    ("standing", "text", "level"),
    [
        (stands(), "All is well. Nothing waits for a person.", "good"),
        (stands([item("a", Kind.QUESTION)]), "All is well. 1 thing waits for a person.", "good"),
        (stands([item("a", Kind.QUESTION), item("b", Kind.APPROVAL), item("c", Kind.DELAYED)]),
         "All is well. 2 things wait for a person.", "good"),
        (stands([item("a", Kind.DEAD_LETTER)]),
         "1 of 2 agents needs attention: support has 1 dead letter. 1 thing waits for a person.", "person"),
        (stands(switches=[Switch("agent:refunds", "dana", "", NOW)], stuck={"support": Tasks("support", 3, NOW)}),
         "2 of 2 agents need attention: support has 3 stuck tasks; refunds is paused.", "person"),
        (stands(alerts=[alert("critical")]),
         "1 of 2 agents needs attention: refunds has a critical alert.", "bad"),
        (stands(open=QUEUED, workers=0), "No worker is running and 12 tasks wait.", "bad"),
        (stands(open=QUEUED), "All is well. Nothing waits for a person.", "good"),
        (stands(unread=AirworthyError("line 3", mend="Mend it.")),
         "Nobody can decide anything: people.toml cannot be read.", "bad"),
        (stands(switches=[Switch("all", "dana", "", NOW)]), "All agents are paused.", "bad"),
        (stands(alerts=[alert("critical", agent="")]), "A critical alert stands.", "bad"),
    ],
)  # fmt: skip
def test_one_sentence_says_how_it_stands(standing: Standing, text: str, level: str) -> None:
    said = sentence(standing, AGENTS)

    assert (said.text, said.level) == (text, level)


def test_with_no_agent_at_all_nothing_is_said_to_be_well() -> None:
    assert sentence(stands(), ()).text == "Nothing has been recorded yet."


def test_the_sentence_names_three_and_counts_the_rest() -> None:
    many = stands([item(name, Kind.DEAD_LETTER, name) for name in "abcde"])

    assert "; and 2 more." in sentence(many, "abcde").text


def test_what_is_broken_comes_first_then_what_is_late_then_the_nearest_deadline() -> None:
    items = [
        item("later", Kind.APPROVAL, deadline_us=NOW + 9 * HOUR),
        item("never", Kind.QUESTION),
        item("soon", Kind.ESCALATION, deadline_us=NOW + HOUR),
        item("late", Kind.APPROVAL, deadline_us=NOW - HOUR, on_deadline="reject"),
        item("doubt", Kind.IN_DOUBT),
    ]
    found = needs(
        stands(
            items, alerts=[alert("warning"), alert("critical")], switches=[Switch("all", "dana", "why", NOW)]
        ),
        {"soon": "what it is about"},
    )

    words = [(need.weight, need.word) for need in found]
    assert words == [
        (Weight.BROKEN, "critical"), (Weight.BROKEN, "paused"), (Weight.OVERDUE, "overdue"),
        (Weight.OVERDUE, "in doubt"), (Weight.WAITING, "escalation"), (Weight.WAITING, "approval"),
        (Weight.WAITING, "question"), (Weight.CARE, "warning"),
    ]  # fmt: skip
    assert found[4].about == "what it is about"


def test_a_deadline_after_which_it_only_waits_on_makes_nothing_overdue() -> None:
    waits = item("a", Kind.QUESTION, deadline_us=NOW - HOUR, on_deadline="wait")

    assert needs(stands([waits]), {})[0].weight is Weight.WAITING
    assert troubles(stands([waits])) == {}


def test_a_long_queue_is_told_by_its_first_and_a_count() -> None:
    items = [item(f"i{n:03}", Kind.QUESTION) for n in range(40)]
    standing = replace(stands(items), waiting={("support", Kind.QUESTION): 1_000})

    assert len(named_items(standing)) == 8
    assert unnamed(standing) == 992


def test_dead_letters_of_an_agent_are_one_line() -> None:
    found = needs(stands([item(f"d{n}", Kind.DEAD_LETTER) for n in range(30)]), {})

    assert [need.title for need in found] == ["30 tasks could not be processed"]
    assert found[0].link == "/review?kind=dead_letter&agent=support"


def test_whoever_sees_one_agent_is_told_of_nothing_else() -> None:
    whole = stands(
        [item("a", Kind.QUESTION, "refunds"), item("b", Kind.DEAD_LETTER, "support")],
        alerts=[alert("critical"), alert("warning", agent="")],
        switches=[Switch("agent:refunds", "dana", "", NOW)],
        stuck={"refunds": Tasks("refunds", 2, NOW)},
        open={State.QUEUED: {"refunds": Tasks("refunds", 5, NOW)}},
        spoiled={"malformed": 3},
        workers=0,
    )
    seen = whole.of(lambda agent: agent == "support", sees_all=False)

    assert sentence(seen, ["support"]).text == (
        "1 of 1 agent needs attention: support has 1 dead letter. 1 thing waits for a person."
    )
    assert [need.word for need in needs(seen, {})] == ["dead letters"]
    assert seen.agents() == {"support"}
    assert "refunds" not in repr(seen)
