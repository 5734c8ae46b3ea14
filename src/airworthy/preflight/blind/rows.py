"""Blind tests as rows: plain statements, each within the caller's transaction."""

from collections.abc import Sequence

from airworthy.gateway.keys.key import digest_of
from airworthy.preflight.blind.values import BlindTest, Guest, Rating, Word
from airworthy.store import Row, Tx

_TEST = "id, agent, title, shape, created_us, expires_us, people, tries_max, cap_nano, by, stopped_us"
# What a task that is not over may still cost is counted as the most that it may; an unknown cost, and a try whose task
# is just being handed in, likewise.
_SPENT = (
    "SELECT COALESCE(SUM(CASE WHEN t.closed_us IS NULL OR t.cost_nano IS NULL THEN ? ELSE t.cost_nano END), 0)"
    " FROM blind_tries b LEFT JOIN tasks t ON t.id = b.task WHERE b.test = ?"
)
# A task's id is known only once it is handed in.
_PENDING = "pending "


def add(tx: Tx, test: BlindTest, secrets: Sequence[str]) -> None:
    tx.execute(
        f"INSERT INTO blind_tests ({_TEST}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            test.id, test.agent, test.title, test.shape, test.created_us, test.expires_us, test.people,
            test.tries_max, test.cap_nano, test.by, test.stopped_us,
        ),
    )  # fmt: skip
    for number, secret in enumerate(secrets, 1):
        tx.execute(
            "INSERT INTO blind_guests (digest, test, number, tries) VALUES (?, ?, ?, 0)",
            (digest_of(secret), test.id, number),
        )


def find(tx: Tx, test_id: str) -> BlindTest | None:
    row = tx.row(f"SELECT {_TEST} FROM blind_tests WHERE id = ?", (test_id,))
    return None if row is None else BlindTest(*row)


def listing(tx: Tx, agent: str, limit: int) -> list[BlindTest]:
    """The newest first."""
    rows = tx.rows(
        f"SELECT {_TEST} FROM blind_tests WHERE (? = '' OR agent = ?) ORDER BY created_us DESC, id LIMIT ?",
        (agent, agent, limit),
    )
    return [BlindTest(*row) for row in rows]


def stop(tx: Tx, test_id: str, now_us: int) -> bool:
    """False: it was over before."""
    return bool(
        tx.execute(
            "UPDATE blind_tests SET stopped_us = ? WHERE id = ? AND stopped_us IS NULL AND expires_us > ?",
            (now_us, test_id, now_us),
        )
    )


def guest(tx: Tx, secret: str) -> Guest | None:
    row = tx.row("SELECT test, number, tries FROM blind_guests WHERE digest = ?", (digest_of(secret),))
    test = find(tx, row[0]) if row is not None else None
    return None if row is None or test is None else Guest(test, row[1], row[2])


def spent_nano(tx: Tx, test_id: str, most_each_nano: int) -> int:
    """At most: what is over, and what those under way may come to."""
    row = tx.row(_SPENT, (most_each_nano, test_id))
    assert row is not None
    return int(row[0])


def begin(tx: Tx, secret: str, guest: Guest, now_us: int) -> str:
    """Counts a try and keeps a place for it; the place's name."""
    place = f"{_PENDING}{guest.user}.{guest.tries + 1}.{now_us}"
    tx.execute("UPDATE blind_guests SET tries = tries + 1 WHERE digest = ?", (digest_of(secret),))
    tx.execute(
        "INSERT INTO blind_tries (task, test, number, at_us, words, note) VALUES (?, ?, ?, ?, '', '')",
        (place, guest.test.id, guest.number, now_us),
    )
    return place


def settle(tx: Tx, place: str, task: str) -> None:
    if tx.row("SELECT 1 FROM blind_tries WHERE task = ?", (task,)) is None:
        tx.execute("UPDATE blind_tries SET task = ? WHERE task = ?", (task, place))
    else:
        tx.execute("DELETE FROM blind_tries WHERE task = ?", (place,))


def take_back(tx: Tx, secret: str, place: str) -> None:
    tx.execute("UPDATE blind_guests SET tries = tries - 1 WHERE digest = ?", (digest_of(secret),))
    tx.execute("DELETE FROM blind_tries WHERE task = ?", (place,))


def under_way(tx: Tx, test_id: str, number: int, since_us: int) -> int:
    """Also those that are just being handed in, since then."""
    row = tx.row(
        "SELECT COUNT(*) FROM blind_tries b LEFT JOIN tasks t ON t.id = b.task WHERE b.test = ? AND b.number = ?"
        " AND (t.state IN ('queued', 'running') OR (b.task LIKE ? AND b.at_us > ?))",
        (test_id, number, f"{_PENDING}%", since_us),
    )
    assert row is not None
    return int(row[0])


def rate(tx: Tx, task: str, rating: Rating, now_us: int) -> None:
    """The latest counts."""
    tx.execute(
        "UPDATE blind_tries SET stars = ?, words = ?, note = ?, rated_us = ? WHERE task = ?",
        (rating.stars, ",".join(rating.words), rating.note, now_us, task),
    )


def tries(tx: Tx, test_id: str, number: int = 0) -> list[tuple[str, int, int, Rating | None]]:
    """Task, guest's number, when, rating; in the order in which they were made. `number` 0: of all guests."""
    rows = tx.rows(
        "SELECT task, number, at_us, stars, words, note FROM blind_tries WHERE test = ? AND (? = 0 OR number = ?)"
        " ORDER BY at_us, task",
        (test_id, number, number),
    )
    return [(row[0], row[1], row[2], _rating(row)) for row in rows if not row[0].startswith(_PENDING)]


def _rating(row: Row) -> Rating | None:
    if row[3] is None:
        return None
    return Rating(row[3], tuple(Word(word) for word in row[4].split(",") if word), row[5])
