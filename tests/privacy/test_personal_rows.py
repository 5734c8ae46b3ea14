"""Personal data of our own tasks goes when they are over, and never from a record that a run may need."""

from functools import partial
from typing import Any

import pytest

from airworthy.app import privacy
from airworthy.app.holdings import HOLDINGS
from airworthy.app.redact_settings import OwnRule, RedactRule
from airworthy.core.personal import BUILT_IN, Personal
from airworthy.policy import ToolRule
from airworthy.recorder import personal_spans
from airworthy.recorder.personal_rows import PersonalRows
from airworthy.recorder.traces import own_text
from airworthy.recorder.traces.span import Score, Span, SpanKind
from airworthy.runtime import Run, State
from airworthy.runtime.describing import describe
from airworthy.runtime.holdings import TASK_ROWS
from tests.privacy.kit import filled, handler, look_up, mail
from tests.recorder.traces.kit import entries
from tests.runtime.kit import Bench, bench

FAR_US = 10**18


def rows(made: Bench, personal: Personal | None = None) -> PersonalRows:
    found = personal if personal is not None else Personal(BUILT_IN)
    hooks = (partial(own_text.forget, spans=False), own_text.due)
    return PersonalRows(made.app.database, made.app.payloads, found, HOLDINGS, TASK_ROWS, hooks)


def dump(made: Bench, task: str) -> str:
    return repr((made.steps(task), made.app.operations.effects(task)))


async def test_the_record_of_a_task_that_is_over_loses_its_addresses_and_says_so() -> None:
    made = bench(handler, mail, look_up)
    task = await filled(made, "ada", "marmalade")

    done = rows(made).round(FAR_US, 100)

    assert done.tasks == 1
    assert "marmalade@mail.example" not in dump(made, task)
    assert "[redacted:email]" in dump(made, task)
    inexact = [step.name for step in made.steps(task) if not step.exact]
    assert "mail" in inexact
    assert "look_up" not in inexact


async def test_the_text_index_follows() -> None:
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")

    def found(word: str) -> int:
        return len(entries(made.app.database, word))

    before = found("example")
    rows(made).round(FAR_US, 100)
    while await describe(made.app.database):
        continue

    assert (before, found("example"), found("redacted"), found("house")) == (1, 0, 1, 1)


