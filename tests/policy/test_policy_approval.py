"""Nothing goes live with a gap, and each gap says how to close it."""

import pytest

from airworthy.policy import (
    Approval,
    NotReadyToGoLive,
    Policy,
    ToolFact,
    golive_gaps,
    parse_policy,
    policy_hash,
)

READY = """
agent = "support"
purpose = "Answers mail."
stage = "beta"
[owner]
name = "Ann"
contact = "ann@example.com"
review = "weekly"
[escalation]
default = "leads"
[[models]]
name = "sim-large-2026-11-01"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
[tools.mail]
effect = "send"
"""
MAIL = ToolFact("mail", "Sends mail.", "send", keyed=True)


def approved(policy: Policy) -> Approval:
    return Approval(policy_hash(policy), "Ann", 1_764_000_000_000_000)


def subjects(
    policy: Policy, approval: Approval | None = None, tools: tuple[ToolFact, ...] = (MAIL,)
) -> list[str]:
    gaps = golive_gaps(policy, approval if approval is not None else approved(policy), tools)
    assert all(gap.missing and gap.mend for gap in gaps)
    return [gap.subject for gap in gaps]


def test_a_complete_and_approved_policy_has_no_gap() -> None:
    assert subjects(parse_policy(READY)) == []


@pytest.mark.parametrize(
    ("old", "new", "gaps"),
    [
        ('name = "Ann"\n', "", ["owner.name"]),
        ('contact = "ann@example.com"\n', "", ["owner.contact"]),
        ('review = "weekly"\n', "", ["owner.review"]),
        ('default = "leads"\n', "", ["escalation.default"]),
        ("sim-large-2026-11-01", "gpt-4o", ["models[1].name"]),
        ("input_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n", "", ["models[1].input_usd_per_mtok"]),
        ('effect = "send"', 'effect = "read"', ["tools.mail.effect"]),
        ("[tools.mail]", "[tools.post]", ["tools.post", "tools.mail"]),
        ("[[models]]", "[[models]]\npinned = true", []),
    ],
)
def test_whatever_is_missing_is_a_gap(old: str, new: str, gaps: list[str]) -> None:
    assert old in READY

    assert subjects(parse_policy(READY.replace(old, new))) == gaps


def test_a_self_hosted_name_may_be_declared_fixed() -> None:
    text = READY.replace("sim-large-2026-11-01", "our-llama")

    assert subjects(parse_policy(text)) == ["models[1].name"]
    assert subjects(parse_policy(text.replace("[[models]]", "[[models]]\npinned = true"))) == []


def test_an_agent_without_a_model_is_a_gap() -> None:
    assert subjects(parse_policy('agent = "a"\npurpose = "b"\n'), tools=()) == [
        "owner.name",
        "owner.contact",
        "owner.review",
        "escalation.default",
        "models",
    ]


def test_without_an_approval_it_cannot_go_live() -> None:
    policy = parse_policy(READY)

    gaps = golive_gaps(policy, None, (MAIL,))

    assert [gap.subject for gap in gaps] == ["approval"]
    assert policy_hash(policy) in gaps[0].mend


def test_a_policy_changed_since_its_approval_says_what_was_approved_and_when() -> None:
    approval = approved(parse_policy(READY))

    gaps = golive_gaps(parse_policy(READY.replace("weekly", "daily")), approval, (MAIL,))

    assert [gap.subject for gap in gaps] == ["approval"]
    assert f"Ann approved {approval.policy_hash} on 2025-11-24 16:00 UTC" in gaps[0].missing


def test_an_approval_by_nobody_is_none() -> None:
    policy = parse_policy(READY)

    assert subjects(policy, Approval(policy_hash(policy), "  ", 0)) == ["approval"]


def test_an_approval_at_an_impossible_moment_is_told_without_an_error() -> None:
    gaps = golive_gaps(parse_policy(READY), Approval("sha256:0", "Ann\x1b[2J", 10**30), (MAIL,))

    assert "an impossible date" in gaps[0].missing
    assert "\x1b" not in gaps[0].missing


def test_stops_with_places_of_their_own_need_no_default() -> None:
    whens = ("limit", "loop", "in_doubt", "blocked_output", "low_confidence", "divergence", "tool_failure")
    stops = "".join(f'[[stop]]\nwhen = "{when}"\nto = "leads"\n' for when in whens)
    text = READY.replace('default = "leads"\n', "") + stops

    assert subjects(parse_policy(text)) == ["escalation.default"]
    assert subjects(parse_policy(text + '[[stop]]\nwhen = "out_of_scope"\nthen = "decline"\n')) == []


def test_the_error_lists_all_gaps() -> None:
    policy = parse_policy('agent = "a"\npurpose = "b"\n')

    error = NotReadyToGoLive("a", golive_gaps(policy, None, (MAIL,)))

    assert len(str(error).splitlines()) == 1 + len(error.gaps) == 8
