"""Every notice arrives or is seen to have failed, in order, at least once, and one bad channel holds up no other."""

import asyncio
import itertools
import random
from collections import Counter
from functools import partial

import pytest

from airworthy.core.clock import US_PER_S
from airworthy.recorder.alerts import Alert, ended, find, raised
from airworthy.review import items, messages
from airworthy.review.couriers import Later, Refused, Result, Sent
from airworthy.review.item import Item, Kind, Status
from airworthy.review.message import Message
from airworthy.review.notices import Notice
from airworthy.review.post_office import Sorting
from airworthy.review.routing import failed_key, failing_key
from tests.database import Memory
from tests.review.kit import Pigeon, Town, answer, http, notice, people, receiving, rule
from tests.virtual import START_US, LoopClock


def _keys(town: Town) -> list[str]:
    """Of all notices that are in a message, however often."""
    return [
        key
        for row in town.rows()
        for key in town.database.read_now(
            partial(messages.notice_keys, message_id=row.message.id, limit=100_000)
        )
    ]


async def test_a_notice_reaches_every_channel_of_its_team_and_no_other() -> None:
    channels = {"chat": rule("slack"), "hook": rule(), "other": rule()}
    teams = {
        "leads": {"members": ["ann"], "notify": ["chat", "hook"]},
        "night": {"members": ["bob"], "notify": ["other"]},
    }
    pigeons = {name: Pigeon() for name in channels}
    town = Town(people(channels, teams=teams), dict(pigeons))
    town.enqueue(notice("one"))
    await town.rounds(6)

    assert {name: len(pigeon.carried) for name, pigeon in pigeons.items()} == {
        "chat": 1,
        "hook": 1,
        "other": 0,
    }
    assert pigeons["chat"].carried[0].content.title == "Title of one"
    assert [row.state for row in town.rows()] == ["sent", "sent"]


async def test_the_same_notice_enqueued_again_is_nothing_new() -> None:
    pigeon = Pigeon()
    town = Town(people({"ops": rule()}), {"ops": pigeon})
    for _ in range(3):
        town.enqueue(notice("one"))
        await town.rounds(6)

    assert len(pigeon.carried) == 1


async def test_mail_goes_to_each_member_and_one_bad_address_holds_up_nobody() -> None:
    def act(message: Message) -> Result:
        return Later("greylisted", all_alike=False) if message.recipient.startswith("ann") else Sent()

    pigeon = Pigeon(act)
    town = Town(people({"mail": rule("email")}), {"mail": pigeon})
    town.enqueue(notice("one"))
    await town.rounds(6)
    town.enqueue(notice("two"))
    await town.rounds(6)

    assert Counter(message.recipient for message in pigeon.carried)["bob@example.com"] == 2
    assert {(row.message.recipient, row.state) for row in town.rows()} == {
        ("ann@example.com", "pending"), ("bob@example.com", "sent"),
    }  # fmt: skip


async def test_a_channels_own_addresses_take_the_place_of_the_members() -> None:
    pigeon = Pigeon()
    town = Town(people({"mail": rule("email", to=["list@example.com"])}), {"mail": pigeon})
    town.enqueue(notice("one"))
    await town.rounds(6)

    assert [message.recipient for message in pigeon.carried] == ["list@example.com"]


async def test_failures_are_retried_with_growing_waits_and_the_same_id_and_body() -> None:
    async with receiving(*[answer(500)] * 4) as receiver:
        town = Town(people({"ops": rule()}), {"ops": http(rule(), receiver.url)})
        town.enqueue(notice("one"))
        at_s: list[float] = []
        while len(receiver.seen) < 5:
            before = len(receiver.seen)
            await town.round()
            if len(receiver.seen) > before:
                at_s.append(asyncio.get_running_loop().time())
            await asyncio.sleep(1)

    waits = [after - before for before, after in itertools.pairwise(at_s)]
    for wait, longest in zip(waits, (5, 10, 20, 40), strict=True):
        assert longest / 2 <= wait <= longest + 2
    assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 1
    assert len({seen.body for seen in receiver.seen}) == 1
    (row,) = town.rows()
    assert (row.state, row.attempts, row.error) == ("sent", 5, "")


