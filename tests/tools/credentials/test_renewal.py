"""A token is asked for early and once, and shared; a refresh token is on disk before its access token is used."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.core.clock import ManualClock
from airworthy.store import StoreFull, Tx, migrate
from airworthy.store import lease as leases
from airworthy.store.lease import Owner
from airworthy.tools.credentials import (
    CredentialBroken,
    CredentialDown,
    Flights,
    Given,
    Keeper,
    Later,
    Refused,
)
from airworthy.tools.credentials.grant import TokenRequest
from airworthy.tools.credentials.renewal import BACKOFF_S_MAX, FAILURES_TOLD
from tests.database import Memory
from tests.tools.credentials.kit import (
    FIRST_REFRESH,
    SECRET,
    Asked,
    Kit,
    Server,
    Tokens,
    asking,
    client_credentials,
    kit,
    refresh_token,
)

T = TypeVar("T")


class Script:
    """An endpoint that answers as written; the last one stays. `asked` holds the forms."""

    def __init__(self, *answers: Given | Later | Refused) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []
        self.during: Callable[[], None] = lambda: None

    def __call__(self, request: TokenRequest, _: tuple[str, ...]) -> Given | Later | Refused:
        self.asked.append(Asked("", {}, request.body).form)
        self.during()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def renewed(made: Kit) -> None:
    """Waits for the renewal that the last call began beside itself."""
    flight = made.keeper._flight
    assert flight is not None
    flight.result(5)


REVOKED = Refused("The token endpoint answered 400: invalid_grant.", "Give a new refresh token.")
DOWN = Later("The token endpoint answered 503.")


def test_a_token_is_kept_while_it_lasts_and_renewed_early_without_holding_up_a_call() -> None:
    ask = Script(Given("one", 3600), Given("two", 3600))
    made = kit(client_credentials(early_s=60.0), ask)

    first = [made.keeper.get() for _ in range(3)]
    made.clock.advance(3539)
    still = made.keeper.get()
    asked_before = len(ask.asked)
    made.clock.advance(2)
    beside = made.keeper.get()
    renewed(made)

    assert first == ["one"] * 3
    assert (still, asked_before) == ("one", 1)
    assert beside == "one"
    assert made.keeper.get() == "two"
    assert len(ask.asked) == 2


def test_an_endpoint_that_is_down_costs_nothing_while_the_old_token_lasts_and_is_asked_ever_more_rarely() -> (
    None
):
    ask = Script(Given("one", 3600), DOWN)
    made = kit(client_credentials(early_s=600.0), ask)
    made.keeper.get()
    made.clock.advance(3001)
    used = set()
    for _ in range(598):  # A call a second, up to the token's last.
        used.add(made.keeper.get())
        renewed(made)
        made.clock.advance(1)
    attempts = len(ask.asked) - 1
    made.clock.advance(2)

    assert used == {"one"}
    assert attempts <= 10  # 1, 2, 4 ... 256 s apart
    with pytest.raises(CredentialDown, match="503") as caught:
        made.keeper.get()
    assert caught.value.happened == "no"
    assert 0 < (caught.value.retry_after_s or 0) <= BACKOFF_S_MAX


def test_an_endpoint_that_stays_down_becomes_an_alert_and_its_return_ends_it() -> None:
    ask = Script(*[DOWN] * (FAILURES_TOLD + 1), Given("back", 3600))
    made = kit(client_credentials(), ask)
    seen = []
    for _ in range(FAILURES_TOLD + 1):
        with pytest.raises(CredentialDown):
            made.keeper.get()
        seen.append(len(made.alerts()))
        made.clock.advance(BACKOFF_S_MAX)

    assert seen == [0, 0, 1, 1]
    assert made.keeper.get() == "back"
    assert made.alerts() == []


def test_a_wait_that_the_endpoint_asks_for_is_kept_by_every_process() -> None:
    ask = Script(Later("The token endpoint answered 429.", 120.0))
    made = kit(client_credentials(), ask)
    other = made.restarted()
    for one in (made, other, made.restarted()):
        with pytest.raises(CredentialDown):
            one.keeper.get()
    made.clock.advance(119)
    with pytest.raises(CredentialDown):
        other.keeper.get()

    assert len(ask.asked) == 1


def test_another_process_uses_the_token_that_is_there() -> None:
    ask = Script(Given("shared", 3600))
    made = kit(client_credentials(), ask)

    assert made.keeper.get() == made.restarted().keeper.get() == "shared"
    assert len(ask.asked) == 1


def test_without_the_library_that_seals_each_process_asks_for_itself_and_nothing_is_stored() -> None:
    ask = Script(Given("mine", 3600), Given("yours", 3600))
    made = kit(client_credentials(), ask, seals=False)
    other = made.restarted(seals=False)

    assert (made.keeper.get(), other.keeper.get()) == ("mine", "yours")
    assert made.keeper.get() == "mine"
    assert made.row().sealed is None


def test_another_secret_starts_anew_and_the_old_ones_state_does_not_count() -> None:
    ask = Script(REVOKED, Given("new", 3600))
    made = kit(client_credentials(), ask)
    with pytest.raises(CredentialBroken):
        made.keeper.get()
    other = made.restarted(replace(made.grant, secret="another-secret"))

    assert other.keeper.get() == "new"
    assert made.alerts() == []


def test_a_broken_credential_is_not_tried_again_and_asks_for_a_person_once() -> None:
    ask = Script(REVOKED)
    made = kit(refresh_token(), ask)
    for one in (made, made.restarted(), made.restarted()):
        for _ in range(5):
            with pytest.raises(CredentialBroken, match="invalid_grant") as caught:
                one.keeper.get()
            made.clock.advance(3600)

    assert len(ask.asked) == 1
    assert caught.value.mend == "Give a new refresh token."
    (alert,) = made.alerts()
    assert (alert.key, alert.severity, alert.count) == ("credential:crm", "critical", 1)
    assert "airworthy dependency check crm" in alert.text


def test_a_broken_refresh_leaves_the_old_token_its_time() -> None:
    ask = Script(Given("one", 3600, "r1"), REVOKED)
    made = kit(refresh_token(), ask)
    made.keeper.get()
    made.clock.advance(3590)
    last = made.keeper.get()
    renewed(made)
    alert = made.alerts()[0].severity
    late = made.restarted().keeper.get()
    made.clock.advance(11)

    assert (last, late, alert) == ("one", "one", "critical")
    with pytest.raises(CredentialBroken):
        made.keeper.get()


def test_a_401_makes_another_token_once_and_no_second_one_within_seconds() -> None:
    ask = Script(Given("one", 3600), Given("two", 3600), Given("three", 3600))
    made = kit(client_credentials(), ask)
    one = made.keeper.get()
    made.clock.advance(30)

    assert made.keeper.instead(one) == "two"
    assert made.keeper.instead(one) == "two"
    assert made.keeper.instead("two") is None
    made.clock.advance(11)
    assert made.keeper.instead("two") == "three"


def test_a_token_refused_in_one_process_is_looked_for_in_the_store_before_the_endpoint_is_asked() -> None:
    ask = Script(Given("one", 3600), Given("two", 3600))
    made = kit(client_credentials(), ask)
    other = made.restarted()
    one = made.keeper.get()
    other.keeper.get()
    made.clock.advance(30)

    assert made.keeper.instead(one) == "two"
    assert other.keeper.instead(one) == "two"
    assert len(ask.asked) == 2


def test_a_refused_token_with_a_revoked_grant_is_used_no_more() -> None:
    ask = Script(Given("one", 3600, "r1"), REVOKED)
    made = kit(refresh_token(), ask)
    one = made.keeper.get()
    made.clock.advance(30)

    with pytest.raises(CredentialBroken):
        made.keeper.instead(one)
    with pytest.raises(CredentialBroken):
        made.keeper.get()
    assert len(ask.asked) == 2


def test_each_refresh_token_is_used_once_and_a_new_process_goes_on_with_the_newest() -> None:
    with Server(Tokens(expires_in=60, rotates=True)) as server:
        clock = ManualClock()
        made = kit(refresh_token(server.url), asking(clock).ask, clock=clock)
        for _ in range(4):
            made.keeper.get()
            clock.advance(61)
            made = made.restarted()

    assert [asked.form["refresh_token"] for asked in server.asked] == [
        FIRST_REFRESH, "canary-refresh-1-77aa", "canary-refresh-2-77aa", "canary-refresh-3-77aa",
    ]  # fmt: skip


class Failing(Memory):
    """A database whose writes fail while `full`."""

    full = False

    def write_now(self, op: Callable[[Tx], T]) -> T:
        if self.full:
            raise StoreFull("The disk is full.")
        return super().write_now(op)


def _failing() -> Failing:
    database = Failing()
    migrate(database, MIGRATIONS)
    return database


class Advancing:
    """Time passes by waiting."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)


