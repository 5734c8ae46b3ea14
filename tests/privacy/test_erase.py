"""Erasure: nothing of the user is left in any byte, nothing of others is touched, sums stay."""

from pathlib import Path

from airworthy.app import privacy
from tests.privacy.kit import bytes_of, filled, foreign, shop


async def test_no_word_of_an_erased_user_is_left_in_the_bytes_of_the_database(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    made = shop(path)
    await filled(made, "ada-lovelace", "marmalade")
    await filled(made, "bob", "tangerine")
    foreign(made.app.database, made.app.clock.now_us(), "ada-lovelace", "marmalade", "ab" * 16)
    foreign(made.app.database, made.app.clock.now_us() + 5, "bob", "tangerine", "cd" * 16)
    assert b"marmalade" in bytes_of(path)

    done = privacy.erased(made.app, "ada-lovelace", "dana")

    left = bytes_of(path)
    assert b"ada-lovelace" not in left
    assert b"marmalade" not in left
    assert b"tangerine" in left
    assert (done.made.tasks, done.made.traces) == (1, 1)
    made.app.database.close()
