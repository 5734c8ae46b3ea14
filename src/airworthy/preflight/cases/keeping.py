"""Cases that people made of tasks, in the database. Each that is made or deleted stands in the audit log."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from airworthy.core.canonical import decode, encode
from airworthy.core.clock import Clock
from airworthy.core.errors import InputError
from airworthy.evals import Case
from airworthy.preflight.cases.recorded import CannotMake, Kind, Made, Record, Wish, made_of
from airworthy.recorder import Payloads, audit, read_steps
from airworthy.recorder.audit import Entry
from airworthy.review import feedback
from airworthy.runtime import kept, tasks
from airworthy.store import Database, Row, Tx
from airworthy.tools import outbox

LISTED_MAX = 10_000


class NoSuchCase(InputError):
    """No case is kept under this id."""

    code = "no_such_case"


@dataclass(frozen=True, slots=True)
class Stored:
    """`made_by`: the person, as they are known here."""

    agent: str
    kind: Kind
    task_id: str
    made_us: int
    made_by: str
    case: Case


class Cases:
    """Synchronous, like `Operations`; who sees which agent is for the caller to say."""

    def __init__(self, database: Database, clock: Clock, payloads: Payloads) -> None:
        self._database = database
        self._clock = clock
        self._payloads = payloads

    def proposed(self, task_id: str, wish: Wish) -> Made:
        """Stores nothing. Raises: NoSuchTask, CannotMake."""
        record = self._database.read_now(lambda tx: record_of(tx, task_id))
        return made_of(record, wish, self._payloads.redactor)

    def make(self, task_id: str, wish: Wish, who: str) -> Made:
        """On disk when it returns. Raises: NoSuchTask, CannotMake."""
        made = self.proposed(task_id, wish)
        self.keep(task_id, made, who)
        return made

    def keep(self, task_id: str, made: Made, who: str) -> None:
        """Raises: NoSuchTask, CannotMake."""
        now_us = self._clock.now_us()
        detail = {"task": task_id, "kind": made.kind.value}
        self._database.write_now(
            audit.noted(
                lambda tx: self._insert(tx, task_id, made, who, now_us),
                Entry("case.make", made.case.id, who=who, detail=detail),
                now_us,
            )
        )

    def _insert(self, tx: Tx, task_id: str, made: Made, who: str, now_us: int) -> None:
        task, case = tasks.get(tx, task_id), made.case
        known = (task.agent, case.id)
        if tx.row("SELECT 1 FROM cases WHERE agent = ? AND id = ?", known) is not None:
            raise CannotMake(
                f"There is a case {case.id} of {task.agent} already.", mend="Give it another id."
            )
        body = self._payloads.pack(encode(case.model_dump(mode="json")))
        tx.execute(
            "INSERT INTO cases (agent, id, task_id, user_id, kind, made_us, made_by, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*known, task.id, task.user_id, made.kind.value, now_us, who, body),
        )

    def listing(self, agents: Collection[str] = (), *, task_id: str = "") -> list[Stored]:
        """The oldest first. `agents`: none means all."""
        where, values = ["1 = 1"], list[str]()
        if agents:
            where.append(f"agent IN ({', '.join('?' for _ in agents)})")
            values += sorted(agents)
        if task_id:
            where.append("task_id = ?")
            values.append(task_id)
        sql = f"SELECT agent, kind, task_id, made_us, made_by, body FROM cases WHERE {' AND '.join(where)}"
        order = f" ORDER BY made_us, agent, id LIMIT {LISTED_MAX}"
        rows = self._database.read_now(lambda tx: tx.rows(sql + order, tuple(values)))
        return [self._stored(row) for row in rows]

    def get(self, id_: str, agents: Collection[str] = ()) -> Stored:
        """Raises: NoSuchCase, as `only`."""
        return only(self.listing(agents), id_)

    def remove(self, stored: Stored, who: str) -> None:
        """Deleting it twice changes nothing."""
        key = (stored.agent, stored.case.id)
        self._database.write_now(
            audit.noted(
                lambda tx: tx.execute("DELETE FROM cases WHERE agent = ? AND id = ?", key),
                Entry("case.delete", stored.case.id, who=who, detail={"agent": stored.agent}),
                self._clock.now_us(),
            )
        )

    def _stored(self, row: Row) -> Stored:
        agent, kind, task_id, made_us, made_by, body = row
        case = Case.model_validate(decode(self._payloads.unpack(bytes(body))))
        return Stored(str(agent), Kind(kind), str(task_id), int(made_us), str(made_by), case)


def record_of(tx: Tx, task_id: str) -> Record:
    """Raises: NoSuchTask."""
    task = tasks.get(tx, task_id)
    steps = read_steps(tx, task_id)
    lost = kept.why_not_whole(tx, task, steps)
    return Record(task, steps, outbox.of_task(tx, task_id), feedback.of_task(tx, task_id), lost)


def only(kept: Sequence[Stored], id_: str) -> Stored:
    """Raises: NoSuchCase, also where the id is of several agents' cases."""
    found = [each for each in kept if each.case.id == id_]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(each.agent for each in found)
        raise NoSuchCase(f"There is a case {id_!r} of each of {names}.", mend="Name the agent.")
    raise NoSuchCase(
        f"No case {id_!r} is kept.", mend="List them: airworthy case list, or GET /api/v1/cases."
    )
