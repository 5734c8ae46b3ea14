"""What the demo claims, each judged from evidence alone, with how it was looked at in words. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from airworthy.core.canonical import digest, encode
from airworthy.core.money import usd_text
from airworthy.demo.evidence import Evidence
from airworthy.tools import EffectState

SETTLED = frozenset({EffectState.DONE, EffectState.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Claim:
    """`how` says what was counted, so that a reader can count it again."""

    name: str
    text: str
    held: bool
    how: str


def claims_of(evidence: Evidence) -> tuple[Claim, ...]:
    return (
        _one_outcome(evidence),
        _nothing_lost(evidence),
        _nothing_twice(evidence),
        _records_agree(evidence),
        _doubts_wait(evidence),
        _within_budget(evidence),
        *_killed_at_work(evidence),
    )


def _one_outcome(evidence: Evidence) -> Claim:
    closed = sum(1 for task in evidence.tasks if task.outcome is not None and task.why is not None)
    single = sum(1 for journal in evidence.journals.values() if journal.outcomes == 1)
    total = len(evidence.tasks)
    return Claim(
        "one_outcome",
        "Every task ended with exactly one outcome, and a reason.",
        closed == single == total,
        f"Read back from the database after the last process had ended: {total} tasks, {closed} of them closed with a "
        f"reason, {single} with exactly one outcome in their record.",
    )


def _nothing_lost(evidence: Evidence) -> Claim:
    handed_in = {letter.key: digest(encode(letter.message)) for letter in evidence.letters}
    stored = {task.idempotency_key: task.input_digest for task in evidence.tasks}
    repeats = len(evidence.letters) - len(handed_in)
    return Claim(
        "nothing_lost",
        "Nothing was lost on the way in, and nothing was taken in twice.",
        stored == handed_in and len(evidence.tasks) == len(handed_in),
        f"The {len(handed_in)} different letters and the {len(stored)} tasks were compared by key and by digest of the "
        f"text; {repeats} letters were handed in a second time and made no second task.",
    )


def _nothing_twice(evidence: Evidence) -> Claim:
    shop = evidence.at_shop
    return Claim(
        "nothing_twice",
        "No customer was written to or paid twice for one letter.",
        shop.duplicates == shop.tickets_mailed_twice == shop.keyless == 0,
        f"Counted by the shop, in its own file, as the one that was acted on: {shop.mails} mails and {shop.refunds} "
        f"refunds, {shop.duplicates} of them a repeat (same key, or same letter and content), "
        f"{shop.tickets_mailed_twice} letters with two mails. {shop.keys_retried} requests came more than once; "
        f"{shop.replays} times the shop had acted already and knew the key.",
    )


def _records_agree(evidence: Evidence) -> Claim:
    done = {effect.id for effect in evidence.effects if effect.state is EffectState.DONE}
    doubted = {effect.id for effect in evidence.effects if effect.state is EffectState.IN_DOUBT}
    at_shop = Counter(evidence.keys_at_shop)
    missing = done - at_shop.keys()
    unknown = at_shop.keys() - done - doubted
    return Claim(
        "records_agree",
        "What the record says was done is what was done.",
        not missing and not unknown and all(count == 1 for count in at_shop.values()),
        f"Compared one by one: {len(done)} effects recorded as done, {len(missing)} of them missing at the shop; "
        f"{len(at_shop)} at the shop, {len(unknown)} of them unknown to the record.",
    )


def _doubts_wait(evidence: Evidence) -> Claim:
    doubted = {effect.task_id for effect in evidence.effects if effect.state is EffectState.IN_DOUBT}
    in_journal = {task_id for task_id, journal in evidence.journals.items() if journal.in_doubt}
    open_ended = sum(journal.started for journal in evidence.journals.values())
    unsettled = sum(1 for effect in evidence.effects if effect.state is EffectState.STARTED)
    return Claim(
        "doubts_wait",
        "Whatever may or may not have happened waits in the outbox for a person.",
        doubted == in_journal and open_ended == unsettled == 0,
        f"{len(in_journal)} tasks have a step in doubt, {len(doubted)} have an effect in doubt in the outbox; "
        f"{unsettled} effects were left begun without an end.",
    )


def _within_budget(evidence: Evidence) -> Claim:
    spent = evidence.billed_nano + evidence.unbilled_nano
    return Claim(
        "within_budget",
        "The day's budget was not passed.",
        spent <= evidence.cap_nano,
        f"{usd_text(evidence.billed_nano)} billed and at most {usd_text(evidence.unbilled_nano)} for calls whose bill "
        f"was lost, of {usd_text(evidence.cap_nano)}.",
    )


def _killed_at_work(evidence: Evidence) -> Iterator[Claim]:
    if evidence.kills_planned == 0:
        return
    kills = evidence.kills
    times = " and ".join(f"{kill.under_way} tasks under way" for kill in kills) or "nothing under way"
    cut_off = [key for kill in kills for key in kill.cut_off]
    arrived = sum(1 for key in cut_off if evidence.arrivals_cut_off.get(key))
    yield Claim(
        "killed_at_work",
        "All this held although the worker was killed in the middle of its work.",
        len(kills) == evidence.kills_planned and all(kill.under_way > 0 for kill in kills),
        f"SIGKILL {len(kills)} of {evidence.kills_planned} times, with {times}; {len(cut_off)} mails or refunds had "
        f"been begun and not ended. The next worker went on with them under the same keys; "
        f"the shop knows {arrived} of them.",
    )
