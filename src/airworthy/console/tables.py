"""The tables of keys to the API, of people's accounts and of their sessions. Of every secret only a hash is stored."""

from collections.abc import Sequence

from airworthy.store.migrate import Migration, create_all


def _first(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    Table(
        "access_keys",
        metadata,
        Column("id", String, primary_key=True),
        Column("digest", LargeBinary, nullable=False, unique=True),
        Column("person", String, nullable=False),
        Column("program", String, nullable=False),
        Column("roles", String, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger),
        Column("revoked_us", BigInteger),
    )
    return create_all(metadata, dialect)


def _accounts(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

    metadata = MetaData()
    Table(
        "accounts",
        metadata,
        Column("person", String, primary_key=True),
        # Empty: no password was set yet.
        Column("hash", String, nullable=False),
        # They hold only while there is no people.toml.
        Column("roles", String, nullable=False),
        Column("agents", Text, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("changed_us", BigInteger, nullable=False),
        Column("disabled_us", BigInteger),
    )
    sessions = Table(
        "sessions",
        metadata,
        Column("digest", LargeBinary, primary_key=True),
        Column("id", String, nullable=False, unique=True),
        Column("person", String, nullable=False),
        Column("way", String, nullable=False),
        # What the provider said of them; NULL: it says nothing of roles.
        Column("roles", String),
        Column("address", String, nullable=False),
        Column("browser", String, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("seen_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
        Column("ended_us", BigInteger),
    )
    Index("sessions_of_person", sessions.c.person, sessions.c.created_us)
    # Digests of links that set a password once, and of journeys to a provider that have not come back yet.
    Table(
        "passes",
        metadata,
        Column("digest", LargeBinary, primary_key=True),
        Column("kind", String, nullable=False),
        Column("person", String, nullable=False),
        Column("aim", Text, nullable=False),
        Column("created_us", BigInteger, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
    )
    # By a hash of what was tried, so that the table is no list of names and addresses.
    Table(
        "attempts",
        metadata,
        Column("digest", LargeBinary, primary_key=True),
        Column("failures", Integer, nullable=False),
        Column("last_us", BigInteger, nullable=False),
        Column("until_us", BigInteger, nullable=False),
    )
    return [
        *create_all(metadata, dialect),
        "ALTER TABLE access_keys ADD COLUMN agents TEXT NOT NULL DEFAULT ''",
    ]


def _answers(dialect: str) -> Sequence[str]:
    from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

    metadata = MetaData()
    answers = Table(
        "answers",  # to requests with an Idempotency-Key, for a day
        metadata,
        Column("digest", LargeBinary, primary_key=True),  # of caller, path and key
        Column("request", LargeBinary, nullable=False),
        # NULL: it is under way, or was when its process ended.
        Column("status", Integer),
        Column("headers", String, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("at_us", BigInteger, nullable=False),
    )
    Index("answers_by_time", answers.c.at_us)
    return create_all(metadata, dialect)


MIGRATIONS = (
    Migration("console", 1, "access keys", _first),
    Migration("console", 2, "accounts, sessions, and keys for some agents", _accounts),
    Migration("console", 3, "answers to requests that may be sent again", _answers),
)