async def test_a_receiver_that_asks_to_wait_is_given_the_time() -> None:
    async with receiving(answer(429, retry_after="300")) as receiver:
        town = Town(people({"ops": rule()}), {"ops": http(rule(), receiver.url)})
        town.enqueue(notice("one"))
        await town.rounds(290)
        assert len(receiver.seen) == 1
        await town.rounds(20)

    assert len(receiver.seen) == 2


async def test_a_wait_without_end_is_cut_at_the_time_to_give_up() -> None:
    pigeon = Pigeon(lambda _: Later("busy", wait_s=1e12))
    town = Town(people({"ops": rule(give_up_s=600.0)}), {"ops": pigeon})
    town.enqueue(notice("one"))
    await town.rounds(620)

    (row,) = town.rows()
    assert (row.state, row.attempts, row.error) == ("failed", 2, "busy")


async def test_what_is_given_up_is_listed_and_an_alert_and_can_be_sent_again() -> None:
    works = [False]
    pigeon = Pigeon(lambda _: Sent() if works[0] else Later("down"))
    town = Town(people({"ops": rule(give_up_s=600.0)}), {"ops": pigeon})
    town.enqueue(notice("one"))
    await town.rounds(30)
    assert town.database.read_now(lambda tx: find(tx, failing_key("ops"))) is not None
    await town.rounds(620)
    (row,) = town.rows()
    alert = town.database.read_now(lambda tx: find(tx, failed_key("ops")))

    assert (row.state, row.error) == ("failed", "down")
    assert alert is not None
    assert alert.severity == "critical"
    assert row.message.id in alert.text

    works[0] = True
    assert (
        town.database.write_now(
            partial(messages.again, now_us=town.clock.now_us(), give_up_s=600.0, id_=row.message.id)
        )
        == 1
    )
    await town.rounds(4)
    for key in (failing_key("ops"), failed_key("ops")):
        over = town.database.read_now(partial(find, key=key))
        assert over is not None
        assert over.ended_us is not None
    assert [(row.state, row.message.id) for row in town.rows()] == [("sent", row.message.id)]
    assert {message.id for message in pigeon.carried} == {row.message.id}


async def test_what_is_refused_fails_at_once_and_the_next_goes_on() -> None:
    pigeon = Pigeon(lambda message: Refused("bad") if "one" in message.content.title else Sent())
    town = Town(people({"ops": rule()}), {"ops": pigeon})
    town.enqueue(notice("one"), notice("two", at_us=START_US + 1))
    await town.rounds(6)

    assert [(row.message.content.title, row.state) for row in town.rows()] == [
        ("Title of one", "failed"), ("Title of two", "sent"),
    ]  # fmt: skip


async def test_nothing_overtakes_and_what_came_meanwhile_goes_together() -> None:
    works = [False]
    pigeon = Pigeon(lambda _: Sent() if works[0] else Later("down"))
    town = Town(people({"ops": rule()}), {"ops": pigeon})
    town.enqueue(notice("first"))
    await town.rounds(10)
    for place in range(50):
        town.enqueue(notice(f"n{place:02}", at_us=START_US + place))
        await town.rounds(2)
    works[0] = True
    pigeon.carried.clear()
    await town.rounds(400)

    assert [message.content.title for message in pigeon.carried] == [
        "Title of first",
        "50 notices for leads: 50 reviews",
    ]


