"""Forks: a new task that begins with the first steps of another and goes on live from there, in rehearsal.

Its journal is a copy of what the origin had done before the step; that step is done anew, by another model or under
another prompt, or has another result. Whatever comes then is real but for effects: a fork never acts, on no path, and
it waits for no approval because there is nothing to approve.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from airworthy.core.canonical import decode, digest, encode
from airworthy.core.clock import Clock
from airworthy.core.errors import InputError, told
from airworthy.core.ids import Ids
from airworthy.gateway import ModelReply
from airworthy.policy import Policy
from airworthy.recorder import Payloads, Recorded, StepState, audit, read_steps
from airworthy.recorder.audit import Entry
from airworthy.recorder.steps import INSERT_PAYLOAD, INSERT_STEP, body, copy_steps, insert_input
from airworthy.recorder.traces.ours import FORK
from airworthy.runtime import forked, handing, kept, tasks
from airworthy.runtime.admission.door import full
from airworthy.runtime.admission.drain import QueueFull
from airworthy.runtime.agent import Agent
from airworthy.runtime.claimed import words_of
from airworthy.runtime.engine import Engine
from airworthy.runtime.engines import engine_of
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.machine import State
from airworthy.runtime.operations import INPUT_BYTES_HARD_MAX
from airworthy.runtime.tasks import TaskRow
from airworthy.store import Database, Tx
from airworthy.tools.tool import SchemaBroken

NOT_GIVEN: Final = object()
PROMPT_CHARS_MAX: Final = 200_000
RESULT_BYTES_MAX: Final = 4 * 1024 * 1024
# What an agent asked for and could be told something else.
GIVEN_KINDS: Final = frozenset({"model", "tool", "step", "ask", "now", "random", "uuid"})
AT_KINDS: Final = GIVEN_KINDS | {"sleep", "confidence"}
_ENDED: Final = frozenset({StepState.DONE, StepState.FAILED, StepState.REFUSED})


class CannotFork(InputError):
    """There is no such place to fork at, or this cannot be changed there; nothing was stored."""

    code = "cannot_fork"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is another than it was. `model`, `prompt`: of all model calls from the step on, see `forked.Overrides`.
    `result`: of the step itself, in place of doing it anew; text for a model's step is all that it said. `input`: of
    the task; steps before the step answer where the agent still asks for them.
    """

    model: str = ""
    prompt: str | None = None
    result: Any = field(default=NOT_GIVEN)
    input: Any = field(default=NOT_GIVEN)


