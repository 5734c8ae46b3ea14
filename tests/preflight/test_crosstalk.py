"""What belongs to one session is found wherever it comes up in another, and nowhere else."""

import pytest

from airworthy.evals import Act, Case, ToolUse
from airworthy.preflight.crosstalk import Session, canary, cross_talk, with_canary
from airworthy.preflight.stage.script import Played
from airworthy.recorder import Recorded
from tests.preflight.histories import played, step

WORD = canary(7, 1)


def _input(text: str) -> Recorded:
    return step(0, "input", text, kind="input", effect=None)


def _sessions(seen: Played, alone: Played | None = None, whose: str = "ann") -> list[Session]:
    other = played([_input(f"Where is it? (Reference: {WORD})")])
    return [Session("run 1 (a)", "bob", WORD, other), Session("run 2 (b)", whose, canary(7, 2), seen, alone)]


@pytest.mark.parametrize(
    ("seen", "place"),
    [
        (played(answer={"summary": f"As for {WORD}: soon."}), "the answer"),
        (played(acts=[Act("send", {"body": f"Hello\n{WORD}\n"})]), "what was done (send)"),
        (played(tools=[ToolUse("find", {"query": WORD}, "read", 3)]), "a call of find"),
        (played(tools=[ToolUse("find", {}, "read", 3, result=[WORD])]), "a result of find"),
        (
            played([step(2, "chat", {"messages": [{"content": f"x {WORD}"}]}, kind="model", effect=None)]),
            "what the model was asked",
        ),
    ],
)
def test_a_canary_is_found_wherever_it_came_up(seen: Played, place: str) -> None:
    (finding,) = cross_talk(_sessions(seen))

    assert finding.kind == "cross_talk"
    assert finding.text == f"{WORD!r}, which belongs to run 1 (a), stands in {place} of run 2 (b)."


def test_sessions_that_kept_to_themselves_are_let_be() -> None:
    assert cross_talk(_sessions(played([_input("How much is it?")], answer="12.90 EUR"))) == []


def test_two_sessions_of_one_person_are_no_strangers() -> None:
    assert cross_talk(_sessions(played(answer=WORD), whose="bob")) == []


def test_anothers_address_and_record_are_found_by_their_nature() -> None:
    record = {"id": 1013, "email": "eve@example.com", "total_cents": 4711}
    owner = played(tools=[ToolUse("get_order", {"order_id": 1013}, "read", 2, result=record)])
    for told in ("1013", "eve@example.com"):
        seen = played(answer=f"It is {told}.")
        sessions = [Session("one", "bob", "", owner, owner), Session("two", "ann", "", seen, played())]

        assert [finding.kind for finding in cross_talk(sessions)] == ["cross_talk"], told


def test_what_a_session_met_when_it_was_alone_is_its_own() -> None:
    record = {"id": 1013, "email": "desk@shop.example"}
    use = ToolUse("get_order", {"order_id": 1013}, "read", 2, result=record)
    both = played(answer="1013 desk@shop.example", tools=[use])
    sessions = [Session(name, name, "", both, both) for name in ("one", "two")]

    assert cross_talk(sessions) == []


def test_numbers_that_only_look_alike_are_no_mark() -> None:
    owner = played(tools=[ToolUse("get_order", {"order_id": 1013}, "read", 2, result={"total_cents": 9950})])
    seen = played(answer="21013 and 10134 and 9950")
    sessions = [Session("one", "bob", "", owner, owner), Session("two", "ann", "", seen, played())]

    assert cross_talk(sessions) == []


def test_what_a_stand_in_made_up_is_nobodys() -> None:
    owner = played(tools=[ToolUse("pay", {}, "write", 2, result={"payment_id": 5012})])
    seen = played(tools=[ToolUse("pay", {}, "write", 2, result={"payment_id": 5012})], made_up=["pay"])
    sessions = [Session("one", "bob", "", owner, owner), Session("two", "ann", "", seen, played())]

    assert cross_talk(sessions) == []


def test_the_word_goes_to_the_end_of_the_longest_text() -> None:
    case = Case(id="a", input={"subject": "Hi", "body": "Where is my order?", "n": 3})

    marked = with_canary(case, "ba-de", "s-1")

    assert marked.input == {"subject": "Hi", "body": "Where is my order?\n\n(Reference: ba-de)", "n": 3}
    assert marked.session == "s-1"
    assert with_canary(Case(id="a", input=[1]), "ba-de", "s").input == [1]


def test_canaries_differ_and_are_the_same_for_the_same_seed() -> None:
    words = [canary(7, number) for number in range(50)]

    assert len(set(words)) == 50
    assert words == [canary(7, number) for number in range(50)]