def test_crash_of_the_store_between_answer_and_record_keeps_the_rotated_refresh_token_and_its_access_token_back() -> (
    None
):
    database = _failing()
    ask = Script(Given("one", 3600, "r1"), Given("two", 3600, "r2"))
    made = kit(refresh_token(), ask, database)
    made.renewal._pause = Advancing(made.clock)  # type: ignore[assignment]  # real seconds would be waited out
    ask.during = lambda: setattr(database, "full", True)
    with pytest.raises(CredentialDown, match="disk is full"):
        made.keeper.get()
    made.clock.advance(2)
    with pytest.raises(CredentialDown, match="disk is full"):
        made.keeper.get()
    ask.during = lambda: None
    database.full = False
    made.clock.advance(2)

    assert made.keeper.get() == "one"
    assert len(ask.asked) == 1
    made.clock.advance(3601)
    assert made.restarted().keeper.get() == "two"
    assert ask.asked[1]["refresh_token"] == "r1"


def test_a_token_that_ran_out_before_it_could_be_stored_still_hands_its_refresh_token_on() -> None:
    database = _failing()
    ask = Script(Given("one", 60, "r1"), Given("two", 3600, "r2"))
    made = kit(refresh_token(), ask, database)
    made.renewal._pause = Advancing(made.clock)  # type: ignore[assignment]  # real seconds would be waited out
    ask.during = lambda: setattr(database, "full", True)
    with pytest.raises(CredentialDown):
        made.keeper.get()
    ask.during = lambda: None
    database.full = False
    made.clock.advance(100)

    assert made.keeper.get() == "two"
    assert ask.asked[1]["refresh_token"] == "r1"


