"""The databases that tests share: on PostgreSQL they keep what they were answered, and must not keep it too long."""

from airworthy.store import Tx
from tests.database import migrated


def test_what_one_asked_while_another_changed_it_is_asked_again_later() -> None:
    database = migrated()
    count = "SELECT COUNT(*) FROM series"

    def work(tx: Tx, number: int) -> None:
        if number:
            tx.execute("INSERT INTO series (agent, release, feature) VALUES (?, ?, ?)", ("a", "r", "f"))
        else:
            tx.row(count)

    database.write_now(lambda tx: tx.each(lambda number: work(tx, number), range(2)))

    assert database.read_now(lambda tx: tx.row(count)) == (1,)
