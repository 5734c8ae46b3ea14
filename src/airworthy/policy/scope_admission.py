"""What the scope document says of admission: how many tasks may be under way, begin and wait."""

from airworthy.policy.admission_rule import AdmissionRule
from airworthy.policy.document import Block, Bullets, Line, Paragraph
from airworthy.policy.plain_words import count, listed


def admission_blocks(rule: AdmissionRule | None) -> list[Block]:
    if rule is None:
        return [Paragraph(("Any number of tasks may be under way, begin and wait at once.",))]
    lines: list[Line] = []
    for whose, prefix in (("", ""), (" for each user", "user_"), (" for each feature", "feature_")):
        places = getattr(rule, f"{prefix}concurrency")
        if places is not None:
            lines.append((f"{count(places, 'task')} under way at once{whose}",))
        rate = getattr(rule, f"{prefix}rate")
        if rate is not None:
            lines.append((f"{rate} begin{whose}",))
    lines.append(
        (f"{count(rule.queue_max, 'task')} waiting to begin; more are refused, to be sent again later",)
    )
    if rule.user_queue_max is not None:
        lines.append((f"{count(rule.user_queue_max, 'task')} waiting to begin for each user",))
    blocks: list[Block] = [
        Paragraph(("Of its tasks at most these; what is beyond them waits, and users take turns:",)),
        Bullets(tuple(lines)),
    ]
    if rule.priorities:
        order = sorted(rule.priorities.items(), key=lambda entry: -entry[1])
        blocks.append(
            Paragraph((f"Priorities: {listed([f'{name} ({number})' for name, number in order])}.",))
        )
    return blocks
