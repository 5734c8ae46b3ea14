"""Signing in by the page: what opens, what does not, and what a stranger learns: nothing."""

from typing import Any

import pytest

from airworthy.console.door import Door
from airworthy.console.passwords import Hasher
from airworthy.console.web.forms import way_on
from airworthy.recorder import audit
from airworthy.recorder.audit import AuditQuery
from airworthy.review.people import People
from tests.console.kit import Api
from tests.console.web.browsing import PASSWORD, Browser, house, signed_in, with_account


def noted(made: Api, **asked: Any) -> list[tuple[str, str, str]]:
    rows = made.app.database.read_now(lambda tx: audit.listing(tx, AuditQuery(**asked)))
    return [(row.what, row.about, row.outcome) for row in rows]


async def test_whoever_has_not_signed_in_is_led_to_the_form_and_from_there_on() -> None:
    made = with_account(house())
    browser = Browser(made)
    led = await browser.get("/account?x=1")
    answer = await browser.fill(
        led.headers["location"], "/login", name="dana", password=PASSWORD, next="/account?x=1"
    )

    assert (led.status_code, led.headers["location"]) == (303, "/login?next=/account%3Fx%3D1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?x=1")
    assert (await browser.get("/account")).status_code == 200
    assert (await browser.get("/login")).headers["location"] == "/"


@pytest.mark.parametrize("name", ["dana", "dana@example.com", " DANA@Example.com "])
async def test_a_person_signs_in_by_name_or_by_address(name: str) -> None:
    browser = Browser(with_account(house()))

    assert (await browser.sign_in(name)).status_code == 303
    assert "Dana" not in (await browser.get("/account")).text  # By the id that records show.


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() -> None:
    browser = Browser(with_account(house()), "https://console.example")
    answer = await browser.sign_in()
    cookies = {cookie.split("=")[0]: cookie for cookie in answer.headers.get_list("set-cookie")}

    for name in ("__Host-airworthy", "__Host-airworthy_known"):
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= {
            part.strip() for part in cookies[name].split(";")
        }
        assert "domain" not in cookies[name].lower()


async def test_whatever_is_wrong_gets_the_same_answer() -> None:
    made = with_account(house())
    made.parts.accounts.add("vera")  # Without a password yet.
    for person in ("olga", "ada"):
        with_account(made, person)
    made.parts.accounts.disable("olga")
    declared = dict(made.people[0].people)
    del declared["ada"]
    made.people[0] = People(people=declared)
    answers = set()
    for name, password in (
        ("dana", "wrong horse battery"), ("nobody", PASSWORD), ("vera", PASSWORD), ("vera", ""), ("olga", PASSWORD),
        ("ada", PASSWORD), ("dana", "x" * 5_000), ("dana'; --", PASSWORD), ("dana\x00", PASSWORD),
    ):  # fmt: skip
        browser = Browser(made, address=f"192.0.2.{len(name)}{len(password) % 10}")
        answer = await browser.sign_in(name, password)
        told = answer.text[answer.text.index('role="alert"') :].split("</p>")[0]
        answers.add((answer.status_code, told, browser.cookies.get("airworthy")))

    assert len(answers) == 1
    assert answers.pop()[0] == 401


