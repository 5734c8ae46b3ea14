"""What each decision does to its task, effect or question: one transaction, whole or not at all. Knows no roles."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from airworthy.core.canonical import decode, encode
from airworthy.core.errors import AirworthyError, InputError, told
from airworthy.core.outcome import Outcome, Reason, ReasonCode
from airworthy.policy import ToolRule
from airworthy.recorder import read_step
from airworthy.review import ACTS, Act, Kind, questions
from airworthy.runtime import tasks
from airworthy.runtime.agent import Agent
from airworthy.runtime.lifecycle import Lifecycle
from airworthy.runtime.looking import Look
from airworthy.runtime.machine import Event, State
from airworthy.runtime.tasks import TaskRow
from airworthy.runtime.waiting import BLOCKED
from airworthy.store import Tx
from airworthy.tools import EffectRow, EffectState, Tool, TransitionRefused, outbox, undoing
from airworthy.tools.rules import ARGUMENTS_BYTES_MAX, counted, no_longer, recipient_of
from airworthy.tools.tool import SchemaBroken

_NO_RULE = ToolRule()
ANSWER_BYTES_MAX = 1024 * 1024
GONE_ON = frozenset({State.ANSWERED, State.DECLINED, State.CANCELLED})


class NotFitting(AirworthyError):
    """This cannot be said about this item, or not any more; nothing was changed."""

    code = "not_fitting"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants done. `value`: changed arguments, an answer, a result, or a word for the agent."""

    act: Act
    by: str
    role: str = ""
    note: str = ""
    value: Any = None
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """`closes`: the item is decided. `detail`: what the record keeps beside who and when."""

    closes: bool = True
    detail: Any = None
    sets: Mapping[str, Any] = field(default_factory=dict)


def effect_decided(
    tx: Tx, lifecycle: Lifecycle, effect_id: str, to: EffectState, sets: list[tuple[str, Any]], now_us: int
) -> EffectRow:
    """A person's word on an effect, and its task goes on. The row afterwards. Raises: TransitionRefused."""
    before = outbox.find(tx, effect_id)
    task = tasks.find(tx, before.task_id) if before is not None else None
    _refuse_for_nothing(tx, before, task, to)
    row = outbox.decide(tx, effect_id, to, sets=sets)
    # Of a session that is over, nobody asks for the call again either.
    over = task is not None and task.kind is tasks.Kind.SESSION and task.outcome is not None
    from_outbox = row.due_us is not None or over
    if from_outbox and to is EffectState.APPROVED:
        # Its run had handed it over before it was held or in doubt: no run asks for it, so its time is now.
        outbox.move(tx, effect_id, EffectState.SCHEDULED, sets=(("due_us", now_us),))
    if (
        task is not None
        and task.state is State.ESCALATED
        and row.state is EffectState.IN_DOUBT
        and not from_outbox
    ):
        lifecycle.requeue(tx, task, Event.REOPEN, now_us)
    elif task is not None:
        lifecycle.wake(tx, task.id, now_us)
    found = outbox.find(tx, effect_id)
    assert found is not None
    return found


def _refuse_for_nothing(tx: Tx, row: EffectRow | None, task: TaskRow | None, to: EffectState) -> None:
    """A yes that nobody would act on must not look like one. Raises: TransitionRefused."""
    if row is None or row.due_us is not None or (row.state, to) != (EffectState.HELD, EffectState.APPROVED):
        return
    if task is None or task.outcome is None or task.kind is tasks.Kind.SESSION:
        return
    step = read_step(tx, task.id, row.seq)
    if step is not None and step.by_hand:
        return  # The person who called it goes on with it.
    back = {
        State.ESCALATED: f"Open it again first: airworthy task resume {task.id}",
        State.DEAD_LETTERED: f"Bring it back first: airworthy dead-letter requeue {task.id}",
    }
    ended = task.outcome.value.replace("_", "-")
    raise TransitionRefused(
        f"Effect {row.id} ({row.tool}) cannot be approved any more: its task ended as {ended}, and nobody would carry"
        " it out.",
        mend=back.get(task.state, "Submit the task again if it is still wanted."),
    )


