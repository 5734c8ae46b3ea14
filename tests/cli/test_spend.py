"""`spend`: sums are exact, days are inclusive, and a user's name is never more than text."""

import csv
import io
from pathlib import Path

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.gateway.budget import Dimensions, Tally, roll
from airworthy.store import Tx, migrate
from tests.cli.conftest import Airworthy
from tests.database import opened_at

ROWS = [
    (Dimensions("2026-10-31", "shop", "", "ann", "mail", "small"), Tally(1, 10, 5, 0, 0, 1)),
    (Dimensions("2026-11-01", "shop", "", "ann", "mail", "small"), Tally(2, 20, 8, 3, 0, 1_500_000_000)),
    (Dimensions("2026-11-02", "shop", "key_1", "bob", "", "large"), Tally(3, 70, 9, 0, 250_000_000, 2, 1)),
    (Dimensions("2026-11-30", "desk", "key_1", "=1+1", "mail", "large"), Tally(4, 1, 1, 0, 0, 4)),
]


@pytest.fixture
def spent(folder: Path) -> None:
    database = opened_at(folder)
    migrate(database, MIGRATIONS)

    def op(tx: Tx) -> None:
        for who, tally in ROWS:
            roll(tx, who, tally)

    database.write_now(op)
    database.close()


pytestmark = pytest.mark.usefixtures("spent")


def test_the_table_ends_in_a_total_and_keeps_the_unpriced_apart(airworthy: Airworthy) -> None:
    lines = airworthy("spend").out.splitlines()

    assert lines[0].split() == (
        ["agent", "calls", "tokens", "in", "tokens", "out", "settled", "reserved", "unpriced"]
    )
    assert [line.split()[:4] for line in lines[1:]] == [
        ["desk", "4", "1", "1"],
        ["shop", "6", "100", "22"],
        ["total", "10", "101", "23"],
    ]
    assert lines[-1].split()[4:] == ["1.50", "USD", "0.2500", "USD", "1"]


def test_sums_are_exact_to_the_nano(airworthy: Airworthy) -> None:
    document = airworthy("spend", "--by", "model", "--json").json

    assert document["by"] == ["model"]
    assert document["total"]["settled_nano"] == 1_500_000_007
    assert [(row["model"], row["settled_nano"]) for row in document["rows"]] == [
        ("large", 6),
        ("small", 1_500_000_001),
    ]


@pytest.mark.parametrize(
    ("words", "calls", "why"),
    [
        ((), 10, "everything"),
        (("--day", "2026-11-01"), 2, "one day"),
        (("--month", "2026-11"), 9, "the last day of a month is in it"),
        (("--since", "2026-11-01", "--until", "2026-11-02"), 5, "both ends are in it"),
        (("--since", "2026-11-02"), 7, "open at the end"),
        (("--until", "2026-10-31"), 1, "open at the beginning"),
        (("--agent", "desk"), 4, "one agent"),
        (("--agent", "nobody"), 0, "none"),
    ],
)
def test_the_time_and_the_agent_bound_what_is_summed(
    words: tuple[str, ...], calls: int, why: str, airworthy: Airworthy
) -> None:
    assert airworthy("spend", *words, "--json").json["total"]["calls"] == calls, why


@pytest.mark.parametrize("words", [("--by", "user,day"), ("--by", "user", "--by", "day")])
def test_sums_can_be_by_several_things(words: tuple[str, ...], airworthy: Airworthy) -> None:
    rows = airworthy("spend", *words, "--json").json["rows"]

    assert [(row["user"], row["day"], row["calls"]) for row in rows] == [
        ("=1+1", "2026-11-30", 4),
        ("ann", "2026-10-31", 1),
        ("ann", "2026-11-01", 2),
        ("bob", "2026-11-02", 3),
    ]


def test_csv_holds_integers_and_no_formula(airworthy: Airworthy) -> None:
    rows = list(csv.reader(io.StringIO(airworthy("spend", "--by", "user,key", "--csv").out)))

    assert rows[0] == [
        "user", "key", "calls", "tokens_in", "tokens_out", "cached", "settled_nano", "reserved_nano",
        "unpriced_calls",
    ]  # fmt: skip
    assert rows[1][:3] == ["'=1+1", "key_1", "4"]
    assert rows[-1] == ["bob", "key_1", "3", "70", "9", "0", "2", "250000000", "1"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--by", "week"), "'week' is none of day, agent, key, user, feature, model"),
        (("--day", "20261101"), "no YYYY-MM-DD"),
        (("--day", "yesterday"), "no YYYY-MM-DD"),
        (("--month", "2026-13"), "no YYYY-MM"),
        (("--day", "2026-11-01", "--month", "2026-11"), "one of --day"),
        (("--since", "2026-11-02", "--until", "2026-11-01"), "after --until"),
        (("--json", "--csv"), "one of --json"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], says: str, airworthy: Airworthy) -> None:
    said = airworthy("spend", *words)

    assert said.code == 2
    assert says in " ".join(said.err.replace("│", " ").split())


def test_nothing_spent_is_said(airworthy: Airworthy) -> None:
    said = airworthy("spend", "--day", "2020-01-01")

    assert (said.code, said.out) == (0, "")
    assert "Nothing was spent" in said.err
