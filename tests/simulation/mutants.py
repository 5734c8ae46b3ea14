"""Breaks each guard in a copy and checks that the suites notice: `python -m tests.simulation.mutants [WORD]`.

Takes some minutes, so it is run by hand; WORD picks the mutants whose name contains it. A mutant that lives is printed
and makes the exit code 1. One that no longer applies is an error: the source has moved on, so must its mutant.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = Path("src") / "airworthy"
# The quick ones first; the first failure ends a mutant's life.
SUITES = (
    "tests/tools/test_outbox.py",
    "tests/tools/test_caps.py",
    "tests/tools/provenance",
    "tests/tools/test_effects.py",
    "tests/runtime/test_begun.py",
    "tests/runtime/test_undo.py",
    "tests/runtime/test_late_decisions.py",
    "tests/runtime/test_asking.py",
    "tests/runtime/test_describing.py",
    "tests/runtime/test_describing_meanwhile.py",
    "tests/runtime/test_replaying.py",
    "tests/runtime/test_forking.py",
    "tests/simulation/test_races.py",
    "tests/simulation/test_limits.py",
    "tests/simulation/test_every_point.py",
    "tests/simulation/test_worlds.py",
)
SECONDS_MAX = 400
UNUSABLE = 4  # What pytest exits with where it cannot begin.


@dataclass(frozen=True)
class Mutant:
    """`edits`: file, the text to be replaced (it must stand there exactly once), its replacement."""

    name: str
    edits: tuple[tuple[str, str, str], ...]


def mutant(name: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(name, ((file, old, new),))


ACTING, TOOLBOX, GUARD = "tools/acting.py", "tools/toolbox.py", "tools/guard.py"
ASKING, UNDOING, CALL, DECIDING = (
    "tools/asking.py",
    "tools/undoing.py",
    "tools/call.py",
    "runtime/deciding.py",
)
OUTBOX, DISPATCH, RESOURCE = "tools/outbox.py", "tools/dispatch.py", "tools/resource.py"
LIFECYCLE, RUNNER, GATE, WORKER, PRESENCE = (
    f"runtime/{name}.py" for name in ("lifecycle", "runner", "gate", "worker", "presence")
)
JOURNAL, OURS, OWN_TEXT, LEASE, WRITER, SPEND = (
    "recorder/journal.py",
    "recorder/traces/ours.py",
    "recorder/traces/own_text.py",
    "store/lease.py",
    "store/writer.py",
    "gateway/budget/values.py",
)

MUTANTS = (
    # The claim and its fence.
    mutant(
        "no fence check",
        WRITER,
        "    if fence is None:\n        return None\n",
        "    if True:\n        return None\n",
    ),
    Mutant(
        "no new epoch at a takeover",
        (
            (
                LEASE,
                "SET epoch = epoch + 1, owner = NULL WHERE owner = ?",
                "SET owner = NULL WHERE owner = ?",
            ),
            (LEASE, "DO UPDATE SET epoch = claims.epoch + 1,", "DO UPDATE SET"),
        ),
    ),
    mutant(
        "a task that somebody holds is claimed again",
        LIFECYCLE,
        "if task.state is State.RUNNING and leases.holder(tx, task.id) is not None:",
        "if False:",
    ),
    mutant(
        "a delayed act that somebody holds is begun again",
        DISPATCH,
        "if now is None or leases.holder(tx, row.id) is not None:",
        "if now is None:",
    ),
    mutant(
        "claims made between thaw and heartbeat are kept",
        PRESENCE,
        "        leases.leave(tx, self._owner.id)\n        leases.join",
        "        leases.join",
    ),
    mutant(
        "claims of the dead without a grave are kept", LEASE, "owner NOT IN (SELECT id FROM owners)", "1 = 0"
    ),
    mutant(
        "the dead are not buried",
        LEASE,
        "if expires_us < now_us or (host and host == here.host and Neighbour(pid, born).gone())",
        "if False",
    ),
    # Acting: intent, act, result.
    mutant(
        "no intent before the act",
        ACTING,
        "await call.run.journal.open(call.slot, StepState.STARTED, facts=intent, also=begin)",
        "pass",
    ),
    mutant(
        "an unkeyed act is repeated after a crash",
        ACTING,
        "case StepState.STARTED if call.tool.keyed and not call.rule.dry_run:",
        "case StepState.STARTED:",
    ),
    mutant(
        "what was begun stays begun when something else ends its run",
        ACTING,
        "return again and halt.outcome is not Outcome.CANCELLED",
        "return False",
    ),
    mutant(
        "what was begun is carried out although its task was cancelled",
        ACTING,
        "return again and halt.outcome is not Outcome.CANCELLED",
        "return again",
    ),
    mutant(
        "what a run never came to stays begun",
        RUNNER,
        "await self._end(await self._finish_begun(halt), answer)",
        "await self._end(halt, answer)",
    ),
    mutant(
        "what a secret was taken out of is sent without it",
        "tools/finishing.py",
        "recorded is None or not recorded.exact or MARK in slot.arguments.decode()",
        "recorded is None",
    ),
    mutant(
        "an unkeyed delayed act is repeated after a crash",
        DISPATCH,
        "if again and (not now.keyed or tool is None or why_not is not None):",
        "if again and tool is None:",
    ),
    mutant(
        "a new key in every run",
        CALL,
        "digest(self.run.journal.task.id.encode(), self.slot.key)",
        "digest(str(self.run.journal.run).encode(), self.run.journal.task.id.encode(), self.slot.key)",
    ),
    mutant(
        "an act is cut off with its caller",
        "runtime/run.py",
        "shield = known is not None and known.effect.acts",
        "shield = False",
    ),
    mutant("a maybe that returned is forgotten", GUARD, 'doubtful or happened(error) == "maybe"', "doubtful"),
    mutant(
        "a maybe of a dead run is forgotten", GUARD, "Tried(attempts=0, doubtful=again)", "Tried(attempts=0)"
    ),
    mutant(
        "what was started is left so at the end",
        LIFECYCLE,
        "if outbox.doubt_started(tx, task_id, now_us):",
        "if False:",
    ),
    mutant(
        "its step is left as started",
        LIFECYCLE,
        "        doubt_started(tx, task_id)\n",
        "        pass\n",
    ),
    # What the index of traces says of it.
    mutant(
        "a task opened again stays in the sums",
        OURS,
        "        _count(tx, row, found, times=-1)\n",
        "        pass\n",
    ),
    mutant(
        "what people end counts twice",
        LIFECYCLE,
        "        if task.outcome is not None:  # A person",
        "        if False:  # A person",
    ),
    mutant("a rehearsal is counted", OURS, "    if task.mode == LIVE:\n", "    if True:\n"),
    mutant(
        "a settled step keeps its old words",
        JOURNAL,
        "            if slot.recorded is not None:",
        "            if False:",
    ),
    # The path of a resumed run.
    mutant(
        "new acts do not wait for the recorded ones",
        JOURNAL,
        "        if not self._unmet:\n            return\n",
        "        return\n",
    ),
    mutant(
        "an answer without the recorded acts counts", RUNNER, "        self.journal.check_all_met()\n", ""
    ),
    mutant(
        "a done step is called again",
        TOOLBOX,
        "if recorded is not None and (recorded.exact",
        "if recorded is not None and False and (recorded.exact",
    ),
    mutant("work an agent left behind goes on", GATE, "        self._over = Lost(", "        _ = Lost("),
    # People.
    mutant(
        "an effect changes to any state", OUTBOX, "    if to not in TRANSITIONS[row.state]:", "    if False:"
    ),
    mutant(
        "a person may say anything of an effect",
        OUTBOX,
        "if row is not None and to not in DECISIONS.get(row.state, frozenset()):",
        "if False:",
    ),
    mutant(
        "a cancellation counts only when noticed",
        JOURNAL,
        "            if state is StepState.STARTED:\n                self.confirm(tx)\n",
        "",
    ),
    mutant("the outbox takes what is cancelled", ACTING, "        call.run.journal.confirm(tx)\n", ""),
    mutant(
        "cancelling leaves what is unsent",
        OUTBOX,
        "if EffectState.CANCELLED in TRANSITIONS[row.state] and row.undo_of is None:",
        "if False:",
    ),
    mutant(
        "a decision before parking is lost", LIFECYCLE, "(wake_us is None and _decided(tx, awaited))", "False"
    ),
    mutant(
        "a cancellation before parking is lost",
        LIFECYCLE,
        "        task = tasks.get(tx, claimed.task.id)\n        if task.cancel_asked:\n",
        "        task = tasks.get(tx, claimed.task.id)\n        if False:\n",
    ),
    mutant(
        "a pause that was lifted is kept",
        LIFECYCLE,
        "paused = suspend.paused and (task.pause_asked or switches.paused(tx, task.agent) is not None)",
        "paused = suspend.paused",
    ),
    mutant(
        "a yes that nobody acts on looks like one",
        DECIDING,
        "    _refuse_for_nothing(tx, before, task, to)\n",
        "",
    ),
    mutant(
        "a question its task left behind stays open",
        LIFECYCLE,
        "if outcome in (Outcome.ANSWERED, Outcome.DECLINED):",
        "if False:",
    ),
    Mutant(
        "what was cancelled is sent",
        (
            (DISPATCH, "if now.state not in (EffectState.SCHEDULED, EffectState.STARTED):", "if False:"),
            (OUTBOX, "    if to not in TRANSITIONS[row.state]:", "    if False:"),
        ),
    ),
    mutant("a rehearsed task acts", TOOLBOX, "if run.dry_run and not rule.dry_run:", "if False:"),
    # Taking back.
    mutant("an act is taken back twice", UNDOING, "    if open_ is not None:\n", "    if False:\n"),
    mutant(
        "what was not done is taken back",
        UNDOING,
        "    if row.state is not EffectState.DONE:\n",
        "    if False:\n",
    ),
    mutant(
        "a taking back leaves its act as done",
        OUTBOX,
        "if to is EffectState.DONE and row.undo_of is not None:",
        "if False:",
    ),
    mutant(
        "a taking back ends with its task",
        OUTBOX,
        "if EffectState.CANCELLED in TRANSITIONS[row.state] and row.undo_of is None:",
        "if EffectState.CANCELLED in TRANSITIONS[row.state]:",
    ),
    mutant(
        "a taking back goes out under no key", DISPATCH, "key=row.id if begun.keyed else None", "key=None"
    ),
    mutant("a taking back uses up the cap", OUTBOX, "AND id <> ? AND undo_of IS NULL", "AND id <> ?"),
    # Who is asked.
    mutant(
        "strangers are trusted",
        "tools/provenance/ledger.py",
        'if entry.kind == "person" or trust.whole:',
        "if True:",
    ),
    mutant(
        "a look-alike of a known address is known",
        "tools/provenance/text.py",
        'text = unicodedata.normalize("NFC", text)\n',
        'text = unicodedata.normalize("NFKC", text).translate(_LOOKALIKES)\n',
    ),
    mutant(
        "a part of a longer address is known",
        "tools/provenance/known.py",
        "if forms.stands_alone(text, at, at + len(value)):",
        "if True:",
    ),
    mutant("a restart forgets what was read", CALL, "        hearing.recall(self.ledger, recorded)\n", ""),
    mutant(
        "what was read is not heard",
        TOOLBOX,
        '            call.run.ledger.hear(call.slot.seq, "source", call.tool.name, tried.result)\n',
        "",
    ),
    mutant("a no endorses the value", ASKING, "and row.state not in _NO", ""),
    mutant(
        "a yes endorses nothing", ASKING, "if row.tool == tool and row.evidence", "if False and row.evidence"
    ),
    mutant("no confidence is enough", ASKING, "if wanted is not None and stated is None:", "if False:"),
    mutant("everybody is known", ASKING, "        if not known:\n", "        if False:\n"),
    # Resources.
    mutant(
        "two tasks hold one resource",
        RESOURCE,
        "return version, None if holder == task_id else holder",
        "return version, None",
    ),
    mutant(
        "a stale read may be written back",
        ACTING,
        "seen is not None and seen != version and not again",
        "False",
    ),
    mutant("what is in use is given away", RESOURCE, "(task_id,))} - kept", "(task_id,))}"),
    mutant(
        "nobody gives way",
        RESOURCE,
        "if holder is not None and task_id > holder else set()",
        "if False else set()",
    ),
    mutant("a delayed act holds nothing", DISPATCH, "        if name is not None:\n", "        if False:\n"),
    mutant(
        "a cut-off change is made over those of others",
        ACTING,
        "if again and recorded is not None and version != recorded.facts.resource_version:",
        "if False:",
    ),
    mutant(
        "the version of an approved intent is not noted",
        JOURNAL,
        "(state.value, facts.resource, facts.resource_version, task_id, slot.seq)",
        "(state.value, None, None, task_id, slot.seq)",
    ),
    # Limits and budgets.
    mutant("no limit before a call", GATE, "        if found is not None:\n", "        if False:\n"),
    mutant(
        "what earlier runs used does not count",
        RUNNER,
        "        self.gate.recall(claimed.recorded, task.counted_from)\n",
        "",
    ),
    mutant("parallel calls share the tokens", GATE, "        self._usage.tokens += _may_take(call)\n", ""),
    mutant(
        "money is checked without the next call",
        SPEND,
        "self.reserved_nano + self.settled_nano + need.nano > scope.cap_nano",
        "self.reserved_nano + self.settled_nano > scope.cap_nano",
    ),
    mutant("a billed failure gives its money back", "gateway/carry.py", "if error.billed:", "if False:"),
    mutant(
        "calls of a day are not counted",
        SPEND,
        "self.reserved_calls + self.calls + need.calls > scope.cap_calls",
        "False",
    ),
    mutant(
        "no cap when the time has come",
        DISPATCH,
        "if not again and now.undo_of is None:",
        "if False:",
    ),
    mutant(
        "what waits counts on the day it was accepted",
        ACTING,
        "started_us=None, day=outbox.day_of(due_us)",
        "started_us=None",
    ),
    mutant("no cap of a day", OUTBOX, "if found is not None and found[0] >= cap:", "if False:"),
    # Replays and forks.
    mutant(
        "a replay goes on where the record is silent",
        "recorder/sealed_journal.py",
        "        if recorded is None or recorded.state in UNENDED:\n            raise Unanswered(slot)\n",
        "        if recorded is None:\n            return slot\n",
    ),
    mutant(
        "a replay forgets what it has not met",
        "runtime/explained.py",
        "        if step.seq not in met\n",
        "        if step.seq < 0\n",
    ),
    mutant(
        "a fork is a rehearsal by its input alone",
        "runtime/claimed.py",
        "    if task.fork_of is not None:\n        return True\n",
        "",
    ),
    mutant(
        "a fork takes along what was open",
        "runtime/forking.py",
        "if step.seq >= at or step.key is None or step.state not in _ENDED:",
        "if step.seq >= at or step.key is None:",
    ),
    mutant(
        "a fork is asked for with its own words",
        "runtime/run.py",
        "changed = self.overrides.of(sent) if self.overrides is not None else None",
        "changed = None",
    ),
    # What is described from what was read.
    mutant(
        "a description is kept of a task that has changed since",
        OWN_TEXT,
        " AND traces.revision = told.as_read",
        "",
    ),
    mutant(
        "what is about to be indexed of a task is written over unseen",
        OWN_TEXT,
        "    else:  # What is about to be indexed of it may have been read.\n        _revised(tx, task_id)\n",
        "",
    ),
    mutant(
        "words are indexed of a task whose description is not kept",
        OWN_TEXT,
        "for each in told if each.ref in kept for doc in each.docs",
        "for each in told for doc in each.docs",
    ),
)


def astray() -> list[str]:
    """Mutants that no longer apply; `tests/simulation/test_mutants.py` holds that there are none."""
    found = []
    for each in MUTANTS:
        for file, old, _ in each.edits:
            times = (ROOT / SOURCE / file).read_text().count(old)
            if times != 1:
                found.append(f"{each.name}: the text stands {times} times in {file}:\n{old}")
    return found


def main(word: str) -> int:
    if found := astray():
        raise SystemExit("\n".join(found))
    lived = []
    for each in MUTANTS:
        if word not in each.name:
            continue
        killer = _killer(each)
        print(
            f"{'LIVES' if killer is None else 'killed'}  {each.name}{f': {killer}' if killer else ''}",
            flush=True,
        )
        if killer is None:
            lived.append(each.name)
    print(f"{len(lived)} live" if lived else "None lives.")
    return 1 if lived else 0


def _killer(each: Mutant) -> str | None:
    """The first test that fails, or None."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("src", "tests", "benchmarks"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for file, old, new in each.edits:
            path = copy / SOURCE / file
            path.write_text(path.read_text().replace(old, new))
        environment = {**os.environ, "PYTHONPATH": f"{copy / 'src'}:{copy}"}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-x", *SUITES],
                cwd=copy, env=environment, capture_output=True, text=True, check=False,
                timeout=SECONDS_MAX,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "it hangs"
    failed = re.search(r"^(?:FAILED|ERROR) tests/(\S+)", done.stdout, re.MULTILINE)
    if failed is not None:
        return failed[1]
    if done.returncode == UNUSABLE:  # No test has run, so nothing is known of the mutant.
        raise SystemExit(f"{done.stdout}{done.stderr}")
    return None if done.returncode == 0 else f"exit {done.returncode}"


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