class Deciding:
    """`agents`: those whose code is here. Without an agent's code a call cannot be changed, nor judged anew at once."""

    def __init__(self, lifecycle: Lifecycle, agents: Mapping[str, Agent]) -> None:
        self._lifecycle = lifecycle
        self._agents = agents

    def perform(self, tx: Tx, look: Look, wish: Wish, now_us: int, *, four_eyes: bool) -> Done:
        """Raises: NotFitting, InputError, TransitionRefused, IllegalTransition; the transaction is then rolled back."""
        offered = ACTS[look.item.kind]
        if wish.act not in offered:
            raise NotFitting(
                f"{wish.act.value!r} says nothing about {look.item.kind.value.replace('_', ' ')} {look.item.id}.",
                mend=f"What can be said about it: {', '.join(act.value for act in offered)}.",
            )
        match look.item.kind:
            case Kind.QUESTION:
                return self._answered(tx, look, wish, now_us)
            case Kind.APPROVAL | Kind.DELAYED | Kind.IN_DOUBT:
                return self._about_effect(tx, look, wish, now_us, four_eyes=four_eyes)
            case _:
                return self._about_task(tx, look, wish, now_us)

    # Calls.

    def _about_effect(self, tx: Tx, look: Look, wish: Wish, now_us: int, *, four_eyes: bool) -> Done:
        effect = look.effect
        assert effect is not None
        match wish.act:
            case Act.APPROVE:
                detail = self._judged(look, effect)
                self._move(tx, effect, EffectState.APPROVED, wish, now_us)
                return Done(detail=detail)
            case Act.EDIT:
                return self._edited(tx, look, wish, now_us, four_eyes=four_eyes)
            case Act.REJECT:
                to = EffectState.CANCELLED if look.item.kind is Kind.DELAYED else EffectState.REJECTED
                self._move(tx, effect, to, wish, now_us)
            case Act.HOLD:
                self._move(tx, effect, EffectState.HELD, wish, now_us)
            case Act.HAPPENED:
                self._move(tx, effect, EffectState.DONE, wish, now_us)
            case Act.NOT_HAPPENED:
                self._move(tx, effect, EffectState.FAILED, wish, now_us)
            case _:
                self._move(tx, effect, EffectState.APPROVED, wish, now_us)
        return Done(detail=wish.value)

    def _move(self, tx: Tx, effect: EffectRow, to: EffectState, wish: Wish, now_us: int) -> None:
        sets: list[tuple[str, Any]] = [("decided_by", wish.by), ("decided_us", now_us)]
        if wish.note:
            sets.append(("note", wish.note))
        if wish.act is Act.HAPPENED and wish.value is not None:
            sets.append(("result", self._clean(wish.value, "The result")))
        effect_decided(tx, self._lifecycle, effect.id, to, sets, now_us)

    def _judged(self, look: Look, effect: EffectRow, arguments: Any = None) -> Any:
        """The call by today's policy, which may be stricter than the one it was held under. What the record keeps."""
        task = look.task
        if effect.due_us is None and task.state in GONE_ON:
            raise NotFitting(
                f"Task {task.id} has ended as {task.state.value}, so nothing would carry out this call any more.",
                mend="Reject it; it is kept on record as rejected.",
            )
        agent = self._agents.get(task.agent)
        if agent is None:
            return None  # The worker judges it anyway, before anything is sent.
        if not effect.server:  # Whether a server has its tool still, only a proxy before it can say.
            self._tool(agent, effect.tool)
        rule = agent.policy.tools.get(effect.tool, _NO_RULE)
        if effect.undo_of is not None:
            refused = undoing.no_longer(effect.tool, rule)
        else:
            refused = no_longer(
                effect.tool, rule, decode(effect.arguments.encode()) if arguments is None else arguments
            )
        if refused is not None:
            when = (
                " The policy has changed since it was held." if agent.policy_hash != task.policy_hash else ""
            )
            raise NotFitting(
                f"{refused}{when}", mend="Reject it, or change its arguments with `airworthy review edit`."
            )
        if agent.policy_hash == task.policy_hash:
            return None
        return {"judged_by_policy": agent.policy_hash, "held_under_policy": task.policy_hash}

    def _edited(self, tx: Tx, look: Look, wish: Wish, now_us: int, *, four_eyes: bool) -> Done:
        effect = look.effect
        assert effect is not None
        if effect.undo_of is not None:
            raise NotFitting(
                f"{effect.id} takes back {effect.undo_of} as it was done, so there is nothing to change in it.",
                mend="Approve it as it stands, or reject it.",
            )
        if effect.server:
            raise NotFitting(
                f"{effect.tool} is a tool of the MCP server {effect.server}, so it cannot be checked changed.",
                mend="Reject the call, and say what the agent should ask for instead.",
            )
        agent = self._agent(look)
        tool = self._tool(agent, effect.tool)
        try:
            _, canonical = tool.read_arguments(
                _bounded(encode(wish.value), ARGUMENTS_BYTES_MAX, "The arguments")
            )
        except SchemaBroken as error:
            raise InputError(
                f"The changed arguments break the schema of {effect.tool}: {error}.",
                mend="Mend them; nothing was changed.",
            ) from error
        if canonical.decode() == effect.arguments:
            raise InputError(
                "The changed arguments are those it has already.", mend="Approve it as it stands."
            )
        if not _kept_whole(tx, effect) or self._redacted(canonical):
            raise InputError(
                f"The arguments of {effect.tool} hold a secret, which is not kept, so they cannot be changed by hand.",
                mend="Reject the call, and let the agent make another.",
            )
        arguments = decode(canonical)
        judged = self._judged(look, effect, arguments)
        rule = agent.policy.tools.get(effect.tool, _NO_RULE)
        outbox.amend(tx, effect, canonical.decode(), counted(recipient_of(rule, arguments)))
        detail = {"was": decode(effect.arguments.encode()), "is": arguments, **(judged or {})}
        if four_eyes:
            return Done(closes=False, detail=detail, sets={"edited_by": wish.by})
        self._move(tx, effect, EffectState.APPROVED, wish, now_us)
        return Done(detail=detail, sets={"edited_by": wish.by})

    # Questions.

    def _answered(self, tx: Tx, look: Look, wish: Wish, now_us: int) -> Done:
        question = look.question
        assert question is not None
        problem = questions.unfit(question, wish.value)
        if problem is not None:
            raise InputError(f"The answer {problem}.", mend="Give one that fits; the question still waits.")
        clean = self._clean(wish.value, "The answer")
        if not questions.answer(tx, question, clean, (wish.by, wish.role, wish.note), now_us):
            raise NotFitting(
                f"The question was answered by {question.answered_by}.", mend="There is nothing left to do."
            )
        self._lifecycle.wake(tx, look.task.id, now_us)
        return Done(detail=decode(clean.encode()))

    def declined(self, tx: Tx, look: Look, wish: Wish, now_us: int) -> Done:
        """Nobody answered a question, and the policy says that its task is then declined."""
        assert look.question is not None
        questions.answer(tx, look.question, None, (wish.by, wish.role, wish.note), now_us)
        self._lifecycle.wake(tx, look.task.id, now_us)
        return Done()

    # Whole tasks.

    def _about_task(self, tx: Tx, look: Look, wish: Wish, now_us: int) -> Done:
        task = look.task
        dead = look.item.kind is Kind.DEAD_LETTER
        match wish.act:
            case Act.APPROVE if look.item.kind is Kind.BLOCKED_ANSWER:
                why = task.why
                assert why is not None
                return self._ended(tx, look, wish, why.evidence[BLOCKED], now_us)
            case Act.APPROVE:
                self._lifecycle.requeue(tx, task, Event.REQUEUE if dead else Event.REOPEN, now_us)
                return Done()
            case Act.REOPEN:
                word = self._clean(wish.value, "The word")
                self._lifecycle.requeue(tx, task, Event.REOPEN, now_us)
                return Done(detail=decode(word.encode()))
            case Act.REJECT if dead:
                tasks.discard(tx, task.id, now_us)
                return Done()
            case Act.REJECT:
                text = wish.note or "A person declined it."
                reason = Reason(code=ReasonCode.BY_PERSON, text=text, evidence=_evidence(look, wish))
                self._lifecycle.settle(tx, task, Outcome.DECLINED, reason, None, now_us)
                return Done()
            case _:
                return self._ended(tx, look, wish, wish.value, now_us)

    def _ended(self, tx: Tx, look: Look, wish: Wish, value: Any, now_us: int) -> Done:
        doubtful = [row.tool for row in outbox.of_task(tx, look.task.id) if row.state is EffectState.IN_DOUBT]
        if doubtful:
            raise NotFitting(
                f"Nobody knows yet whether {', '.join(doubtful)} happened, so the task cannot be answered.",
                mend="Say first which it was; it stands in the queue as a call in doubt.",
            )
        clean = self._clean(self._in_form(look, value), "The answer")
        how = {Act.APPROVE: "Released", Act.EDIT: "Changed and released"}.get(wish.act, "Answered by hand")
        reason = Reason(
            code=ReasonCode.BY_PERSON, text=f"{how} by {wish.by}.", evidence=_evidence(look, wish)
        )
        self._lifecycle.settle(tx, look.task, Outcome.ANSWERED, reason, clean.encode(), now_us)
        return Done(detail=None if wish.act is Act.APPROVE else decode(clean.encode()))

    def _in_form(self, look: Look, value: Any) -> Any:
        """As the agent declares its answers, where its code is here."""
        agent = self._agents.get(look.task.agent)
        adapter = agent.output_adapter if agent is not None else None
        if adapter is None:
            return value
        try:
            return decode(adapter.dump_json(adapter.validate_python(value), by_alias=True))
        except ValidationError as error:
            raise InputError(
                f"This is no answer of {look.task.agent}: {told(error)}",
                mend="Write it in the form that it declares.",
            ) from error

    # What they need.

    def _agent(self, look: Look) -> Agent:
        agent = self._agents.get(look.task.agent)
        if agent is None:
            raise NotFitting(
                f"The code of agent {look.task.agent} is not here, so a changed call could not be checked.",
                mend="Do it in the agent's working folder.",
            )
        return agent

    @staticmethod
    def _tool(agent: Agent, name: str) -> Tool:
        tool = next((tool for tool in agent.tools if tool.name == name), None)
        if tool is None or (agent.policy.live and name not in agent.policy.tools):
            raise NotFitting(f"Agent {agent.name} has no tool {name} any more.", mend="Reject the call.")
        return tool

    def _clean(self, value: Any, what: str) -> str:
        raw = _bounded(encode(value), ANSWER_BYTES_MAX, what)
        return self._lifecycle.payloads.redactor.redact_bytes(raw)[0].decode()

    def _redacted(self, raw: bytes) -> bool:
        return bool(self._lifecycle.payloads.redactor.redact_bytes(raw)[1])


def _bounded(raw: bytes, bytes_max: int, what: str) -> bytes:
    if len(raw) > bytes_max:
        raise InputError(
            f"{what} would have {len(raw)} bytes; at most {bytes_max} are taken.", mend="Send less."
        )
    return raw


def _kept_whole(tx: Tx, effect: EffectRow) -> bool:
    """Whether the step of the call is stored as it was made, with nothing taken out."""
    row = tx.row("SELECT exact FROM steps WHERE task_id = ? AND seq = ?", (effect.task_id, effect.seq))
    return row is not None and bool(row[0])


def _evidence(look: Look, wish: Wish) -> dict[str, Any]:
    why = look.task.why
    return {
        "by": wish.by, "role": wish.role, "item": look.item.id, "act": wish.act.value, "note": wish.note,
        "instead_of": why.code.value if why is not None else "",
    }  # fmt: skip
