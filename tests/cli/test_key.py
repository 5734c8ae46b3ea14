"""`key`: shown once, listed by what may be known of it, revoked for good."""

from pathlib import Path

import pytest

from tests.cli.conftest import Airworthy, stored


def test_a_key_is_shown_once_and_alone_on_stdout(airworthy: Airworthy, folder: Path) -> None:
    made = airworthy("key", "create", "--agent", "shop")
    listed = airworthy("key", "list")

    assert made.code == 0
    assert made.out.startswith("aw_")
    assert len(made.word) == 35
    assert made.word[:11] in made.err
    assert made.word not in made.err + listed.out
    assert made.word[:11] in listed.out
    assert made.word not in stored(folder)


def test_everything_a_key_may_say_is_kept_and_listed(airworthy: Airworthy) -> None:
    made = airworthy(
        "key", "create", "--agent", "shop", "--user", "ann", "--feature", "refunds", "--label", "web shop",
        "--expires", "30d", "--priority", "5", "--day-usd", "2.5", "--month-usd", "20", "--total-usd", "100",
        "--day-tokens", "10000", "--day-calls", "50", "--json",
    ).json  # fmt: skip

    (listed,) = airworthy("key", "list", "--json").json

    assert made.pop("key").startswith(listed["id"])
    assert made == listed
    assert (listed["user"], listed["feature"], listed["label"], listed["priority"]) == (
        "ann",
        "refunds",
        "web shop",
        5,
    )
    assert (listed["day_usd"], listed["month_usd"], listed["total_usd"]) == (2.5, 20, 100)
    assert (listed["day_tokens"], listed["day_calls"]) == (10_000, 50)
    assert listed["expires"] > listed["created"]
    assert listed["used_day"] is None
    assert (
        "2.5 USD a day, 20 USD a month, 100 USD in all, 10000 tokens a day, 50 calls a day"
        in airworthy("key", "list").out
    )


def test_a_revoked_key_is_gone_from_the_list_unless_all_is_asked_for(airworthy: Airworthy) -> None:
    one = airworthy("key", "create", "--agent", "shop").word
    other = airworthy("key", "create", "--agent", "shop").word

    said = airworthy("key", "revoke", one[:11])

    assert said.out == f"Key {one[:11]} of shop is revoked.\n"
    assert [key["id"] for key in airworthy("key", "list", "--json").json] == [other[:11]]
    states = {key["id"]: key["revoked"] for key in airworthy("key", "list", "--all", "--json").json}
    assert states[one[:11]] is not None
    assert states[other[:11]] is None
    assert "revoked" in airworthy("key", "list", "--all").out


def test_revoking_again_changes_nothing_and_says_so(airworthy: Airworthy) -> None:
    key = airworthy("key", "create", "--agent", "shop").word
    first = airworthy("key", "revoke", key, "--json").json
    again = airworthy("key", "revoke", key, "--json").json

    assert (first["changed"], again["changed"]) == (True, False)
    assert first["revoked"] == again["revoked"]
    assert "not good any more" in airworthy("key", "revoke", key).out


def test_lists_are_by_agent(airworthy: Airworthy) -> None:
    for agent in ("shop", "billing"):
        airworthy("key", "create", "--agent", agent)

    assert [key["agent"] for key in airworthy("key", "list", "--agent", "billing", "--json").json] == [
        "billing"
    ]


def test_without_keys_the_list_says_how_to_make_one(airworthy: Airworthy) -> None:
    said = airworthy("key", "list")

    assert (said.code, said.out) == (0, "")
    assert "airworthy key create" in said.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create",), "--agent"),
        (("create", "--agent", "a b"), "agent"),
        (("create", "--agent", "shop", "--expires", "soon"), "no period"),
        (("create", "--agent", "shop", "--day-usd", "0"), "day_usd"),
        (("create", "--agent", "shop", "--day-calls", "-1"), "day_calls"),
        (("create", "--agent", "shop", "--user", "a@b.c"), "user"),
        (("revoke", "aw_nothere"), "no key"),
        (("revoke", "aw_" + "x" * 32), "no key"),
    ],
)
def test_what_cannot_be_is_told_and_makes_nothing(
    airworthy: Airworthy, arguments: tuple[str, ...], words: str
) -> None:
    said = airworthy("key", *arguments)

    assert said.code in (1, 2)
    assert words in said.err
    assert "x" * 32 not in said.err
    assert airworthy("key", "list", "--json").json == []


def test_keys_are_made_where_the_gateway_s_settings_say(
    airworthy: Airworthy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRWORTHY_DATABASE", raising=False)
    (folder / "gateway.toml").write_text('database = "other.db"\n')

    airworthy("key", "create", "--agent", "shop")

    assert (folder / "other.db").exists()
    assert not (folder / "airworthy.db").exists()
