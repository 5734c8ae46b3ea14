"""Every step of every room only adds, or says that it breaks: old and new versions run side by side while upgrading."""

import re

import pytest

from airworthy.app.build import MIGRATIONS
from airworthy.store import Migration

TAKES_AWAY = re.compile(
    r"\bDROP\b|\bRENAME\b|\bTRUNCATE\b|\bDELETE\s+FROM\b|\bALTER\s+COLUMN\b|\bSET\s+NOT\s+NULL\b"
    r"|\bADD\s+CONSTRAINT\b",
    re.I,
)
ADDED = re.compile(r"^\s*ALTER\s+TABLE\s+(\w+)\s+ADD\s+(?:COLUMN\s+)?(?!CONSTRAINT)(.*)$", re.I | re.S)
ALTERED = re.compile(r"^\s*ALTER\s+TABLE\s+(\w+)", re.I)
UNIQUE = re.compile(r"^\s*CREATE\s+UNIQUE\s+INDEX\s+\w+\s+ON\s+(\w+)", re.I)
CREATED = re.compile(r"^\s*CREATE\s+(?:VIRTUAL\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.I)


def breaking(statements: list[str]) -> list[str]:
    """Those that a version without them would trip over."""
    made = {found[1].lower() for sql in statements if (found := CREATED.match(sql))}
    return [sql for sql in statements if _breaks(sql, made)]


def _breaks(sql: str, made: set[str]) -> bool:
    if TAKES_AWAY.search(sql):
        changed = ALTERED.match(sql)  # What this very step has made nobody knew before.
        return changed is None or changed[1].lower() not in made
    if found := UNIQUE.match(sql):
        return found[1].lower() not in made
    found = ADDED.match(sql)
    if found is None or found[1].lower() in made:
        return False
    return "not null" in found[2].lower() and "default" not in found[2].lower()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_every_step_only_adds_or_says_that_it_breaks(dialect: str) -> None:
    found: dict[str, list[str]] = {
        str(step): breaking(list(step.statements(dialect))) for step in MIGRATIONS if not step.breaks
    }

    assert {step: statements for step, statements in found.items() if statements} == {}


def test_no_two_steps_have_the_same_number() -> None:
    numbers = [(step.room, step.number) for step in MIGRATIONS]

    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize(
    ("sql", "breaks", "why"),
    [
        ("CREATE TABLE notes (id INTEGER NOT NULL)", False, "nobody knew it"),
        ("ALTER TABLE notes ADD COLUMN author VARCHAR", False, "an insert may leave it out"),
        ("ALTER TABLE notes ADD COLUMN n INTEGER NOT NULL DEFAULT 0", False, "an insert may leave it out"),
        ("ALTER TABLE notes ADD COLUMN n INTEGER NOT NULL", True, "an insert without it fails"),
        ("CREATE INDEX notes_by_n ON notes (n)", False, "it only takes time"),
        ("CREATE UNIQUE INDEX notes_by_n ON notes (n)", True, "an insert that was right may fail"),
        ("ALTER TABLE notes RENAME COLUMN words TO text", True, "a query for the old name fails"),
        ("ALTER TABLE notes ALTER COLUMN n SET NOT NULL", True, "an insert without it fails"),
        ("ALTER TABLE notes DROP COLUMN n", True, "a query for it fails"),
        ("DROP TABLE notes", True, "it is gone"),
        ("DELETE FROM notes", True, "an older version may need them"),
        ("INSERT INTO touched SELECT id FROM tasks", False, "rows more"),
    ],
)
def test_what_a_step_may_do(sql: str, breaks: bool, why: str) -> None:
    assert bool(breaking([sql])) is breaks, why


def test_a_step_breaks_only_if_it_says_so() -> None:
    assert not Migration("notes", 1, "notes", lambda _: []).breaks
