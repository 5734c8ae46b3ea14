"""The queues of agents under admission, as `status` tells them."""

from airworthy.cli import show
from airworthy.core.clock import US_PER_S
from airworthy.policy.plain_words import duration
from airworthy.runtime.admission.view import QueueView
from airworthy.runtime.documents import Document


def document(queue: QueueView) -> Document:
    return {
        "agent": queue.agent,
        "waiting": queue.waiting,
        "waiting_to_go_on": queue.returning,
        "queue_max": queue.queue_max,
        "oldest": show.iso(queue.oldest_us),
        "under_way": queue.under_way,
        "concurrency": queue.concurrency,
        "rate": None if queue.rate is None else str(queue.rate),
        "next_start": show.iso(queue.next_us),
    }


def line(queue: QueueView, now_us: int) -> str:
    """One sentence: what waits, what is under way, when the next begins."""
    parts = [f"{queue.waiting} of at most {queue.queue_max} wait"]
    if queue.oldest_us is not None:
        parts[0] += f", the first for {_span(now_us - queue.oldest_us)}"
    bound = "" if queue.concurrency is None else f" of at most {queue.concurrency}"
    parts.append(f"{queue.under_way}{bound} under way")
    if queue.returning:
        parts.append(f"{queue.returning} wait for a place to go on")
    if queue.next_us is not None and queue.next_us > now_us:
        parts.append(f"next start {show.when(queue.next_us)}")
    elif queue.waiting and queue.concurrency is not None and queue.under_way >= queue.concurrency:
        parts.append("next start when one ends")
    return "; ".join(parts)


def _span(us: int) -> str:
    return duration(max(0, us // US_PER_S)) if us < 120 * US_PER_S else duration(us // (60 * US_PER_S) * 60)
