"""Looks at the server of a database: whether it keeps what it acknowledged, and how near it is to its limits."""

import time
from collections.abc import Iterator
from typing import Final

from airworthy.app.doctor.finding import Check, Finding, broken, caution, ok
from airworthy.store import PostgresDatabase, Tx

CONNECTIONS_PCT_HIGH: Final = 80
TRANSACTION_S_LONG: Final = 600
JOURNEY_MS_LONG: Final = 10.0
JOURNEYS: Final = 5
AGE_HIGH: Final = 1_000_000_000  # Of about 2.1 thousand million transactions, after which it takes no more.


def checks(database: PostgresDatabase) -> list[Check]:
    return [
        Check("database", lambda: _settings(database)),
        Check("connections", lambda: _connections(database)),
        Check("database", lambda: _age(database)),
        Check("network", lambda: _journey(database)),
    ]


def _settings(database: PostgresDatabase) -> Iterator[Finding]:
    def asked(tx: Tx) -> dict[str, str]:
        names = ("server_version", "server_encoding", "fsync", "full_page_writes", "synchronous_commit")
        return {name: tx.rows(f"SHOW {name}")[0][0] for name in names}

    found = database.read_now(asked)
    well = True
    for name, why in (
        ("fsync", "a crash of its machine can lose or damage everything"),
        ("full_page_writes", "a crash of its machine can damage pages"),
        ("synchronous_commit", "a crash can lose what was acknowledged"),
    ):
        if found[name] == "off":
            well = False
            yield broken(
                "database", f"{name} is off: {why}.", f"Switch it on there: ALTER SYSTEM SET {name} = on"
            )
    if found["server_encoding"] != "UTF8":
        well = False
        text = f"Its encoding is {found['server_encoding']}, which cannot hold every text."
        yield broken("database", text, "Make one with ENCODING 'UTF8', and move into it: airworthy move")
    if well:
        yield ok(
            "database", f"{database.where}, PostgreSQL {found['server_version']}, keeps what it acknowledged."
        )


def _connections(database: PostgresDatabase) -> Iterator[Finding]:
    """Each process has up to seven: two that write, four that read, one that listens."""

    def asked(tx: Tx) -> tuple[int, int, int, int]:
        row = tx.row(
            "SELECT COUNT(*), current_setting('max_connections')::bigint,"
            " SUM(CASE WHEN application_name LIKE 'airworthy %' THEN 1 ELSE 0 END),"
            " COALESCE(MAX(CASE WHEN datname = current_database() THEN"
            " EXTRACT(EPOCH FROM clock_timestamp() - xact_start)::bigint END), 0)"
            " FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        assert row is not None
        return row[0], row[1], row[2], row[3]

    used, bound, ours, longest_s = database.read_now(asked)
    text = f"{used} of {bound} connections are open, {ours} of them airworthy's."
    if used * 100 >= bound * CONNECTIONS_PCT_HIGH:
        yield caution("connections", text, "Raise max_connections there, or run fewer and larger workers.")
    else:
        yield ok("connections", text)
    if longest_s >= TRANSACTION_S_LONG:
        text = f"A transaction has been open for {longest_s // 60} min: nothing that was changed since is cleared away."
        yield caution(
            "connections", text, "Find it: SELECT pid, query FROM pg_stat_activity ORDER BY xact_start"
        )


def _age(database: PostgresDatabase) -> Iterator[Finding]:
    row = database.read_now(
        lambda tx: tx.row(
            "SELECT age(datfrozenxid)::bigint, pg_database_size(datname) FROM pg_database"
            " WHERE datname = current_database()"
        )
    )
    assert row is not None
    age, size = row
    if age >= AGE_HIGH:
        text = (
            f"Its oldest transaction is {age / 1e6:,.0f} million back; at about 2,100 it stops taking writes."
        )
        yield caution(
            "database", text, "See why autovacuum does not get through; then run VACUUM FREEZE there."
        )
    else:
        yield ok("database", f"It has {size / 2**20:,.0f} MiB.")


def _journey(database: PostgresDatabase) -> Iterator[Finding]:
    """The best of a few: what every step of every task waits for at least, some times over."""
    times = []
    for _ in range(JOURNEYS):
        began = time.perf_counter()
        database.read_now(lambda tx: tx.row("SELECT 1"))
        times.append((time.perf_counter() - began) * 1e3)
    best = min(times)
    if best > JOURNEY_MS_LONG:
        text = f"A question takes {best:.0f} ms there and back, and every step asks a few."
        yield caution("network", text, "Run the workers near the database, in one data centre.")
    else:
        yield ok("network", f"A question takes {best:.1f} ms there and back.")
