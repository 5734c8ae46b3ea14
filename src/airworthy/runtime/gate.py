"""A run's limits with their memory: every call of the run passes here before it happens, and reports back."""

from collections.abc import Iterable

from airworthy.core.canonical import digest, encode
from airworthy.core.clock import US_PER_S, Clock
from airworthy.core.errors import AirworthyError
from airworthy.core.gate import CallFact
from airworthy.core.halt import Halt, Lost
from airworthy.policy import Policy
from airworthy.policy.stops import stop
from airworthy.recorder import Recorded
from airworthy.runtime.limits import Usage, passed
from airworthy.runtime.loops import Made, circling, traceable

KNOWN_BYTES_MAX = 4 * 1024 * 1024  # Of what was found, kept to trace values by.


class RunOver(AirworthyError):
    """A call came after the agent's function had ended."""

    code = "run_over"


class RunGate:
    """Implements `core.Gate`. Checking and counting happen without an await between, so parallel calls cannot both
    take the last place.
    """

    def __init__(self, policy: Policy, clock: Clock, task_input: bytes, active_us_before: int) -> None:
        self.policy = policy
        self.halt: Halt | None = None
        self._over: Halt | None = None
        self._clock = clock
        self._usage = Usage()
        self._made: list[Made] = []
        self._known = bytearray(task_input[:KNOWN_BYTES_MAX])
        self._started_us = clock.now_us()
        self._active_us_before = active_us_before

    def recall(self, recorded: Iterable[Recorded], counted_from: int = 0) -> None:
        """What earlier runs of the task used and found counts for this one, from step `counted_from` on."""
        every = list(recorded)
        self._usage = Usage.of(step for step in every if step.seq >= counted_from)
        for step in every:
            if step.kind != "tool":
                continue
            arguments = encode(step.arguments)
            result = None if step.result is None else encode(step.result)
            if step.seq < counted_from:  # It counts no more, and what it found is known all the same.
                self._learn(result)
                continue
            acts = step.effect not in (None, "read")
            self._remember(CallFact("tool", step.name, arguments, 0, acts=acts), result)

    def admit(self, call: CallFact) -> None:
        self.check_halted()
        found = passed(self.policy.limits, self._usage, call, self.seconds_left())
        if found is not None:
            raise self.stopping(stop(self.policy, found.when, found.code, found.text))
        going_round = circling(self.policy.limits, self._made) if call.kind in ("tool", "refused") else None
        if going_round is not None:
            evidence = {"calls": list(going_round.evidence)}
            raise self.stopping(
                stop(self.policy, "loop", going_round.code, going_round.text, evidence=evidence)
            )
        self._usage.count(call.kind)
        # Held until the reply tells how many there were: calls in parallel must not pass the bound together.
        self._usage.tokens += _may_take(call)

    def check_halted(self) -> None:
        if self.halt is not None:
            raise self.halt
        if self._over is not None:
            raise self._over

    def seal(self) -> None:
        """The agent's function has ended: what it left running may begin nothing more."""
        self._over = Lost(RunOver("The run is over; this call came from work its agent did not wait for."))

    def stopping(self, halt: Halt) -> Halt:
        """Makes `halt` the run's end, unless it has one; the first reason is the true one."""
        if halt is self._over:
            return halt
        if self.halt is None:
            self.halt = halt
        return self.halt

    def observe(self, call: CallFact, result: bytes | None, tokens: int = 0) -> None:
        self._usage.tokens += tokens - _may_take(call)
        if call.kind in ("tool", "refused"):
            self._remember(call, result)

    def seconds_left(self) -> float:
        return self.policy.limits.seconds - self.active_us() / US_PER_S

    def begin(self) -> None:
        """The task's own work begins now; what had to be looked at before it is no work of its."""
        self._started_us = self._clock.now_us()

    def active_us(self) -> int:
        """How long the task has been worked on, over all its runs; waiting for people does not count."""
        return self._active_us_before + self._clock.now_us() - self._started_us

    def _remember(self, call: CallFact, result: bytes | None) -> None:
        asked = digest(call.name.encode(), call.arguments)
        # An act is progress by itself, even if every act is answered with the same "ok".
        came = asked if call.acts or result is None else digest(result)
        well = result is not None and self._traceable(call.arguments)
        self._made.append(Made(call.name, asked, came, well))
        self._learn(result)

    def _learn(self, result: bytes | None) -> None:
        if result is not None and len(self._known) < KNOWN_BYTES_MAX:
            self._known += result[: KNOWN_BYTES_MAX - len(self._known)]

    def _traceable(self, arguments: bytes) -> bool:
        return traceable(arguments, self._known)


def _may_take(call: CallFact) -> int:
    return call.tokens_in + call.tokens_out_max if call.kind == "model" else 0