async def test_a_channel_that_hangs_holds_up_no_other() -> None:
    async with receiving(*["hang"] * 50) as bad, receiving() as good:
        town = Town(
            people({"bad": rule(), "good": rule()}),
            {"bad": http(rule(), bad.url), "good": http(rule(), good.url)},
        )
        town.enqueue(notice("one"))
        await town.sorting.round(town.clock.now_us())
        await asyncio.sleep(3)
        began_s = asyncio.get_running_loop().time()
        hanging = asyncio.create_task(town.offices["bad"].round(0))
        await town.offices["good"].round(0)
        took_s = asyncio.get_running_loop().time() - began_s
        await hanging

    assert took_s < 1
    assert (len(bad.seen), len(good.seen)) == (1, 1)


async def test_a_courier_that_never_ends_is_ended() -> None:
    class Stone(Pigeon):
        async def carry(self, message: Message, now_us: int) -> Result:
            await asyncio.sleep(1e6)
            return Sent()

    town = Town(people({"ops": rule()}), {"ops": Stone()})
    town.enqueue(notice("one"))
    await town.sorting.round(town.clock.now_us())
    await asyncio.sleep(3)
    began_s = asyncio.get_running_loop().time()
    await town.offices["ops"].round(0)

    assert asyncio.get_running_loop().time() - began_s == 15
    assert town.rows()[0].state == "pending"


async def test_a_storm_at_once_is_one_message() -> None:
    pigeon = Pigeon()
    town = Town(people({"ops": rule()}), {"ops": pigeon})
    town.enqueue(*(notice(f"n{place:05}", at_us=START_US + place) for place in range(10_000)))
    await town.rounds(3_600, every_s=20)

    (message,) = pigeon.carried
    assert message.kind == "digest"
    assert message.count == 10_000
    assert message.content.title == "10000 notices for leads: 10000 reviews"
    assert message.content.text[-1] == "... and 9990 more."
    assert sorted(_keys(town)) == [f"n{place:05}" for place in range(10_000)]


@pytest.mark.slow
async def test_a_storm_that_lasts_is_a_message_each_ten_minutes() -> None:
    """For an hour: some by themselves, then one message for all that came in ten minutes. Slow: hundreds of rounds."""
    pigeon = Pigeon()
    town = Town(people({"ops": rule(per_hour=5)}), {"ops": pigeon})
    for second in range(0, 3_600, 10):
        town.enqueue(*(notice(f"n{second}-{place}") for place in range(10)))
        await town.round()
        await asyncio.sleep(10)
    await town.rounds(700, every_s=10)

    kinds = Counter(message.kind for message in pigeon.carried)
    assert kinds["notice"] <= 5
    assert kinds["digest"] <= 7
    assert len(set(_keys(town))) == len(_keys(town)) == 3_600


async def test_what_is_about_one_thing_is_one_message() -> None:
    pigeon = Pigeon()
    town = Town(people({"ops": rule()}), {"ops": pigeon})
    town.enqueue(
        *(
            notice(f"rev:{place}", about="rev", title=f"Reminder {place}", at_us=START_US + place)
            for place in range(400)
        )
    )
    await town.rounds(6)

    (message,) = pigeon.carried
    assert (message.kind, message.count, message.content.title) == ("notice", 400, "Reminder 399")


async def test_a_critical_one_passes_a_storm_at_once() -> None:
    pigeon = Pigeon()
    town = Town(people({"ops": rule()}), {"ops": pigeon})
    town.enqueue(*(notice(f"n{place}") for place in range(100)))
    await town.rounds(4)
    town.enqueue(notice("fire", severity="critical"), notice("smoke"))
    await town.round()

    assert [message.content.title for message in pigeon.carried][1:] == ["Title of fire"]


async def test_a_critical_one_does_not_wait_behind_one_that_cannot_be_delivered() -> None:
    """A receiver that stumbles over one message must not keep an alarm from anybody for a day."""
    pigeon = Pigeon(lambda message: Later("500") if "poison" in message.content.title else Sent())
    town = Town(people({"ops": rule()}), {"ops": pigeon}, teams_of=lambda _: ())
    town.enqueue(notice("poison"))
    await town.rounds(60)
    town.enqueue(notice("fire", severity="critical"))
    await town.round()

    assert pigeon.carried[-1].content.title == "Title of fire"


