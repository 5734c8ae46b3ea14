"""The `[review]` sections: what is impossible is an error at load, and what says nothing keeps old approvals valid."""

import pytest

from airworthy.policy import PolicyError, parse_policy, policy_hash, scope_markdown

HEAD = 'agent = "shop"\npurpose = "x"\n'
WRITES = '[tools.note]\neffect = "write"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[review.approvals]\non_deadline = "escalate"\n', "needs escalate_to"),
        ('[review.approvals]\nescalate_to = "boss"\n', "has no meaning beside"),
        ('[review.approvals]\non_deadline = "approve"\n', "Only a single tool"),
        ('[review.approvals]\non_deadline = "decline"\n', "cannot be 'decline' for approvals"),
        ('[review.questions]\non_deadline = "reject"\n', "cannot be 'reject' for questions"),
        ('[review.in_doubt]\non_deadline = "reject"\n', "cannot be 'reject' for in_doubt"),
        ('[review.dead_letters]\non_deadline = "decline"\n', "cannot be 'decline' for dead_letters"),
        ('[review.tools.note]\non_deadline = "approve"\n', "does not say that this tool only writes"),
        (
            '[tools.note]\n[review.tools.note]\non_deadline = "approve"\n',
            "does not say that this tool only writes",
        ),
        ('[tools.note]\neffect = "send"\n[review.tools.note]\non_deadline = "approve"\n', "only writes"),
        ('[tools.note]\neffect = "delete"\n[review.tools.note]\non_deadline = "approve"\n', "only writes"),
        (WRITES + 'amount_arg = "amount"\n[review.tools.note]\non_deadline = "approve"\n', "with an amount"),
        (WRITES + '[review.tools.note]\non_deadline = "decline"\n', "cannot be 'decline' for a call"),
        ("[review.approval]\n", "Did you mean approvals?"),
        ('[review.approvals]\ndeadline = "1 h"\n', "Did you mean deadline_s?"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_an_error_at_load(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as raised:
        parse_policy(HEAD + text)

    assert says in str(raised.value)


def test_a_clock_may_approve_what_only_writes_and_has_no_amount() -> None:
    policy = parse_policy(
        HEAD + WRITES + '[review.tools.note]\non_deadline = "approve"\ndeadline_s = "4 h"\n'
    )

    assert policy.review.rule("approvals", "note").deadline_s == 4 * 3600
    assert policy.review.rule("approvals", "other").on_deadline == "wait"


def test_a_policy_that_says_nothing_of_reviews_has_the_hash_it_had_before() -> None:
    plain, empty = parse_policy(HEAD), parse_policy(HEAD + "[review]\n")
    told = parse_policy(HEAD + "[review]\nfour_eyes = true\n")

    assert policy_hash(plain) == policy_hash(empty)
    assert policy_hash(plain) != policy_hash(told)
    assert policy_hash(plain) == "sha256:7ef8e5ddf36738f1b79db765390c85d12b7051ab6e33b1f6ef8a46a845cea148"


def test_the_scope_document_says_what_happens_without_an_answer() -> None:
    text = """
[review]
four_eyes = true
[review.approvals]
to = "desk"
deadline_s = "4 h"
on_deadline = "reject"
[review.questions]
on_deadline = "escalate"
escalate_to = "boss"
[tools.note]
effect = "write"
[review.tools.note]
on_deadline = "approve"
deadline_s = "1 h"
"""

    said = scope_markdown(parse_policy(HEAD + text), [])

    for sentence in (
        "A call that waits for a yes: **desk** is asked for 4 hours; then it is rejected.",
        "A question in the middle of a task: the team named for it is asked for as long as the team says; then",
        "A call of `note` that waits for a yes: the team named for it is asked for 1 hour; then it is approved without",
        "Whoever hands in a task, or changes its call, cannot approve that call.",
    ):
        assert sentence in said
    assert "waits for a yes" not in scope_markdown(parse_policy(HEAD), [])