async def test_a_failed_sign_in_is_recorded_without_what_was_typed_for_a_name() -> None:
    made = with_account(house())
    await Browser(made).sign_in("dana", "wrong horse battery")
    await Browser(made).sign_in("my secret passphrase", "x")
    await Browser(made).sign_in()
    rows = made.app.database.read_now(lambda tx: audit.listing(tx, AuditQuery(what="sign_in")))

    assert noted(made, what="sign_in") == [
        ("sign_in", "dana", "done"), ("sign_in", "", "refused"), ("sign_in", "dana", "refused")
    ]  # fmt: skip
    assert {(row.door, row.address) for row in rows} == {("console", "192.0.2.7")}
    assert "passphrase" not in repr(made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM audit")))
    assert "passphrase" not in repr(made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM attempts")))


async def test_after_five_failures_a_name_waits_longer_each_time_from_wherever_it_is_tried() -> None:
    made = with_account(house())
    answers = [
        await Browser(made, address=f"192.0.2.{n}").sign_in("dana", "wrong horse battery") for n in range(5)
    ]
    waits = []
    for n in range(12):
        answer = await Browser(made, address=f"198.51.100.{n}").sign_in("dana", "wrong horse battery")
        waits.append(int(answer.headers["retry-after"]))
        made.clock.advance(waits[-1])
        await Browser(made, address=f"198.51.100.{n}").sign_in("dana", "wrong horse battery")

    assert [answer.status_code for answer in answers] == [401] * 5
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


async def test_while_a_name_waits_the_right_password_is_told_nothing_either_and_a_name_that_nobody_has_waits_too() -> (
    None
):
    made = with_account(house())
    told = set()
    for name in ("dana", "nobody"):
        for _ in range(5):
            await Browser(made, address="192.0.2.1").sign_in(name, "wrong horse battery")
        answer = await Browser(made, address="192.0.2.2").sign_in(name, PASSWORD)
        told.add((answer.status_code, answer.headers["retry-after"]))

    assert told == {(429, "2")}


async def test_strangers_lock_nobody_out_who_has_signed_in_from_this_browser_before() -> None:
    made = house()
    browser = await signed_in(made)
    for n in range(6):
        await Browser(made, address=f"192.0.2.{n}").sign_in("dana", "wrong horse battery")
    still = await browser.get("/account")
    await browser.fill("/account", "/logout")

    assert still.status_code == 200
    assert (await Browser(made).sign_in()).status_code == 429
    assert (await browser.sign_in()).status_code == 303


async def test_one_address_that_tries_many_names_waits() -> None:
    made = with_account(house())
    answers = [(await Browser(made).sign_in(f"name{n}", "x")).status_code for n in range(21)]

    assert answers == [401] * 20 + [429]
    assert (await Browser(made, address="192.0.2.8").sign_in()).status_code == 303


async def test_an_account_of_ones_own_clears_no_address() -> None:
    made = with_account(house())
    for n in range(19):
        await Browser(made).sign_in(f"name{n}", "x")
        assert (await Browser(made).sign_in()).status_code == 303

    assert [(await Browser(made).sign_in(f"late{n}", "x")).status_code for n in range(2)] == [401, 429]


async def test_a_day_later_failures_are_forgotten() -> None:
    made = with_account(house())
    for _ in range(6):
        await Browser(made).sign_in("dana", "x")
    made.clock.advance(86_401)

    assert (await Browser(made).sign_in()).status_code == 303
    assert made.app.database.read_now(lambda tx: tx.rows("SELECT failures FROM attempts")) == [(0,)]


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "another page"),
        ({"Origin": "http://evil.example"}, "an older browser"),
    ],
)
async def test_no_other_page_signs_anybody_in(headers: dict[str, str], why: str) -> None:
    browser = Browser(with_account(house()))
    browser.headers.update(headers)

    assert (await browser.sign_in()).status_code == 403, why


async def test_a_form_without_its_cookie_or_with_that_of_another_browser_is_refused() -> None:
    made = with_account(house())
    bare = await Browser(made).post("/login", data={"name": "dana", "password": PASSWORD, "csrf": ""})
    other, mine = Browser(made), Browser(made)
    shown = (await other.get("/login")).text
    token = shown.split('name="csrf" value="')[1].split('"')[0]
    await mine.get("/login")
    mixed = await mine.post("/login", data={"name": "dana", "password": PASSWORD, "csrf": token})

    assert (bare.status_code, mixed.status_code) == (403, 403)