async def test_what_waits_for_a_channel_that_is_gone_goes_to_the_others() -> None:
    old = Town(people({"old": rule()}), {"old": Pigeon(lambda _: Later("down"))}, teams_of=lambda _: ())
    old.enqueue(notice("formed"))
    await old.rounds(6)
    old.enqueue(notice("waiting"))
    await old.rounds(6)
    pigeon = Pigeon()
    new = Town(people({"new": rule()}), {"new": pigeon}, database=old.database, teams_of=lambda _: ())
    await new.rounds(6)
    assert [message.content.title for message in pigeon.carried] == ["Title of waiting"]

    await new.rounds(90_000, every_s=300)
    assert {row.message.channel: row.state for row in new.rows()} == {"old": "failed", "new": "sent"}
    assert new.database.read_now(lambda tx: find(tx, failed_key("old"))) is not None


async def test_teams_have_storms_of_their_own() -> None:
    pigeon = Pigeon()
    teams = {name: {"members": ["ann"], "notify": ["ops"]} for name in ("leads", "night")}
    town = Town(people({"ops": rule()}, teams=teams), {"ops": pigeon})
    town.enqueue(*(notice(f"n{place}") for place in range(100)), notice("quiet", to="night"))
    await town.rounds(4)

    assert sorted((message.team, message.count) for message in pigeon.carried) == [
        ("leads", 100),
        ("night", 1),
    ]


@pytest.mark.parametrize("to", ["strangers", ""])
async def test_a_notice_for_nobody_is_seen_to_have_reached_nobody(to: str) -> None:
    town = Town(people({"ops": rule()}), {"ops": Pigeon()}, teams_of=lambda _: ())
    town.enqueue(notice("one", to=to))
    await town.rounds(4)

    found = town.database.read_now(messages.untold)
    assert [(one.state, one.team, one.count) for one in found] == [("nobody", to, 1)]
    assert town.database.read_now(partial(find, key=f"notices:{to}")) is not None


class Incidents(Pigeon):
    """PagerDuty, as far as it goes: what stands open."""

    def __init__(self) -> None:
        super().__init__(self._took)
        self.open: set[str] = set()

    def _took(self, message: Message) -> Result:
        (self.open.discard if message.kind == "over" else self.open.add)(message.content.about)
        return Sent()


def _alert(key: str, severity: str = "warning") -> Alert:
    return Alert(key, "schema", "support", severity, f"Alert {key}", "It is so.", "tsk_1")  # type: ignore[arg-type]


async def test_an_alert_is_told_once_and_its_end_to_who_can_take_it_back() -> None:
    pager, chat = Incidents(), Pigeon()
    town = Town(people({"pager": rule("pagerduty"), "chat": rule("slack")}), {"pager": pager, "chat": chat})
    for _ in range(5):
        town.database.write_now(lambda tx: raised(tx, _alert("a"), town.clock.now_us()))
        await town.rounds(6)
    assert pager.open == {"alert:a"}
    town.database.write_now(lambda tx: ended(tx, "a", "ann", town.clock.now_us()))
    await town.rounds(6)
    assert pager.open == set()
    assert [message.kind for message in pager.carried] == ["notice", "over"]
    assert [message.kind for message in chat.carried] == ["notice"]
    assert chat.carried[0].content.text == ("It is so.", "First seen in task tsk_1.")

    town.database.write_now(lambda tx: raised(tx, _alert("a"), town.clock.now_us()))
    await town.rounds(6)
    assert pager.open == {"alert:a"}
    assert len(chat.carried) == 2


