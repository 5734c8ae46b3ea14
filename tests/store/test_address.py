"""An address is checked before it is used, and shown without its password, however it is broken."""

import psycopg
import pytest

from airworthy.core.errors import ConfigError
from airworthy.store._pg_errors import Server, translated
from airworthy.store.address import check_address, password_of, without_password

GOOD = [
    ("postgresql://db/name", "postgresql://db/name", ""),
    ("postgresql://u:p%40ss@db:5432/name", "postgresql://u@db:5432/name", "p@ss"),
    ("postgres://u:p#w?d@db/name", "postgres://u@db/name", "p#w?d"),
    ("postgresql://u@a:5432,b:5433/n?target_session_attrs=read-write",
     "postgresql://u@a:5432,b:5433/n?target_session_attrs=read-write", ""),
    ("postgresql://[::1]:5432/n", "postgresql://[::1]:5432/n", ""),
    ("postgresql:///n?host=/run/pg&user=u&password=s3cret&sslpassword=t0p",
     "postgresql:///n?host=/run/pg&user=u", "s3cret"),
]  # fmt: skip
BROKEN = [
    ("postgresql://u:p@ss@db/name", "a second @"),
    ("postgresql://u:p/ss@db/name", "a / before its @"),
    ("postgresql://u:p ss@db/name", "a blank"),
    ("postgresql://u:ss%@db/name", "a % that"),
    ("postgresql://u:ss%00@db/name", "a %00"),
    ("postgresql://db:ss/name", "a port that is no number"),
]


@pytest.mark.parametrize(("url", "shown", "password"), GOOD)
def test_an_address_is_shown_without_its_password(url: str, shown: str, password: str) -> None:
    check_address(url)

    assert without_password(url) == shown
    assert password_of(url) == password


@pytest.mark.parametrize(("url", "why"), BROKEN)
def test_a_broken_address_is_refused_and_nothing_of_its_password_is_told(url: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_address(url)

    assert why in refused.value.message
    assert "ss" not in refused.value.message.replace("address", "")
    assert "ss" not in without_password(url) or ":ss/" in url


@pytest.mark.parametrize(
    ("said", "mend"),
    [
        ('root certificate file "/root/.postgresql/root.crt" does not exist', "sslrootcert"),
        ("server does not support SSL, but SSL was required", "sslmode"),
        ('FATAL: database "x" does not exist', "createdb"),
        ("FATAL: sorry, too many clients already", "max_connections"),
        ("Connection refused", "Look whether it runs"),
    ],
)
def test_what_the_server_says_is_told_with_its_mend(said: str, mend: str) -> None:
    """No code comes with it, and some words stand in several of its sentences."""
    error = translated(psycopg.OperationalError(said), Server("postgresql://u:s3cret@db/x"), connecting=True)

    assert mend in (error.mend or "")
    assert said in error.message