async def test_signing_out_ends_the_session_and_not_only_the_cookie() -> None:
    made = house()
    browser = await signed_in(made)
    kept = browser.cookies["airworthy"]
    answer = await browser.fill("/account", "/logout")
    browser.cookies.set("airworthy", kept, domain="localhost.local")

    assert answer.headers["location"] == "/login"
    assert (await browser.get("/account")).status_code == 303
    assert noted(made, what="session") == [("session.end", made.parts.signing.database.read_now(
        lambda tx: tx.row("SELECT id FROM sessions"))[0], "done")]  # type: ignore[index]  # fmt: skip


async def test_signing_in_anew_takes_a_new_session_so_that_none_can_be_put_under_somebody() -> None:
    made = house()
    browser = await signed_in(made)
    first = browser.cookies["airworthy"]
    await browser.fill("/account", "/logout")
    await browser.sign_in()

    assert browser.cookies["airworthy"] != first


async def test_a_password_that_changes_ends_every_session_but_the_new_one_and_every_known_browser() -> None:
    made = house()
    mine = await signed_in(made)
    other = Browser(made)
    await other.sign_in()
    stays = mine.cookies["airworthy"]
    answer = await mine.fill(
        "/account",
        "/account/password",
        old=PASSWORD,
        password="another horse entirely",
        again="another horse entirely",
    )

    assert answer.status_code == 303, answer.text
    assert (await mine.get("/account")).status_code == 200
    assert (await other.get("/account")).status_code == 303
    assert mine.cookies["airworthy"] != stays
    assert made.app.database.read_now(
        lambda tx: tx.row("SELECT COUNT(*) FROM passes WHERE kind = 'known'")
    ) == (1,)
    assert (await Browser(made).sign_in()).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"old": "wrong horse battery"}, 401),
        ({"again": "another horse entirelx"}, 400),
        ({"password": "short", "again": "short"}, 400),
        ({"password": "dana", "again": "dana"}, 400),
        ({"password": "dana smithDana Smith", "again": "dana smithDana Smith"}, 400),
        ({"password": "aaaaaaaaaaaaaaaa", "again": "aaaaaaaaaaaaaaaa"}, 400),
        ({"password": "x1" * 600, "again": "x1" * 600}, 400),
    ],
)
async def test_a_password_that_cannot_be_is_refused_and_the_old_one_stays(
    fields: dict[str, str], status: int
) -> None:
    made = house()
    browser = await signed_in(made)
    sent = {
        "old": PASSWORD,
        "password": "another horse entirely",
        "again": "another horse entirely",
        **fields,
    }

    assert (await browser.fill("/account", "/account/password", **sent)).status_code == status
    assert (await Browser(made).sign_in()).status_code == 303


async def test_sessions_are_listed_and_ended_one_by_one_or_all_others() -> None:
    made = house()
    mine, *others = [await signed_in(made)] + [Browser(made) for _ in range(3)]
    for other in others:
        await other.sign_in()
    listed = (await mine.get("/api/v1/me")).json()["sessions"]
    first = next(each["id"] for each in listed if not each["this"])
    await mine.fill("/account", "/account/sessions/end", session=first)
    left = len((await mine.get("/api/v1/me")).json()["sessions"])
    await mine.fill("/account", "/account/sessions/end")

    assert (len(listed), left, len((await mine.get("/api/v1/me")).json()["sessions"])) == (4, 3, 1)


async def test_nobody_ends_the_session_of_somebody_else() -> None:
    made = house()
    mine, others = await signed_in(made), await signed_in(made, "olga")
    [session] = made.parts.signing.sessions("olga")
    await mine.fill("/account", "/account/sessions/end", session=session.id)

    assert (await others.get("/account")).status_code == 200


async def test_a_link_sets_a_password_once_and_looking_at_it_uses_nothing_up() -> None:
    made = house()
    link = made.parts.accounts.add("dana")
    browser = Browser(made)
    for _ in range(3):
        assert (await Browser(made).get(link.path)).status_code == 200
    fields = {"password": PASSWORD, "again": PASSWORD}
    answer = await browser.fill(link.path, **fields)
    again = await Browser(made).fill(link.path, **fields)

    assert (answer.status_code, again.status_code) == (303, 403)
    assert (await browser.get("/account")).status_code == 200
    assert (await Browser(made).get(link.path)).status_code == 403