async def test_the_end_of_a_thing_goes_the_way_its_beginning_went() -> None:
    pager = Incidents()
    town = Town(people({"pager": rule("pagerduty")}), {"pager": pager}, teams_of=lambda _: ())
    town.enqueue(notice("one", about="rev", severity="critical"))
    await town.round()
    town.enqueue(notice("two", about="rev", over=True))
    await town.round()

    assert pager.open == set()
    assert [message.kind for message in pager.carried] == ["notice", "over"]
    (criticals,) = town.database.read_now(lambda tx: tx.rows("SELECT SUM(critical) FROM notice_messages"))
    assert criticals[0] == 2


async def test_an_item_that_is_decided_resolves_the_incident_it_was() -> None:
    pager = Incidents()
    town = Town(people({"pager": rule("pagerduty")}), {"pager": pager}, teams_of=lambda _: ())
    item = town.database.write_now(
        lambda tx: items.insert(
            tx, Item("", Kind.APPROVAL, Status.OPEN, "eff_1", "tsk_1", "support", "leads", START_US)
        )
    )
    for place, kind in enumerate(("review", "reminder")):
        town.enqueue(notice(f"{item.id}:{place}", kind=kind, about=item.id, at_us=START_US + place))
    await town.rounds(4)
    assert pager.open == {item.id}
    for _ in range(2):
        town.database.write_now(
            lambda tx: items.update(tx, item.id, status=Status.GONE, decided_us=town.clock.now_us())
        )
        await town.rounds(4)

    assert pager.open == set()
    assert [message.kind for message in pager.carried] == ["notice", "over"]


async def test_a_courier_with_a_fault_of_its_own_is_tried_again_and_given_up_like_any_other() -> None:
    def act(_: Message) -> Result:
        raise KeyError("SECRETWORD")

    pigeon = Pigeon(act)
    town = Town(people({"ops": rule(give_up_s=600.0)}), {"ops": pigeon}, teams_of=lambda _: ())
    town.enqueue(notice("one"))
    await town.rounds(700)

    (row,) = town.rows()
    assert (row.state, row.error) == ("failed", "The courier failed: KeyError.")
    assert len(pigeon.carried) < 12


async def test_what_is_over_before_anybody_was_told_is_not_told() -> None:
    pager = Incidents()
    town = Town(people({"pager": rule("pagerduty")}), {"pager": pager})
    town.enqueue(notice("one", about="rev"), notice("two", about="rev", over=True, at_us=START_US + 1))
    await town.rounds(10)

    assert pager.carried == []
    assert town.database.read_now(messages.untold) == []


async def test_a_channel_is_not_asked_to_tell_of_its_own_failure() -> None:
    down = Pigeon(lambda _: Later("down"))
    up = Pigeon()
    town = Town(people({"down": rule(), "up": rule()}), {"down": down, "up": up})
    town.enqueue(notice("one"))
    await town.rounds(60)

    assert [message.content.title for message in up.carried] == [
        "Title of one", "The channel down does not deliver",
    ]  # fmt: skip
    assert {message.content.title for message in down.carried} == {"Title of one"}


async def test_all_channels_down_is_a_bounded_number_of_rows() -> None:
    """Alerts of failures are notices too; they must not breed."""
    town = Town(people({"a": rule(), "b": rule()}), {name: Pigeon(lambda _: Later("down")) for name in "ab"})
    town.enqueue(notice("one"))
    await town.rounds(3 * 86_400, every_s=450)

    (count,) = town.database.read_now(lambda tx: tx.rows("SELECT COUNT(*) FROM notices"))[0]
    assert count <= 1 + 4


class Crash(BaseException):
    """The process is gone."""


