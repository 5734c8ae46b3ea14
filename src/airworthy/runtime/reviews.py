"""The review queue for commands and the API: what waits, what it is about, and one way to decide. Prints nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from airworthy.core.clock import Clock, utc_text
from airworthy.core.errors import AirworthyError, InputError, storable_text
from airworthy.policy import Policy
from airworthy.recorder import Payloads, Recorded, audit, read_steps
from airworthy.recorder.audit import Entry
from airworthy.review import Act, Command, Item, ItemQuery, Kind, People, Record, Status, items
from airworthy.review.commanding import may_command
from airworthy.review.may import Mine, NotAllowed, may_look, role_for
from airworthy.runtime import expiring, keeping
from airworthy.runtime.agent import Agent
from airworthy.runtime.deciding import Deciding, NotFitting, Wish
from airworthy.runtime.engine import Engine
from airworthy.runtime.engines import engine_of
from airworthy.runtime.keeping import Rules
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.looking import Look, look, look_at
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, Tx

T = TypeVar("T")

NOTE_CHARS_MAX = 20_000
ROUNDS_MAX = 1000  # Batches of one keeping up; what is left is done at the next look.
NEAR_STEPS = 20  # Steps shown beside an item: the last ones, which led to it.


class AlreadyDecided(AirworthyError):
    """Somebody, or the deadline, was faster; the message says who and when."""

    code = "already_decided"


class ItemChanged(AirworthyError):
    """What is decided on is not what the person saw; nothing was done. Look at it anew."""

    code = "item_changed"


@dataclass(frozen=True, slots=True)
class Whole:
    """An item with its evidence. `steps`: the input and the last NEAR_STEPS; `step_count`: how many there are."""

    look: Look
    steps: Sequence[Recorded]
    step_count: int
    records: Sequence[Record]
    overdue: bool


class Reviews:
    """Synchronous, like `Operations`. `agents`: those whose code is here; without it a changed call cannot be checked.

    Every decision names who decides and the seal of what they saw (`Whole.look.seal`). `unread`: why people.toml could
    not be read; then nothing is decided, by nobody and by no clock, and what needs no decision goes on.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        payloads: Payloads,
        people: People,
        agents: Mapping[str, Agent],
        unread: AirworthyError | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self.people = people
        self.agents = agents
        self.unread = unread
        self._payloads = payloads
        self._engine = engine or engine_of(database)
        self.rules = Rules(people, {name: agent.policy for name, agent in agents.items()})
        self.deciding = Deciding(Lifecycle(self._engine, payloads), agents)

    def with_agents(self, agents: Iterable[Agent]) -> "Reviews":
        """The same queue, for a process that has the code of these agents."""
        known = {agent.name: agent for agent in agents}
        return self._with(self.people, known, self.unread)

    def with_people(self, people: People) -> "Reviews":
        """The same queue, where others may decide."""
        return self._with(people, self.agents)

    def with_policy(self, policy: Policy) -> "Reviews":
        """The same queue, for a process that has an agent's policy and not its code: it knows whose the items are."""
        made = self._with(self.people, self.agents, self.unread)
        made.rules = Rules(self.people, {**self.rules.policies, policy.agent: policy})
        return made

    def with_engine(self, engine: Engine) -> "Reviews":
        """The same queue, where this engine wakes the tasks that are decided on."""
        return self._with(self.people, self.agents, self.unread, engine)

    def _with(
        self, people: People, agents: Mapping[str, Agent], unread: AirworthyError | None = None,
        engine: Engine | None = None,
    ) -> "Reviews":  # fmt: skip
        return Reviews(
            self.database, self.clock, self._payloads, people, agents, unread, engine or self._engine
        )

    # Looking.

    def listing(self, query: ItemQuery, by: str = "") -> list[Look]:
        """What waits, the oldest first. Raises: NoSuchItem for a page after nothing, NotAllowed."""
        self._may_look(by)
        self.keep_up()

        def read(tx: Tx) -> list[Look]:
            return [look_at(tx, item) for item in items.listing(tx, query)]

        return self.database.read_now(read)

    def counts(self) -> dict[Kind, int]:
        self.keep_up()
        return self.database.read_now(items.counts)

    def item(self, item_id: str, by: str = "") -> Whole:
        """Raises: NoSuchItem, NotAllowed."""
        self._may_look(by)
        self.keep_up()
        return self.database.read_now(lambda tx: self._whole(tx, item_id))

    def item_of(self, subject: str) -> Item | None:
        """The open item about an effect or a question; None when nothing about it waits for a person."""
        self.keep_up()
        return self.database.read_now(lambda tx: items.open_about(tx, subject))

    def check_may(self, subject: str, by: str, act: Act) -> None:
        """For doors that act on an effect itself. Raises: NotAllowed where people.toml does not let them."""
        item = self.item_of(subject)
        if item is None:
            self.check_command(by, Command.OPERATE)  # One that was approved and is called off.
            return
        self._must_know_people()
        found = self.database.read_now(lambda tx: look(tx, item.id))
        role_for(self.people, by, item, act, Mine(self._four_eyes(found), found.task.user_id))

    def check_task(
        self, task_id: str, by: str, act: Act, otherwise: Command | None = Command.OPERATE
    ) -> None:
        """For doors that act on a whole task itself: who may decide its item may. `otherwise`: what it is while there
        is none; None where the door has seen to that. Raises: NotAllowed.
        """
        self.keep_up()
        about = self.database.read_now(lambda tx: _about_itself(tx, task_id))
        if not about:
            if otherwise is not None:
                self.check_command(by, otherwise)
            return
        self._must_know_people()
        for item in about:
            role_for(self.people, by, item, act)

    def check_command(self, by: str, command: Command) -> None:
        """For commands that are about no item. To stop things is possible even while nobody knows who may.

        Raises: NotAllowed; PolicyError while people.toml cannot be read.
        """
        if self.unread is None or command is not Command.STOP:
            self._must_know_people()
            may_command(self.people, by, command)

    # Deciding. All raise: NoSuchItem, NotAllowed, AlreadyDecided, ItemChanged, NotFitting, InputError.

    def approve(self, item_id: str, by: str, *, seen: str, note: str = "") -> Whole:
        """A call is made; a blocked answer goes out; an escalated task or a dead letter goes on."""
        return self._decide(item_id, Wish(Act.APPROVE, by, note=note, seen=seen))

    def edit(self, item_id: str, by: str, value: Any, *, seen: str, note: str = "") -> Whole:
        """`value`: the whole changed arguments of a call, or the whole changed answer. Then it is approved.

        Under four eyes a changed call waits for somebody else's approval.
        """
        return self._decide(item_id, Wish(Act.EDIT, by, note=note, value=value, seen=seen))

    def reject(self, item_id: str, by: str, *, seen: str, note: str) -> Whole:
        """A call never happens and the agent is told why; a task is declined; a dead letter is put away."""
        if not note.strip():
            raise InputError(
                "A rejection needs a reason.", mend="Say why; the agent, or the customer, is told."
            )
        return self._decide(item_id, Wish(Act.REJECT, by, note=note, seen=seen))

    def answer(self, item_id: str, by: str, value: Any, *, seen: str, note: str = "") -> Whole:
        """A question is answered and its task goes on. An escalated task or a dead letter ends with this answer."""
        return self._decide(item_id, Wish(Act.ANSWER, by, note=note, value=value, seen=seen))

    def reopen(self, item_id: str, by: str, word: str, *, seen: str, note: str = "") -> Whole:
        """An escalated task goes on; its agent finds `word` as `run.word`."""
        return self._decide(item_id, Wish(Act.REOPEN, by, note=note, value=word, seen=seen))

    def hold(self, item_id: str, by: str, *, seen: str, note: str = "") -> Whole:
        """A delayed call waits for a yes instead of for its time."""
        return self._decide(item_id, Wish(Act.HOLD, by, note=note or f"held by {by}", seen=seen))

    def settle(
        self, item_id: str, by: str, how: Act, *, seen: str, value: Any = None, note: str = ""
    ) -> Whole:
        """A call in doubt: HAPPENED (`value`: what the other side answered), NOT_HAPPENED, or AGAIN."""
        if how not in (Act.HAPPENED, Act.NOT_HAPPENED, Act.AGAIN):
            raise InputError(f"{how.value!r} settles nothing.", mend="Say happened, not_happened or again.")
        return self._decide(item_id, Wish(how, by, note=note, value=value, seen=seen))

    def assign(self, item_id: str, by: str, to: str, *, note: str = "") -> Whole:
        """`to`: a person, who may then decide it whatever team they are of, or a team, which has it from now on."""
        return self._decide(item_id, Wish(Act.ASSIGN, by, note=note, value=to))

    def check_hands(self, tx: Tx, task: TaskRow, by: str) -> None:
        """Whether somebody may go on with a task in the agent's place: who may answer it may. Raises: NotAllowed."""
        self._must_know_people()
        keeping.in_step(tx, self.rules, task.id, self.clock.now_us())
        for item in _about_itself(tx, task.id):
            role_for(self.people, by, item, Act.ANSWER, Mine(handed_in=task.user_id))

    # Keeping up.

    def keep_up(self) -> None:
        """Brings the list in step and carries out what deadlines have decided, as a worker does every few seconds."""
        if self.unread is not None:
            return  # Whose the items are, and until when, stands there.
        now_us = self.clock.now_us()
        for _ in range(ROUNDS_MAX):
            if not self.database.read_now(lambda tx: keeping.anything(tx, self.rules, now_us)):
                return
            self.database.write_now(lambda tx: keeping.catch_up(tx, self.rules, now_us))
            self.database.write_now(lambda tx: keeping.place(tx, self.rules, now_us))
            for item in self.database.read_now(lambda tx: items.due(tx, now_us, keeping.BATCH)):
                try:
                    self.database.write_now(self._expiring(item, now_us))
                except AirworthyError as error:
                    self.database.write_now(self._stuck(item, error, now_us))

    async def keep(self, now_us: int) -> None:
        """The same beside a worker's tasks; see `app.chores`."""
        if self.unread is not None:
            return
        for _ in range(ROUNDS_MAX):
            if not await self.database.read(lambda tx: keeping.anything(tx, self.rules, now_us)):
                return
            await self.database.write(lambda tx: keeping.catch_up(tx, self.rules, now_us))
            await self.database.write(lambda tx: keeping.place(tx, self.rules, now_us))
            for item in await self.database.read(lambda tx: items.due(tx, now_us, keeping.BATCH)):
                try:
                    await self.database.write(self._expiring(item, now_us))
                except AirworthyError as error:
                    await self.database.write(self._stuck(item, error, now_us))

    def _expiring(self, item: Item, now_us: int) -> Callable[[Tx], None]:
        return lambda tx: expiring.wake(tx, self.rules, self.deciding, item.id, now_us)

    @staticmethod
    def _stuck(item: Item, error: AirworthyError, now_us: int) -> Callable[[Tx], None]:
        return lambda tx: expiring.give_up(tx, item.id, error, now_us)

    # What they share.

    def _decide(self, item_id: str, wish: Wish) -> Whole:
        self._must_know_people()
        self.keep_up()
        wish = replace(wish, note=self._note(wish.note), by=self._name(wish.by))
        now_us = self.clock.now_us()

        def op(tx: Tx) -> Whole:
            found = look(tx, item_id)
            self._still_open(found.item, now_us)
            mine = Mine(self._four_eyes(found), found.task.user_id)
            decided = replace(wish, role=role_for(self.people, wish.by, found.item, wish.act, mine))
            if wish.act is Act.ASSIGN:
                self._assigned(tx, found.item, decided, now_us)
                return self._whole(tx, item_id)
            if wish.seen != found.seal:
                raise ItemChanged(
                    f"{item_id} is not what you saw{f' ({wish.seen})' if wish.seen else ''}; it is {found.seal} now.",
                    mend=f"Look at it again with `airworthy review show {item_id}`, then decide on that.",
                )
            expiring.decided(tx, self.deciding, found, decided, now_us, four_eyes=mine.four_eyes)
            keeping.in_step(tx, self.rules, found.task.id, now_us)
            return self._whole(tx, item_id)

        def told(whole: Whole) -> Entry:
            item = whole.look.item
            about = {"task": item.task_id, "agent": item.agent, "kind": item.kind.value}
            return Entry(f"review.{wish.act.value}", item_id, wish.by, detail=about)

        return self.database.write_now(audit.noted(op, told, now_us))

    def _still_open(self, item: Item, now_us: int) -> None:
        if item.status is Status.OPEN:
            if item.overdue_at is not None and now_us >= item.overdue_at:
                raise AlreadyDecided(
                    f"The deadline of {item.id} has passed, and its default is being carried out.",
                    mend=f"See what came of it: airworthy review show {item.id}",
                )
            return
        raise AlreadyDecided(
            f"{item.id} {told_decision(item)}", mend=f"See it: airworthy review show {item.id}"
        )

    def _assigned(self, tx: Tx, item: Item, wish: Wish, now_us: int) -> None:
        to = str(wish.value).strip()
        if to in self.people.teams:
            items.update(tx, item.id, to=to, assigned="")
        elif to in self.people.people or (to and not self.people.people):
            items.update(tx, item.id, assigned=to)
        else:
            known = ", ".join(sorted([*self.people.teams, *self.people.people])[:20]) or "nobody"
            raise InputError(
                f"{to!r} is neither a team nor a person here.", mend=f"People.toml names: {known}."
            )
        expiring.note_down(tx, item.id, wish, to, now_us)
        keeping.tell(
            tx, items.get(tx, item.id), "review", f"new:{to}", f"{wish.by} passed it to {to}.", now_us
        )

    def _whole(self, tx: Tx, item_id: str) -> Whole:
        found = look(tx, item_id)
        steps = read_steps(tx, found.task.id)
        shown = steps if len(steps) <= NEAR_STEPS + 1 else [steps[0], *steps[-NEAR_STEPS:]]
        at_us = found.item.deadline_us
        overdue = found.item.status is Status.OPEN and at_us is not None and self.clock.now_us() >= at_us
        return Whole(found, shown, len(steps), items.records(tx, item_id), overdue)

    def _four_eyes(self, found: Look) -> bool:
        policy = self.rules.policies.get(found.task.agent)
        return policy is not None and policy.review.four_eyes

    def _must_know_people(self) -> None:
        if self.unread is not None:
            raise self.unread

    def _may_look(self, by: str) -> None:
        if by and not may_look(self.people, by):
            raise NotAllowed(
                f"{by!r} is not in people.toml.",
                mend="Say who you are, by --by NAME or AIRWORTHY_USER; or have yourself added, as viewer or more.",
            )

    def _note(self, note: str) -> str:
        if len(note) > NOTE_CHARS_MAX:
            raise InputError(
                f"The note has {len(note)} characters; at most {NOTE_CHARS_MAX} are kept.",
                mend="Keep it short.",
            )
        return self._payloads.redactor.redact_text(storable_text(note))

    @staticmethod
    def _name(by: str) -> str:
        name = storable_text(by).strip()
        if not name or len(name) > 200:
            raise InputError(
                "A decision needs a name of 1 to 200 characters.", mend="Say who decides: --by dana."
            )
        return name


def _about_itself(tx: Tx, task_id: str) -> list[Item]:
    """The open items about the task, not about one of its calls or questions."""
    return [item for item in items.open_of_task(tx, task_id) if item.subject.startswith(task_id)]


def told_decision(item: Item) -> str:
    """Who did what with it and when, as the end of a sentence that begins with its id."""
    when = f" on {utc_text(item.decided_us)}" if item.decided_us is not None else ""
    if item.status is Status.GONE:
        by = f" by {item.by}" if item.by else ""
        return f"waits no more{by}{when}: {item.note}"
    return f"was decided ({item.act.replace('_', ' ')}) by {item.by}{f', {item.role},' if item.role else ''}{when}."


__all__ = [
    "AlreadyDecided",
    "ItemChanged",
    "NotAllowed",
    "NotFitting",
    "Reviews",
    "Whole",
    "told_decision",
]