async def test_a_link_is_good_for_a_quarter_of_an_hour_and_void_once_there_is_a_newer_one() -> None:
    made = house()
    first = made.parts.accounts.add("dana")
    second = made.parts.accounts.link("dana")
    statuses = [(await Browser(made).get(link.path)).status_code for link in (first, second)]
    made.clock.advance(15 * 60)

    assert statuses == [403, 200]
    assert (await Browser(made).get(second.path)).status_code == 403
    assert second.path.split("/")[-1] not in repr(
        made.app.database.read_now(lambda tx: tx.rows("SELECT * FROM passes"))
    )


async def test_the_first_link_is_there_until_somebody_has_a_password() -> None:
    made = house()
    first = made.parts.accounts.first_link("root")
    again = made.parts.accounts.first_link("root")
    assert first is not None
    assert again is not None
    await Browser(made).fill(again.path, password=PASSWORD, again=PASSWORD)

    assert (first.person, again.person) == ("ada", "ada")
    assert made.parts.accounts.first_link("root") is None
    assert (
        house(People(people={"vera": made.people[0].people["vera"]})).parts.accounts.first_link("root")
        is None
    )


async def test_without_people_toml_whoever_starts_the_console_is_its_first_admin() -> None:
    made = house(People())
    link = made.parts.accounts.first_link("root")
    assert link is not None
    browser = Browser(made)
    await browser.fill(link.path, password=PASSWORD, again=PASSWORD)
    me = (await browser.get("/api/v1/me")).json()

    assert (me["name"], me["roles"], "administer" in me["rights"]) == ("root", ["admin"], True)


async def test_a_hash_made_under_older_settings_is_renewed_when_its_owner_signs_in() -> None:
    made = house()
    made.parts.accounts.add("dana")
    old = Hasher(memory_kib=16, passes=1).hash(PASSWORD)
    made.app.database.write_now(lambda tx: tx.execute("UPDATE accounts SET hash = ?", (old,)))
    answer = await Browser(made).sign_in()
    [(renewed,)] = made.app.database.read_now(lambda tx: tx.rows("SELECT hash FROM accounts"))

    assert answer.status_code == 303
    assert (renewed != old, renewed.split("$")[3]) == (True, "m=8,t=1,p=1")
    assert renewed.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "why"),
    [
        (
            "192.0.2.7",
            "9.9.9.9, 203.0.113.1, 192.0.2.8",
            "203.0.113.1",
            "the first that is no proxy, from the end",
        ),
        ("203.0.113.5", "9.9.9.9", "203.0.113.5", "whoever is no proxy speaks for nobody"),
        ("192.0.2.7", "", "192.0.2.7", "a proxy that says nothing"),
        ("192.0.2.7", "rubbish", "rubbish", "a proxy's word is taken as it is"),
    ],
)
def test_behind_a_proxy_that_is_named_attempts_count_by_whoever_is_behind_it(
    peer: str, forwarded: str, address: str, why: str
) -> None:
    assert Door(proxies=("192.0.2.0/24",)).address(peer, forwarded) == address, why


@pytest.mark.parametrize(
    ("wanted", "to"),
    [
        ("/traces?q=agent:support", "/traces?q=agent:support"), ("", "/"), ("https://evil.example", "/"),
        ("//evil.example", "/"), ("/\\evil.example", "/"), ("/\t/evil.example", "/"), ("/login?next=/", "/"),
        ("javascript:alert(1)", "/"), ("/é", "/"), ("/" + "x" * 2_000, "/"),
    ],
)  # fmt: skip
def test_the_way_on_leads_to_a_page_of_ours(wanted: str, to: str) -> None:
    assert way_on(wanted) == to


async def test_an_htmx_piece_of_somebody_whose_session_ended_sends_the_whole_page_to_the_form() -> None:
    answer = await Browser(house()).get("/account", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login?next=/account")