class MortalDatabase(Memory):
    """Dies before or after any write, when chance says so; what was written stays."""

    chance: random.Random | None = None

    def write_now(self, op):  # type: ignore[no-untyped-def]  # as the base class has it
        return super().write_now(op)

    async def write(self, op, *, fence=None, beside=False):  # type: ignore[no-untyped-def]  # as the base class has it
        if self.chance is not None and self.chance.random() < 0.15:
            raise Crash
        result = await super().write(op, fence=fence, beside=beside)
        if self.chance is not None and self.chance.random() < 0.15:
            raise Crash
        return result


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
async def test_a_crash_anywhere_loses_nothing_and_repeats_only_with_the_same_id(seed: int) -> None:
    """Slow: each seed is two weeks of a town whose process dies about a hundred times."""
    chance = random.Random(seed)
    database, clock = MortalDatabase(), LoopClock()
    arrived: list[tuple[str, str, str]] = []  # channel, id, content

    calm = False

    def act(message: Message) -> Result:
        roll = 1.0 if calm else chance.random()
        if roll < 0.1:
            raise Crash  # before it was sent
        if roll < 0.3:
            return Later("down", all_alike=chance.random() < 0.5)
        arrived.append((message.channel, message.id, message.content.stored()))
        if roll < 0.4:
            raise Crash  # between sending and recording
        return Sent()

    channels = {
        "hook": rule(give_up_s=1e6),
        "mail": rule("email", give_up_s=1e6),
        "pager": rule("pagerduty", give_up_s=1e6),
    }
    who = people(channels)
    sent: list[Notice] = []
    town = Town(who, {name: Pigeon(act) for name in channels}, database=database, clock=clock, seed=seed)
    for step in range(120):
        if step < 60:
            new = [notice(f"n{step}-{place}", severity=chance.choice(["warning", "critical"]))
                   for place in range(chance.choice([0, 1, 1, 2, 9]))]  # fmt: skip
            town.enqueue(*new)
            sent += new
        database.chance = chance if step < 100 else None
        try:
            if chance.random() < 0.7:
                await town.sorting.round(clock.now_us())
            for office in town.offices.values():
                await office.round(clock.now_us())
        except Crash:
            town = Town(
                who,
                {name: Pigeon(act) for name in channels},
                database=database,
                clock=clock,
                seed=seed * 1_000 + step,
            )
        await asyncio.sleep(chance.choice([1, 5, 60, 600]))
    database.chance = None
    calm = True
    await town.rounds(20_000, every_s=100)

    rows = town.rows()
    assert all(row.state == "sent" for row in rows), f"seed {seed}"
    assert {row.message.id for row in rows} == {id_ for _, id_, _ in arrived}, f"seed {seed}"
    assert len(set(arrived)) == len({id_ for _, id_, _ in arrived}), f"seed {seed}: an id with two contents"
    for channel, recipients in (("hook", 1), ("pager", 1), ("mail", 2)):
        told = Counter(
            key for row in rows if row.message.channel == channel
            for key in database.read_now(partial(messages.notice_keys, message_id=row.message.id, limit=100_000))
        )  # fmt: skip
        own = {key: count for key, count in told.items() if not key.startswith("alert:")}
        assert own == {one.key: recipients for one in sent}, f"seed {seed}"
    assert not [one for one in database.read_now(messages.untold) if one.state != "nobody"]


async def test_old_messages_are_forgotten_and_failed_ones_are_kept() -> None:
    pigeon = Pigeon(lambda message: Refused("bad") if "bad" in message.content.title else Sent())
    town = Town(people({"ops": rule()}), {"ops": pigeon}, teams_of=lambda _: ())
    town.enqueue(notice("good"), notice("bad"))
    await town.rounds(6)
    town.sorting = Sorting(town.database, people({"ops": rule()}), lambda _: ())
    await town.sorting.round(town.clock.now_us() + 29 * 86_400 * US_PER_S)
    assert len(town.rows()) == 2
    await town.sorting.round(town.clock.now_us() + 31 * 86_400 * US_PER_S)

    assert [row.message.content.title for row in town.rows()] == ["Title of bad"]
    assert town.database.read_now(lambda tx: tx.rows("SELECT key FROM notices")) == [("bad",)]