async def test_nothing_is_looked_for_while_everybody_else_waits_to_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To look for names in long texts takes seconds, and one who is idle in his turn for two loses it."""
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")
    database, personal = made.app.database, Personal(BUILT_IN)
    write_now, redact_json = database.write_now, personal.redact_json
    writing, looked = [False], list[bool]()

    def turn(op: Any) -> Any:
        writing[0] = True
        try:
            return write_now(op)
        finally:
            writing[0] = False

    def look(text: bytes) -> Any:
        looked.append(writing[0])
        return redact_json(text)

    monkeypatch.setattr(database, "write_now", turn)
    monkeypatch.setattr(personal, "redact_json", look)

    assert rows(made, personal).round(FAR_US, 100).values
    assert set(looked) == {False}


async def test_a_task_is_cleaned_once() -> None:
    made = bench(handler, mail, look_up)
    await filled(made, "ada", "marmalade")
    rows(made).round(FAR_US, 100)

    assert rows(made).round(FAR_US, 100).tasks == 0


async def test_a_task_that_waits_keeps_its_record_and_ends_as_it_would_have() -> None:
    """The run is answered from the record: what it needs to go on must be there to the letter."""
    made = bench(handler, mail, look_up, tools={"mail": ToolRule(approval="always", critical=False)})
    task = (
        await made.done({"who": "w", "to": "ada@mail.example", "words": "please send it today"}, user="ada")
    ).id

    rows(made).round(FAR_US, 100)
    (effect,) = made.app.operations.effects(task)
    assert "ada@mail.example" in effect.arguments
    made.app.operations.decide(effect.id, type(effect.state)("approved"), "dana")
    await made.work()

    assert made.task(task).state is State.ANSWERED
    assert "ada@mail.example" in dump(made, task)


async def test_an_effect_whose_arguments_were_changed_can_no_longer_be_taken_back() -> None:
    """To take it back would be done with what is written for its arguments."""
    made = bench(handler, mail, look_up)
    task = await filled(made, "ada", "marmalade")
    made.app.database.write_now(lambda tx: tx.execute("UPDATE effects SET undoable = 1"))

    rows(made).round(FAR_US, 100)

    assert not made.effect(task).undoable


async def test_a_dead_letter_keeps_its_record_because_it_may_come_back() -> None:
    async def fail(run: Run) -> str:
        raise RuntimeError("no")

    made = bench(fail)
    task = (await made.done("mail ada@mail.example about the order please", user="ada")).id
    assert made.task(task).state is State.DEAD_LETTERED

    rows(made).round(FAR_US, 100)

    assert "ada@mail.example" in dump(made, task)


async def test_what_waited_is_cleaned_when_it_is_over() -> None:
    """An answered task may have a call that is still to be made."""
    made = bench(handler, mail, look_up)
    task = await filled(made, "ada", "marmalade")
    made.app.database.write_now(lambda tx: tx.execute("UPDATE effects SET state = 'in_doubt'"))
    first = rows(made).round(FAR_US, 100)
    made.app.database.write_now(lambda tx: tx.execute("UPDATE effects SET state = 'done'"))

    second = rows(made).round(FAR_US, 100)

    assert (first.tasks, first.waiting, second.tasks) == (0, 1, 1)
    assert "marmalade@mail.example" not in dump(made, task)


async def test_a_bound_of_tasks_is_kept_and_the_next_round_goes_on() -> None:
    made = bench(handler, mail, look_up)
    for number in range(3):
        await filled(made, "ada", f"marmalade{number}")

    first, second = rows(made).round(FAR_US, 2), rows(made).round(FAR_US, 2)

    assert (first.tasks, first.more, second.tasks, second.more) == (2, True, 1, False)


def test_what_other_programs_tell_is_cleaned_before_it_is_written() -> None:
    personal = Personal(BUILT_IN, {"email": "pseudonym"}, b"a key")
    span = Span(
        "ab" * 16, "cd" * 8, "", SpanKind.MODEL, "chat", 1, 2, user="ada@example.org",
        payload=b'{"input":"mail ada@example.org"}', text="mail ada@example.org",
    )  # fmt: skip
    score = Score("ab" * 16, "", "kind", 1.0, "", "ada@example.org was rude", 3)

    changed = personal_spans.clean(personal, [span], [score])

    assert changed == 4
    name = personal.redact_text("ada@example.org")
    assert span.user == name
    assert (span.text, span.payload) == (f"mail {name}", f'{{"input":"mail {name}"}}'.encode())
    assert "example.org" not in score.explanation


def test_the_rules_that_are_on_are_those_that_are_set() -> None:
    rule = RedactRule(
        email="redact", card="pseudonym", rules=(OwnRule(name="customer", pattern=r"KD-\d{6}"),)
    )

    found, kinds = privacy.rules_of(rule)

    assert [each.name for each in found] == ["email", "card", "customer"]
    assert kinds == {"email": "redact", "card": "pseudonym", "customer": "redact"}


async def test_a_user_who_is_on_record_by_a_pseudonym_is_found_by_their_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airworthy.app.recorder_settings import RecorderSettings

    made: Any = bench(handler, mail, look_up)
    settings = RecorderSettings(redact=RedactRule(email="pseudonym"))

    forms = privacy.forms_of(made.app, settings, "ada@example.org")
    plain = privacy.forms_of(made.app, RecorderSettings(redact=RedactRule(email="redact")), "ada@example.org")

    assert forms[0] == "ada@example.org"
    assert forms[1].startswith("[email:")
    assert plain == ("ada@example.org",)
