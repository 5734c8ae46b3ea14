"""What the demo claims, each judged from evidence alone, with how it was looked at in words. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from airworthy.core.canonical import digest, encode
from airworthy.core.money import usd_text
from airworthy.core.outcome import Outcome
from airworthy.demo.evidence import Evidence
from airworthy.demo.plural import some
from airworthy.tools import EffectState


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
        _console_agrees(evidence),
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
        f"Read back once the last worker had ended: {total} tasks, {closed} closed with a reason, {single} with "
        "exactly one outcome on record.",
    )


def _nothing_lost(evidence: Evidence) -> Claim:
    handed_in = {letter.key: digest(encode(letter.message)) for letter in evidence.letters}
    stored = {task.idempotency_key: task.input_digest for task in evidence.tasks}
    repeats = len(evidence.letters) - len(handed_in)
    return Claim(
        "nothing_lost",
        "No letter was lost on the way in, and none became two tasks.",
        stored == handed_in and len(evidence.tasks) == len(handed_in),
        f"{len(handed_in)} different letters and {len(evidence.tasks)} tasks, compared by key and by digest of the "
        f"text; {repeats} came in twice.",
    )


def _nothing_twice(evidence: Evidence) -> Claim:
    shop = evidence.at_shop
    return Claim(
        "nothing_twice",
        "No customer was written to or paid twice for one letter.",
        shop.duplicates == shop.tickets_mailed_twice == shop.keyless == 0,
        f"Counted where they arrive, in the shop's own file: {some(shop.mails, 'mail')} and "
        f"{some(shop.refunds, 'refund')}, {some(shop.duplicates, 'repeat')} (same key, or same letter and content). "
        f"{shop.keys_retried} came again after a fault or a kill; the shop had carried out {shop.replays} of them "
        "already, knew the key, and did not act again.",
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
        f"Compared one by one: {some(len(done), 'act')} recorded as done, {len(missing)} of them missing at the "
        f"shop; {len(at_shop)} at the shop, {len(unknown)} of them not on record.",
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
        f"{some(len(in_journal), 'task')} with a step in doubt, {len(doubted)} with an effect in doubt in the outbox; "
        f"{some(unsettled, 'effect')} left begun without an end.",
    )


def _within_budget(evidence: Evidence) -> Claim:
    spent = evidence.billed_nano + evidence.unbilled_nano
    return Claim(
        "within_budget",
        "The day's budget was not passed.",
        spent <= evidence.cap_nano,
        f"{usd_text(spent)} of {usd_text(evidence.cap_nano)}, calls whose bill was lost counted at their worst case.",
    )


def _console_agrees(evidence: Evidence) -> Claim:
    ends = Counter(task.outcome.value for task in evidence.tasks if task.outcome is not None)
    told = {outcome.value: evidence.told.get(outcome.value, 0) for outcome in Outcome}
    listed = ", ".join(f"{count} {name.replace('_', '-')}" for name, count in told.items() if count)
    return Claim(
        "console_agrees",
        "The console shows what the record says.",
        evidence.told.get("opened") == len(evidence.tasks) and Counter(told) == ends,
        f"Asked over HTTP with a key made for it: {evidence.told.get('opened', 0)} tasks, {listed or 'none ended'}. "
        "Its sums are kept in the transactions of what they count; the record was counted anew.",
    )


def _killed_at_work(evidence: Evidence) -> Iterator[Claim]:
    if evidence.kills_planned == 0:
        return
    kills = evidence.kills
    cut_off = {key for kill in kills for key in kill.cut_off}
    ended = sum(
        1 for effect in evidence.effects if effect.id in cut_off and effect.state is not EffectState.STARTED
    )
    arrived = sum(1 for key in cut_off if evidence.arrivals_cut_off.get(key))
    at_work = " and ".join(str(kill.under_way) for kill in kills) or "no"
    yield Claim(
        "killed_at_work",
        "All this held although the worker was killed in the middle of its work.",
        len(kills) == evidence.kills_planned
        and all(kill.under_way > 0 for kill in kills)
        and ended == len(cut_off),
        f"SIGKILL {len(kills)} of {evidence.kills_planned} times, with {at_work} tasks under way and "
        f"{some(len(cut_off), 'mail or refund', 'mails or refunds')} begun and not ended; the next worker ended "
        f"{ended} of these under their own keys, {arrived} of which the shop has seen.",
    )