class Forks:
    """`agents`: by name, those whose code is here. Synchronous, like `Operations`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        payloads: Payloads,
        agents: Mapping[str, Agent],
        engine: Engine | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._payloads = payloads
        self._agents = agents
        self._lifecycle = Lifecycle(engine or engine_of(database), payloads)

    def fork(self, task_id: str, at: int, changes: Changes) -> TaskRow:
        """The new task, on disk. `at`: a step's number.

        Raises: NoSuchTask, CannotFork, QueueFull.
        """
        made = self._database.write_now(
            audit.noted(
                lambda tx: self._made(tx, task_id, at, changes),
                lambda made: (
                    None
                    if isinstance(made, QueueFull)
                    else Entry("task.fork", made.id, detail={"of": task_id, "at": at})
                ),
                self._clock.now_us(),
            )
        )
        if isinstance(made, QueueFull):
            raise made
        return made

    def _made(self, tx: Tx, task_id: str, at: int, changes: Changes) -> TaskRow | QueueFull:
        origin = tasks.get(tx, task_id)
        agent = self._agent(origin)
        self._check(agent.policy, changes)
        recorded = read_steps(tx, task_id)
        lost = kept.why_not_whole(tx, origin, recorded)
        if lost:
            raise CannotFork(f"{origin.id} cannot be gone on from. {lost}", mend="Submit a new task.")
        step = _step(origin, recorded, at)
        if handing.at_the_door(tx, agent.policy) is not None:
            raise CannotFork(
                f"People do the tasks of {agent.name} now, so no run of it would begin.",
                mend=f"Let it go on first: airworthy resume --agent {agent.name}",
            )
        copied = [each.seq for each in recorded if _is_kept(each, at, changes)]
        given = None if changes.result is NOT_GIVEN else self._given(agent, step, changes.result)
        last = max([*copied, *([at] if given is not None else [])], default=0)
        row = self._row(origin, agent, at, last + 1, recorded, changes)
        rule = agent.policy.admission
        if rule is not None and (refused := full(tx, rule, row)) is not None:
            return refused  # Not raised here: that would undo the neighbours' writes in the same commit.
        tasks.insert(tx, row, FORK)
        value = recorded[0].arguments if changes.input is NOT_GIVEN else changes.input
        overrides = forked.Overrides(changes.model, changes.prompt)
        notes = ({"dry_run": True}, forked.note(overrides, words_of(tx, origin, recorded)))
        clean, _ = self._payloads.redactor.redact_bytes(encode(value))
        insert_input(tx, row.id, self._payloads.pack(body(clean, None, None, notes)), row.created_us)
        copy_steps(tx, origin.id, row.id, copied)
        if given is not None:
            self._insert_given(tx, row, step, given)
        self._lifecycle.enqueue(tx, row, rule, row.created_us)
        return row

    def _agent(self, origin: TaskRow) -> Agent:
        if origin.kind is tasks.Kind.SESSION:
            raise CannotFork(
                f"Task {origin.id} was a session of an agent that runs elsewhere; nothing here can go on with it.",
                mend="Let that agent begin a new session.",
            )
        agent = self._agents.get(origin.agent)
        if agent is None:
            raise CannotFork(
                f"The code of agent {origin.agent} is not here.", mend="Do it in the agent's working folder."
            )
        return agent

    def _check(self, policy: Policy, changes: Changes) -> None:
        if changes.prompt is not None and len(changes.prompt) > PROMPT_CHARS_MAX:
            raise CannotFork(
                f"The prompt has {len(changes.prompt)} characters; at most {PROMPT_CHARS_MAX} are taken.",
                mend="Shorten it.",
            )
        if (
            changes.prompt is not None
            and self._payloads.redactor.redact_text(changes.prompt) != changes.prompt
        ):
            raise CannotFork("The prompt holds a secret, which is not kept.", mend="Take it out.")
        if changes.input is not NOT_GIVEN and len(encode(changes.input)) > INPUT_BYTES_HARD_MAX:
            raise CannotFork("The input is too large.", mend="Send a part of it.")
        names = [name for rule in policy.models for name in (rule.name, *rule.aliases)]
        if changes.model and changes.model not in names:
            raise CannotFork(
                f"Model {changes.model!r} is not in the policy of {policy.agent!r}.",
                mend=f"Add it under [[models]], with its price, or take one of: {', '.join(names) or 'none'}.",
            )

    def _row(
        self, origin: TaskRow, agent: Agent, at: int, counted_from: int, recorded: Sequence[Recorded], changes: Changes
    ) -> TaskRow:  # fmt: skip
        now_us = self._clock.now_us()
        value = recorded[0].arguments if changes.input is NOT_GIVEN else changes.input
        return TaskRow(
            id=self._ids.new("tsk", now_us), agent=origin.agent, policy_hash=agent.policy_hash,
            trace_id=self._ids.trace(), idempotency_key=None, input_digest=digest(encode(value), b"dry_run"),
            session=origin.session, user_id=origin.user_id, feature=origin.feature, source=origin.source,
            priority=origin.priority, state=State.QUEUED, created_us=now_us, changed_us=now_us,
            counted_from=counted_from, fork_of=origin.id, fork_at=at,
        )  # fmt: skip

    def _given(self, agent: Agent, step: Recorded, result: Any) -> bytes:
        """The result as the journal keeps it. Raises: CannotFork."""
        if step.kind not in GIVEN_KINDS or step.key is None:
            raise CannotFork(
                f"Step {step.seq} ({step.kind} {step.name}) has no result that could be another.",
                mend="Leave the result out to do the step anew, or name a model's, a tool's or a question's step.",
            )
        raw = encode(result)
        if len(raw) > RESULT_BYTES_MAX:
            raise CannotFork(f"The result has {len(raw)} bytes; at most {RESULT_BYTES_MAX} are taken.")
        clean, hidden = self._payloads.redactor.redact_bytes(raw)
        if hidden:
            raise CannotFork("The result holds a secret, which is not kept.", mend="Take it out.")
        try:
            return _FORMS.get(step.kind, _as_it_is)(agent, step, decode(clean))
        except (SchemaBroken, ValidationError, ValueError, TypeError) as error:
            raise CannotFork(
                f"That is no result of step {step.seq} ({step.kind} {step.name}): {told(error)[:500]}",
                mend="Give one of the form that the step recorded; see `airworthy task show`.",
            ) from error

    def _insert_given(self, tx: Tx, row: TaskRow, step: Recorded, result: bytes) -> None:
        exact, nothing = 1, 0
        tx.execute(INSERT_STEP, (
            row.id, step.seq, 0, step.kind, step.name, step.key, StepState.DONE.value, step.effect, exact,
            row.created_us, row.created_us, 1, None, step.facts.model, nothing, nothing, nothing, None, None,
        ))  # fmt: skip
        notes = ({"given": True, "dry_run": True},)
        packed = self._payloads.pack(body(encode(step.arguments), result, None, notes))
        tx.execute(INSERT_PAYLOAD, (row.id, step.seq, packed))


def _step(origin: TaskRow, recorded: Sequence[Recorded], at: int) -> Recorded:
    found = next((step for step in recorded if step.seq == at), None)
    if found is not None and found.kind in AT_KINDS:
        return found
    last = recorded[-1].seq
    what = f"is a {found.kind}, which no agent asked for" if found is not None else "does not exist"
    raise CannotFork(
        f"Step {at} of {origin.id} {what}.",
        mend=f"Name a model's, a tool's or another step of the agent, up to {last}: airworthy task show {origin.id}",
    )


def _is_kept(step: Recorded, at: int, changes: Changes) -> bool:
    """What was under way or waited for people is met anew, and rehearsed; another input is checked anew."""
    if step.seq >= at or step.key is None or step.state not in _ENDED:
        return False
    return step.kind != "check" or (step.name == "input" and changes.input is NOT_GIVEN)


def _as_it_is(_agent: Agent, _step: Recorded, result: Any) -> bytes:
    return encode(result)


def _of_tool(agent: Agent, step: Recorded, result: Any) -> bytes:
    tool = next((each for each in agent.tools if each.name == step.name), None)
    raw = encode(result)
    if tool is not None:
        tool.read_result(raw)
    return raw


def _of_model(_agent: Agent, step: Recorded, result: Any) -> bytes:
    """Text is the whole reply; an object lies over the recorded one."""
    before: dict[str, Any] = step.result if isinstance(step.result, dict) else {"model": "", "text": ""}
    said = {"text": result, "tool_calls": [], "refusal": ""} if isinstance(result, str) else dict(result)
    if "finish" not in said:
        said["finish"] = "tool_calls" if said.get("tool_calls", before.get("tool_calls")) else "stop"
    usage = {"tokens_in": 0, "tokens_out": 0, "known": False}
    return encode(ModelReply.model_validate({**before, **said, "usage": usage}))


def _of_number(_agent: Agent, step: Recorded, result: Any) -> bytes:
    """A time is UTC in integer microseconds, as it is recorded."""
    if step.kind == "now" and type(result) is not int:
        raise ValueError("a time is given in whole microseconds since 1970, in UTC")
    if step.kind == "random" and not 0 <= float(result) < 1:
        raise ValueError("chance is a number from 0 to below 1")
    return encode(result)


_FORMS: Final[Mapping[str, Callable[[Agent, Recorded, Any], bytes]]] = {
    "tool": _of_tool,
    "model": _of_model,
    "now": _of_number,
    "random": _of_number,
}
