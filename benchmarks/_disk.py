"""What the disk itself takes for a commit: one row at a time in WAL with synchronous=FULL, by plain SQLite."""

import sqlite3
import time
from pathlib import Path

ROW_BYTES = 200  # About the size of a small step with its payload.


def commit_laps(path: Path, seconds: float) -> list[float]:
    """Seconds of each commit."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        body = b"\x00" * ROW_BYTES
        laps: list[float] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO rows (body) VALUES (?)", (body,))
            connection.execute("COMMIT")
            laps.append(time.perf_counter() - began)
        return laps
    finally:
        connection.close()