def test_a_store_that_fails_does_not_hold_back_a_token_that_can_be_had_again() -> None:
    database = _failing()
    ask = Script(Given("one", 3600))
    made = kit(client_credentials(), ask, database)
    ask.during = lambda: setattr(database, "full", True)

    assert made.keeper.get() == "one"


def test_a_process_that_died_with_the_claim_holds_up_the_next_one_no_longer_than_its_lease() -> None:
    ask = Script(Given("one", 3600))
    made = kit(client_credentials(), ask)
    now_us = made.clock.now_us()

    def die(tx: Tx) -> None:
        leases.join(tx, Owner("crd_dead", "", 1, ""), now_us)
        leases.take(tx, f"credential:{made.renewal.name}", "crd_dead", now_us)

    made.database.write_now(die)
    made.clock.advance(leases.LEASE_S + 1)

    assert made.keeper.get() == "one"


def test_a_late_answer_does_not_overwrite_what_another_process_has_stored_since() -> None:
    ask = Script(Given("late", 3600, "r-late"))
    made = kit(refresh_token(), ask)
    quick = made.restarted()
    quick_ask = Script(Given("quick", 3600, "r-quick"))
    quick.renewal._ask = quick_ask

    def frozen() -> None:  # Long enough for its claim to be given to another.
        made.clock.advance(leases.LEASE_S + 1)
        quick.keeper.get()

    ask.during = frozen

    assert made.keeper.get() == "quick"
    made.clock.advance(3601)
    quick.keeper.get()
    assert quick_ask.asked[-1]["refresh_token"] == "r-quick"


def test_tokens_of_secrets_long_gone_are_forgotten() -> None:
    made = kit(client_credentials(), Script(Given("one", 3600)))
    made.keeper.get()
    made.clock.advance(31 * 86_400)
    made.restarted(replace(made.grant, secret="another-secret")).keeper.get()

    rows = made.database.read_now(lambda tx: tx.rows("SELECT name FROM tokens"))
    assert len(rows) == 1


def test_every_secret_is_learnt_before_it_is_stored_or_used() -> None:
    made = kit(refresh_token(), Script(Given("access-1", 3600, "refresh-1")))
    made.keeper.get()

    assert {SECRET, FIRST_REFRESH, "access-1", "refresh-1"} <= set(made.learnt)


def test_a_renewal_that_crashes_is_told_by_its_type_alone() -> None:
    def crash(*_: Any) -> Given:
        raise SystemExit(f"with {SECRET}")

    made = kit(client_credentials(), crash)

    with pytest.raises(CredentialDown, match="SystemExit") as caught:
        made.keeper.get()
    assert SECRET not in str(caught.value)


def test_a_process_that_ends_in_order_waits_for_the_answer_that_is_on_its_way_and_stores_it() -> None:
    sent, answered = threading.Event(), threading.Event()
    ask = Script(Given("one", 3600, "r1"))

    def slowly() -> None:
        sent.set()
        answered.wait(5)

    ask.during = slowly
    made = kit(refresh_token(), ask)
    flights = Flights()
    keeper = Keeper("crm", made.renewal, made.clock, 60.0, flights=flights)
    caller = threading.Thread(target=keeper.get)
    caller.start()
    sent.wait(5)
    early = flights.settle(0.01)
    answered.set()
    late = flights.settle()
    caller.join()

    assert (early, late) == (False, True)
    assert made.row().generation == 1


def test_clocks_that_differ_by_an_hour_cost_a_renewal_and_no_lock_out() -> None:
    """One process is an hour ahead: what it stores looks young, or far away, to the other."""
    ask = Script(Given("ahead", 3600), DOWN, Given("behind", 3600))
    ahead = kit(client_credentials(), ask, clock=ManualClock(1_764_000_000_000_000 + 3_600_000_000))
    behind = kit(ahead.grant, ask, ahead.database, ManualClock())
    first = ahead.keeper.get()
    shared = behind.keeper.get()
    behind.clock.advance(5_000)
    with pytest.raises(CredentialDown):
        behind.keeper.instead("ahead")
    ahead.clock.advance(5_000)
    second = ahead.keeper.get()
    behind.clock.advance(3)

    assert (first, shared, second) == ("ahead", "ahead", "behind")
    assert behind.keeper.instead("ahead") == "behind"
    assert len(ask.asked) == 3
