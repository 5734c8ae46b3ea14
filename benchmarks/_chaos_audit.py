"""What the database itself notes of every record and every claim while chaos goes on, for the check at the end.

Triggers that the product knows nothing of: each record is noted at its commit, with the process that wrote it and
with whoever holds the claim at that moment.
"""

from collections.abc import Iterator
from dataclasses import dataclass

SETTING = "chaos.who"  # In each process's connection string: who it is.

MAKE = f"""
CREATE TABLE chaos_log (
    n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at_s DOUBLE PRECISION NOT NULL, xid TEXT NOT NULL,
    who TEXT NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, epoch BIGINT, holder TEXT, seq BIGINT, state TEXT
);
CREATE FUNCTION chaos_note(what TEXT, name TEXT, epoch BIGINT, holder TEXT, seq BIGINT, state TEXT) RETURNS VOID AS $$
    INSERT INTO chaos_log (at_s, xid, who, what, name, epoch, holder, seq, state) VALUES (
        EXTRACT(EPOCH FROM clock_timestamp()), pg_current_xact_id()::text,
        COALESCE(current_setting('{SETTING}', true), '?'), what, name, epoch, holder, seq, state)
$$ LANGUAGE sql;
CREATE FUNCTION chaos_claim() RETURNS TRIGGER AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN PERFORM chaos_note('claim', OLD.name, NULL, NULL, NULL, 'forgotten');
    ELSE PERFORM chaos_note('claim', NEW.name, NEW.epoch, NEW.owner, NULL, TG_OP); END IF;
    RETURN NULL;
END $$ LANGUAGE plpgsql;
CREATE FUNCTION chaos_step() RETURNS TRIGGER AS $$ DECLARE held RECORD; BEGIN
    SELECT epoch, owner INTO held FROM claims WHERE name = NEW.task_id;
    PERFORM chaos_note('step', NEW.task_id, held.epoch, held.owner, NEW.seq, NEW.kind || ' ' || NEW.state);
    RETURN NULL;
END $$ LANGUAGE plpgsql;
CREATE FUNCTION chaos_owner() RETURNS TRIGGER AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN PERFORM chaos_note('gone', OLD.id, NULL, NULL, NULL, NULL);
    ELSIF TG_OP = 'UPDATE' THEN PERFORM chaos_note('beat', NEW.id, NEW.expires_us, NULL, NULL, NULL);
    ELSE PERFORM chaos_note('joined', NEW.id, NULL, NULL, NULL, NULL); END IF;
    RETURN NULL;
END $$ LANGUAGE plpgsql;
CREATE FUNCTION chaos_close() RETURNS TRIGGER AS $$ BEGIN
    PERFORM chaos_note('closed', NEW.id, NULL, NULL, NULL, NEW.state);
    RETURN NULL;
END $$ LANGUAGE plpgsql;
CREATE TRIGGER chaos_claim AFTER INSERT OR UPDATE OR DELETE ON claims FOR EACH ROW EXECUTE FUNCTION chaos_claim();
CREATE CONSTRAINT TRIGGER chaos_step AFTER INSERT OR UPDATE ON steps DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION chaos_step();
CREATE TRIGGER chaos_owner AFTER INSERT OR UPDATE OR DELETE ON owners FOR EACH ROW EXECUTE FUNCTION chaos_owner();
CREATE TRIGGER chaos_close AFTER UPDATE ON tasks FOR EACH ROW
    WHEN (OLD.closed_us IS NULL AND NEW.closed_us IS NOT NULL) EXECUTE FUNCTION chaos_close();
"""


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the log, in the order in which the lock let things happen. `at_s`: the server's time."""

    n: int
    at_s: float
    xid: str
    who: str
    what: str
    name: str
    epoch: int | None
    holder: str | None
    seq: int | None
    state: str | None


def named(url: str, who: str) -> str:
    """The address with which `who` connects."""
    return f"{url}{'&' if '?' in url else '?'}options=-c%20{SETTING}%3D{who}"


def install(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as raw:
        raw.execute(MAKE)


def notes(url: str) -> list[Note]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as raw:
        rows = raw.execute(
            "SELECT n, at_s, xid, who, what, name, epoch, holder, seq, state FROM chaos_log ORDER BY n"
        )
        return [Note(*row) for row in rows]


def stale_writes(log: list[Note], workers: frozenset[str]) -> list[Note]:
    """Records of workers that did not hold the task's claim when they were stored.

    Whoever ends or parks a run gives its claim up in the same transaction, so there the claim's last line counts.
    """
    last: dict[str, tuple[str, str]] = {}  # by task: in which transaction the claim changed last, and by whom
    before: dict[str, str | None] = {}  # by task: who held it before that
    holder: dict[str, str | None] = {}
    found = []
    for note in log:
        if note.what == "claim":
            if last.get(note.name, ("", ""))[0] != note.xid:
                before[note.name] = holder.get(note.name)
            holder[note.name] = note.holder
            last[note.name] = (note.xid, note.who)
        elif note.what == "step" and note.who in workers:
            mine = note.holder == note.who and holder.get(note.name) == note.who
            given_up = last.get(note.name) == (note.xid, note.who) and before.get(note.name) == note.who
            # A worker may end a task that nobody holds: cancelled, or given up after too many crashes.
            nobodys = last.get(note.name, ("", ""))[0] == note.xid and before.get(note.name) is None
            if not (mine or given_up or (nobodys and (note.state or "").startswith("outcome"))):
                found.append(note)
    return found


@dataclass(frozen=True, slots=True)
class Takeover:
    task: str
    to: str
    seconds: float


IN_FLIGHT_S = 2.0


def takeovers(log: list[Note], owner: str, from_s: float) -> Iterator[Takeover]:
    """Of each task that `owner` held at `from_s`: when another held it. What was on its way to be ended is left out."""
    held: dict[str, bool] = {}
    for note in log:
        if note.what != "claim" or not note.name.startswith("tsk_"):
            continue  # Chores are claimed too, and taken up when their hour comes.
        if note.at_s <= from_s:
            held[note.name] = note.holder == owner
        elif held.get(note.name) and note.holder != owner:
            if note.who == owner and note.at_s < from_s + IN_FLIGHT_S:
                held[note.name] = False
            elif note.who == owner or note.holder is not None:
                held[note.name] = False
                yield Takeover(note.name, note.holder or owner, note.at_s - from_s)
