"""What people.toml says of events is checked when it is read, each flaw with its line and its mend."""

from pathlib import Path

import pytest

from airworthy.policy import PolicyError
from airworthy.recorder.events import Wish
from tests.review.event_kit import ALL_CLOSED, CHANNEL, people_of


@pytest.mark.parametrize(
    ("why", "declared", "says", "mend"),
    [
        (
            "no such channel",
            '[events.a]\nchannel = "nowhere"\non = ["task.closed"]\n',
            "names 'nowhere'",
            "[channels.nowhere]",
        ),
        (
            "a channel for people",
            '[channels.chat]\nkind = "slack"\nurl_env = "CHAT"\n[events.a]\nchannel = "chat"\non = ["task.closed"]\n',
            "kind 'slack'",
            "of kind webhook",
        ),
        ("no such event", '[events.a]\nchannel = "hook"\non = ["task.opened"]\n', "task.opened", "task.closed"),
        ("nothing at all", '[events.a]\nchannel = "hook"\non = []\n', "on", ""),
        (
            "outcomes of what is not told",
            '[events.a]\nchannel = "hook"\non = ["review.waiting"]\noutcomes = ["escalated"]\n',
            "none is told of",
            'Add "task.closed"',
        ),
        ("no such outcome", f'{ALL_CLOSED}outcomes = ["lost"]\n', "lost", "answered"),
        ("no such key", f'{ALL_CLOSED}agent = "support"\n', "agent", "agents"),
    ],
)  # fmt: skip
def test_a_flaw_is_told_with_its_line_and_its_mend(
    why: str, declared: str, says: str, mend: str, tmp_path: Path
) -> None:
    with pytest.raises(PolicyError) as refused:
        people_of(tmp_path, declared)

    text = str(refused.value)
    assert says in text, why
    assert mend in text, why
    first = CHANNEL.count("\n") + 1
    lines = range(first, first + declared.count("\n") + 1)
    assert any(f"{line}" in text for line in lines), text


def test_a_wish_is_multiplied_out_and_outcomes_are_those_of_closed_tasks() -> None:
    wish = Wish("crm", ("task.closed", "review.waiting"), ("a", "b"), ("escalated",))

    assert sorted(wish.rows()) == [
        ("review.waiting", "a", "", "crm"),
        ("review.waiting", "b", "", "crm"),
        ("task.closed", "a", "escalated", "crm"),
        ("task.closed", "b", "escalated", "crm"),
    ]
