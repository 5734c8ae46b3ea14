"""The watch beside the calls: what it learns, when it alerts, what several processes make of it together."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airworthy.core.canonical import encode
from airworthy.policy import Policy, ToolRule
from airworthy.recorder.alerts import AlertRow, ended, listing
from airworthy.store import Database, StoreFull, Tx
from airworthy.tools import Tool, Toolbox, ToolError, Transient, tool
from airworthy.tools.shape import book, watch
from airworthy.tools.shape.folding import LEARN_S_MAX, OCCASIONS_MAX, ShapeRow
from airworthy.tools.shape.watch import REFRESH_S, RESTATE_S
from tests.tools.kit import Kit, kit

RULE = ToolRule(schema_learn=20, attempts=1, critical=False)
ORDER = {"id": 7, "total": 129, "customer": {"phone": "+44 20 7946 0000"}}


@dataclass
class Shop:
    """One tool, `look`, that answers with `answer()`; and processes that use it."""

    kit: Kit
    tool: Tool
    answer: Callable[[], Any]
    processes: int = 0

    def process(self, policy: Policy | None = None) -> "Process":
        box = Toolbox(policy or self.kit.policy, [self.tool], self.kit.clock)
        self.processes += 1
        return Process(self, box, self.processes)

    def alerts(self, *, over: bool = False) -> list[AlertRow]:
        return self.kit.database.read_now(lambda tx: listing(tx, over=over))

    def row(self) -> ShapeRow:
        (row,) = self.kit.database.read_now(lambda tx: book.listing(tx, "support", "look"))
        return row

    def accept(self, by: str = "dana") -> None:
        row = self.row()
        self.kit.database.write_now(lambda tx: book.accept(tx, row, by, self.kit.clock.now_us()))


@dataclass
class Process:
    shop: Shop
    box: Toolbox
    number: int
    calls: int = 0

    async def sync(self, **how: Any) -> None:
        await self.box.shapes.sync(self.shop.kit.database, **how)

    async def call(self, *answers: Any, times: int = 1) -> None:
        """So many calls, then what is new goes to the store."""
        await self.sync()
        for answer in answers * times:
            self.calls += 1
            self.shop.answer = lambda answer=answer: answer  # type: ignore[misc]  # bound now, not when called
            run = self.shop.kit.run(f"tsk_{self.number}_{self.calls}")
            try:
                await self.box.call(run, "look", {"order": "7"})
            except ToolError:
                pass
        await self.sync()


def shop(rule: ToolRule = RULE, answer: Callable[[], Any] = lambda: ORDER, **policy: Any) -> Shop:
    @tool
    def look(order: str) -> Any:
        """Looks an order up."""
        value = made.answer()
        if isinstance(value, Exception):
            raise value
        return value

    made = Shop(kit(look, rules={"look": rule}, **policy), look, answer)
    return made


async def test_after_enough_results_the_shape_is_pinned() -> None:
    made = shop()
    process = made.process()

    await process.call(ORDER, times=19)
    learning = made.row()
    await process.call(ORDER)

    assert (learning.state, learning.shape.results) == ("learning", 19)
    assert (made.row().state, made.row().source, made.row().shape.results) == ("pinned", "learnt", 20)


async def test_a_change_is_one_alert_with_the_difference_and_the_first_task_that_met_it() -> None:
    made = shop()
    process = made.process()
    await process.call(ORDER, times=20)

    await process.call({"id": 7, "total": "129", "customer": {}})
    (alert,) = made.alerts()

    assert (alert.kind, alert.agent, alert.severity) == ("shape", "support", "warning")
    assert alert.title == "Results of look have changed"
    assert "- `total` was an integer; it is a text in 1 of 1 results since 2" in alert.text
    assert "- `customer.phone` is missing in 1 of 1 results since" in alert.text
    assert "it was in all of 20." in alert.text
    assert alert.task_id.endswith("_21")
    assert f"First met by task {alert.task_id}." in alert.text


async def test_what_is_only_new_is_told_more_quietly_and_joins_what_breaks_later() -> None:
    made = shop()
    process = made.process()
    await process.call(ORDER, times=20)

    await process.call({**ORDER, "extra": 1}, times=2)
    (quiet,) = made.alerts()
    await asyncio.sleep(RESTATE_S)
    await process.call({"id": 7, "extra": 1})

    assert (quiet.severity, quiet.title) == ("info", "Results of look have something new")
    (loud,) = made.alerts()
    assert loud.severity == "warning"
    assert "`extra` is new" in loud.text
    assert "`total` is missing" in loud.text


async def test_the_same_change_on_every_call_and_in_every_process_stays_one_alert() -> None:
    made = shop()
    first, second = made.process(), made.process()
    await first.call(ORDER, times=20)

    for _ in range(30):
        for process in (first, second):
            await process.call({"id": 7})
            await asyncio.sleep(1)
    await first.sync(last=True)
    await second.sync(last=True)

    (alert,) = made.alerts(over=True)
    assert alert.first_us < alert.last_us
    assert len(made.row().changes) == 2
    hits = made.row().changes[0].hits
    assert 50 < hits <= 60


async def test_a_shape_that_changes_on_every_call_is_told_once_and_then_left_alone() -> None:
    made = shop()
    process = made.process()
    wide = {f"field_{letter}": 1 for letter in "abcdefghijklmnopqrstuvwxyz"}
    await process.call(wide, times=20)

    for name in wide:
        await process.call({key: value for key, value in wide.items() if key != name})
        await asyncio.sleep(1)

    row = made.row()
    assert (row.state, len(row.changes)) == ("unstable", OCCASIONS_MAX + 1)
    (alert,) = made.alerts(over=True)
    assert alert.title == "Results of look keep changing, so they are not watched any more"
    await process.call({"other": True}, times=20)
    await process.sync(last=True)
    assert made.alerts(over=True) == [alert]


async def test_names_that_are_new_on_every_call_are_told_once_and_do_not_grow_what_is_kept() -> None:
    made = shop()
    process = made.process()
    await process.call(ORDER, times=20)
    chance = random.Random(7)

    for _ in range(200):
        name = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8))
        await process.call({**ORDER, name: [chance.random()]})
        await asyncio.sleep(1)
    await process.sync(last=True)

    assert len(made.alerts(over=True)) <= 1
    since = made.row().since
    assert since is None or since.places() < 200


async def test_two_processes_that_learn_at_once_come_to_the_same_shape() -> None:
    made = shop()
    first, second = made.process(), made.process()
    for at in range(10):
        await first.call({"id": at, "left": 1})
        await second.call({"id": at, "right": 1})
    await asyncio.sleep(REFRESH_S)
    await first.sync()
    await second.sync()

    row = made.row()
    assert (row.state, row.shape.results) == ("pinned", 20)
    assert row.shape.root.fields.keys() == {"id", "left", "right"}
    for process in (first, second):
        await process.call({"id": 1, "left": 1}, {"id": 1, "right": 1})
    assert made.alerts() == []


async def test_what_another_process_learnt_meanwhile_still_counts() -> None:
    """Both are handed their results before either stores any."""
    made = shop()
    first, second = made.process(), made.process()
    for process, value in ((first, {"id": 1, "left": 1}), (second, {"id": 1, "right": 1})):
        await process.sync()
        made.answer = lambda value=value: value  # type: ignore[misc]
        for at in range(20):
            await process.box.call(made.kit.run(f"tsk_{process.number}_{at}"), "look", {"order": "7"})
    await first.sync()
    await second.sync()

    assert made.row().shape.results == 40
    assert made.row().shape.root.fields.keys() == {"id", "left", "right"}


@pytest.mark.parametrize(
    "answer",
    [
        Transient("the service is away"),
        {"error": "no such order"},
        "Error: user not found",
        {"isError": True, "content": []},
    ],
)
async def test_an_error_is_neither_learnt_nor_a_change(answer: Any) -> None:
    made = shop()
    process = made.process()
    await process.call(ORDER, times=19)
    await process.call(answer, times=5)
    learnt = made.row().shape.results
    await process.call(ORDER)
    await process.call(answer, times=5)

    assert learnt == 19
    assert made.row().state == "pinned"
    assert made.alerts() == []


async def test_a_rehearsed_call_is_not_learnt() -> None:
    @tool(effect="write", rehearse=lambda order: {"made": "up"})
    def pay(order: str) -> Any:
        """Pays."""
        raise AssertionError

    made = kit(pay, rules={"pay": ToolRule(dry_run=True, schema_learn=5)})
    await made.box.shapes.sync(made.database)
    for at in range(6):
        await made.call(made.run(f"tsk_{at}"), pay, order="7")
    await made.box.shapes.sync(made.database)

    assert made.database.read_now(book.listing) == []


async def test_the_result_of_a_tool_that_acts_is_watched_too() -> None:
    answers: list[Any] = [{"receipt": "R-1"}] * 20 + [{"number": "R-1"}]

    @tool(effect="write")
    def pay(order: str) -> Any:
        """Pays."""
        return answers.pop(0)

    made = kit(pay, rules={"pay": RULE})
    for at in range(21):
        await made.call(made.run(f"tsk_{at}"), pay, order=str(at))
        await made.box.shapes.sync(made.database)

    (alert,) = made.database.read_now(listing)
    assert "`receipt` is missing" in alert.text
    assert alert.task_id == "tsk_20"


async def test_a_result_that_breaks_what_the_code_declares_is_a_change() -> None:
    answer: list[Any] = [7]

    @tool
    def count(of: str) -> int:
        """Counts."""
        return answer[0]  # type: ignore[no-any-return]

    made = kit(count, rules={"count": RULE})
    for at in range(20):
        await made.call(made.run(f"tsk_{at}"), count, of="x")
        await made.box.shapes.sync(made.database)
    answer[0] = "seven"
    with pytest.raises(ToolError):
        await made.call(made.run("tsk_21"), count, of="x")
    await made.box.shapes.sync(made.database)

    (alert,) = made.database.read_now(listing)
    assert "- the result was as the code declares it; it is not so, and the call fails" in alert.text


async def test_a_new_release_is_held_against_the_shape_of_the_one_before() -> None:
    made = shop()
    await made.process().call(ORDER, times=20)
    later = made.kit.policy.model_copy(update={"purpose": "another release"})
    process = made.process(later)

    await process.call({"id": 7})

    assert made.row().source == "release before"
    assert made.row().release != ""
    (alert,) = made.alerts()
    assert "`total` is missing" in alert.text


async def test_a_new_release_says_nothing_anew_about_a_change_that_stands() -> None:
    made = shop()
    await made.process().call(ORDER, times=20)
    await made.process().call({"id": 7})
    later = made.process(made.kit.policy.model_copy(update={"purpose": "another release"}))
    await later.call({"id": 7})

    (alert,) = made.alerts(over=True)
    assert alert.count == 2


async def test_what_a_person_accepts_is_pinned_ends_the_alert_and_reaches_every_process() -> None:
    made = shop()
    first, second = made.process(), made.process()
    await first.call(ORDER, times=20)
    changed = {"id": 7, "amount": 129.5, "customer": ORDER["customer"]}
    for _ in range(25):
        await first.call(changed)
        await asyncio.sleep(1)
    await first.sync(last=True)
    assert len(made.alerts()) == 1

    made.accept()
    await asyncio.sleep(REFRESH_S)

    for process in (first, second):
        await process.call(changed, times=5)
    row = made.row()
    assert (row.state, row.source, row.pinned_by, row.changes) == ("pinned", "accepted", "dana", ())
    assert row.shape.root.fields.keys() == {"id", "amount", "customer"}
    assert made.alerts() == []
    assert [each.ended_by for each in made.alerts(over=True)] == ["dana"]
    await first.call(ORDER)
    assert "`amount` is missing" in made.alerts()[0].text


async def test_an_alert_that_a_person_ended_is_silent_about_the_same_change() -> None:
    made = shop()
    process = made.process()
    await process.call(ORDER, times=20)
    await process.call({"id": 7, "customer": ORDER["customer"]})
    (alert,) = made.alerts()
    made.kit.database.write_now(lambda tx: ended(tx, alert.key, "dana", made.kit.clock.now_us()))

    for _ in range(5):
        await asyncio.sleep(RESTATE_S)
        await process.call({"id": 7, "customer": ORDER["customer"]})
    silent = made.alerts()
    await asyncio.sleep(RESTATE_S)
    await process.call({"id": "7", "customer": ORDER["customer"]})

    assert silent == []
    assert "`id` was an integer" in made.alerts()[0].text


async def test_a_tool_that_is_seldom_used_is_pinned_after_a_time() -> None:
    made = shop()
    process = made.process()
    await process.call(ORDER, times=10)
    early = made.row().state
    await asyncio.sleep(LEARN_S_MAX + 1)
    await process.call(ORDER)

    assert (early, made.row().state) == ("learning", "pinned")


async def test_once_a_change_is_told_a_result_between_two_looks_is_not_even_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @tool
    def look(order: str) -> dict[str, Any]:
        """Looks an order up."""
        return made.answer()  # type: ignore[no-any-return]

    made = Shop(kit(look, rules={"look": RULE}), look, lambda: ORDER)
    process = made.process()
    await process.call(ORDER, times=20)
    read: list[object] = []

    def counted(value: object) -> bytes:
        read.append(value)
        return encode(value)

    # What reading costs is seen nowhere else.
    monkeypatch.setattr(watch, "encode", counted)
    await process.call({"id": 7}, times=10)
    at_once = len(read)
    await asyncio.sleep(watch.LOOK_AGAIN_S)
    await process.call({"id": 7}, times=10)

    assert (at_once, len(read)) == (2, 3)  # The one that is told, and the first one after.


async def test_a_policy_may_switch_the_watch_off() -> None:
    made = shop(ToolRule(schema_watch=False))
    process = made.process()
    await process.call(ORDER, times=60)

    assert made.kit.database.read_now(book.listing) == []


async def test_results_that_come_before_the_shape_was_read_are_held_against_it() -> None:
    made = shop()
    await made.process().call(ORDER, times=20)
    late = made.process()
    made.answer = lambda: {"id": 7}
    await late.box.call(made.kit.run("tsk_late"), "look", {"order": "7"})

    await late.sync(last=True)

    (alert,) = made.alerts()
    assert alert.task_id == "tsk_late"


class Full:
    """A database that has no room for a while."""

    def __init__(self, inner: Database) -> None:
        self.inner = inner
        self.full = True

    async def write(self, op: Callable[[Tx], Any], **how: Any) -> Any:
        if self.full:
            raise StoreFull("There is no room.", mend="Make room.")
        return await self.inner.write(op, **how)

    async def read(self, query: Callable[[Tx], Any]) -> Any:
        return await self.inner.read(query)


async def test_what_cannot_be_stored_is_kept_for_the_next_time() -> None:
    made = shop()
    process = made.process()
    store: Any = Full(made.kit.database)
    await process.sync()
    for at in range(25):
        await process.box.call(made.kit.run(f"tsk_{at}"), "look", {"order": "7"})
        await process.box.shapes.sync(store)
    store.full = False
    await process.box.shapes.sync(store)

    assert (made.row().state, made.row().shape.results) == ("pinned", 20)


async def test_a_fault_of_the_watch_itself_is_an_alert_and_no_call_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = shop()
    process = made.process()
    await process.call(ORDER, times=3)

    def broken(*_: Any) -> Any:
        raise RuntimeError("secret words")

    # Nothing else can make pure code fail on purpose.
    monkeypatch.setattr("airworthy.tools.shape.watch.added", broken)
    await process.call(ORDER, times=3)
    await process.sync()

    (alert,) = made.alerts()
    assert alert.title == "The results of look are not watched, because the watch failed"
    assert alert.text == "RuntimeError"
    assert alert.count == 1


async def test_a_row_that_cannot_be_read_is_an_alert_and_stops_no_worker() -> None:
    made = shop()
    await made.process().call(ORDER, times=3)
    made.kit.database.write_now(lambda tx: tx.execute("UPDATE tool_shapes SET shape = ?", ("{",)))
    process = made.process()

    await process.sync()
    await process.sync(last=True)
    await process.sync(last=True)

    (alert,) = made.alerts()
    assert (alert.key, alert.text, alert.count) == ("shape-watch:support:look", "JSONDecodeError", 1)


@pytest.mark.parametrize("together", [True, False])
async def test_a_storm_of_changed_tools_is_one_message(together: bool) -> None:
    """All at once: one alert. One after the other: the first ones by themselves, then one for all."""
    answer: dict[str, Any] = {"id": 7, "total": 1}

    def made_tool(name: str) -> Tool:
        @tool(name=name)
        def look(order: str) -> Any:
            """Looks."""
            return dict(answer)

        return look

    names = [f"look_{chr(97 + at)}" for at in range(12)]
    made = kit(*map(made_tool, names), rules=dict.fromkeys(names, RULE))
    for at in range(21):
        if at == 20:
            del answer["total"]
        run = made.run(f"tsk_{at}")
        for name in names:
            await made.call(run, name, order="7")
            if not together:
                await made.box.shapes.sync(made.database)
        await made.box.shapes.sync(made.database)

    alerts = made.database.read_now(listing)
    assert len(alerts) == (1 if together else book.STORM_ALERTS + 1)
    (storm,) = [alert for alert in alerts if alert.key == "shapes:support"]
    assert storm.title == "Results of 12 tools of support have changed"
    assert all(name in storm.text for name in names)


async def test_a_person_may_accept_what_never_stopped_changing() -> None:
    made = shop()
    process = made.process()
    wide = {f"field_{letter}": 1 for letter in "abcdefghijklmnopqrstuvwxyz"}
    await process.call(wide, times=20)
    for name in wide:
        await process.call({key: value for key, value in wide.items() if key != name})
        await asyncio.sleep(1)

    made.accept()
    await asyncio.sleep(REFRESH_S)
    await process.call(wide, times=3)
    for _ in range(3):
        await process.call({"field_a": "1"})
        await asyncio.sleep(1)

    assert made.row().state == "pinned"
    (alert,) = made.alerts()
    assert "`field_a` was an integer" in alert.text


async def test_another_version_with_many_changes_at_once_is_no_restless_one() -> None:
    made = shop()
    process = made.process()
    wide = {f"field_{letter}": 1 for letter in "abcdefghijklmnopqrstuvwxyz"}
    await process.call(wide, times=20)

    for _ in range(5):
        await process.call({"version": 2})
        await asyncio.sleep(RESTATE_S)

    assert (made.row().state, made.row().condition) == ("pinned", "changed")
    assert [change.hits for change in made.row().changes][:26] == [5] * 26


async def test_who_was_outrun_changes_nothing_and_tries_again() -> None:
    """As on an engine where two processes may write at once."""
    made = shop()
    await made.process().call(ORDER, times=3)
    stale = made.row()
    await made.process().call(ORDER, times=3)

    with pytest.raises(book.Outrun):
        made.kit.database.write_now(lambda tx: book.accept(tx, stale, "dana", 1))
    assert (made.row().state, made.row().shape.results) == ("learning", 6)
