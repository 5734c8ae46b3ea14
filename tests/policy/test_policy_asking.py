"""Keys that say when a person is asked: what cannot be meant, what an approver reads, and what keeps old approvals."""

import pytest

from airworthy.policy import PolicyError, ToolFact, parse_policy, policy_hash, scope_markdown
from airworthy.policy.bounds import asks_by_run

HEAD = 'agent = "support"\npurpose = "Answers mail."\n'
MAIL = "[tools.mail]\n"

WRONG = [
    ("approval_new_recipient = true", "needs recipient_arg", "nobody knows who the recipient is"),
    ('approval = "always"\napproval_untrusted = "strict"', "beside approval", "every call asks anyway"),
    ('approval = "always"\napproval_below_confidence = 0.5', "beside approval", "every call asks anyway"),
    ('effect = "read"\napproval_untrusted = "strict"', "only reads", "nothing is done"),
    ('destination_args = ["to"]', "has no meaning without approval_untrusted", "nothing looks at it"),
    ('asked_words = ["send"]', "has no meaning without approval_untrusted", "nothing looks at it"),
    ('trusted = true\ntrusted_fields = ["a"]', "has no meaning beside trusted", "all is trusted"),
    ("approval_below_confidence = 0", "Write a value above 0", "nothing would ever be low"),
    ("approval_below_confidence = 1.5", "Write at most 1", "no share"),
    ('approval_untrusted = "lenient"', "approval_untrusted", "no such mode"),
    ('approval_untrusted = "strict"\nasked_words = ["1"]', "asked_words", "no word"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "says", "why"), WRONG)
def test_what_cannot_be_meant_is_an_error(lines: str, says: str, why: str) -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(HEAD + MAIL + lines)

    assert says in str(error.value), why


def test_fields_of_an_input_that_is_trusted_anyway_are_an_error() -> None:
    with pytest.raises(PolicyError, match="all of the input is trusted"):
        parse_policy(HEAD + '[input]\ntrusted_fields = ["customer"]')


SENTENCES = [
    (
        'recipient_arg = "to"\napproval_new_recipient = true',
        "- **Must ask first** when `to` is somebody it never reached before.",
    ),
    (
        "approval_below_confidence = 0.8",
        "- **Must ask first** when it is less than 0.8 sure (of 1), or does not say how sure it is.",
    ),
    (
        'approval_untrusted = "strict"\ndestination_args = ["to", "cc"]',
        "- **Must ask first** when `to` or `cc` was named neither by the user nor by a source this policy trusts.",
    ),
    (
        'approval_untrusted = "friendlier"\nrecipient_arg = "to"',
        "trusts, once it has read something that others may have written. A whole field of a record it read counts",
    ),
    (
        'approval_untrusted = "strict"\nasked_words = ["refund", "pay back"]',
        "Also when the input holds none of: refund, pay back.",
    ),
    ('approval_untrusted = "strict"', "- **Must ask first** when any argument was named neither"),
    ('approval_untrusted = "strict"', "- **May** send something to people or other systems, without asking where none"),
    ("trusted = true", "- **Trusted:** whatever it returns may say where other tools act, without asking."),
    (
        'trusted_fields = ["a.b", "c"]',
        "- **Trusted:** these fields of its result may say where other tools act: `a.b`, `c`.",
    ),
    ("", "no question when somebody else's text decides where it acts is set."),
    ("", "- What it did can be taken back, by a person, once."),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "sentence"), SENTENCES)
def test_the_approver_reads_each_rule(lines: str, sentence: str) -> None:
    facts = (ToolFact("mail", "Sends mail.", "send", keyed=True, undo=True),)

    assert sentence in scope_markdown(parse_policy(HEAD + MAIL + lines), facts)


def test_the_approver_reads_that_strangers_write_the_input() -> None:
    policy = parse_policy(HEAD + '[input]\ntrusted = false\ntrusted_fields = ["customer.id"]')

    assert (
        "Strangers may write the input, so it does not say where the agent acts but for: `customer.id`."
        in (scope_markdown(policy, ()))
    )


BEFORE = (
    HEAD + '[input]\nlanguages = ["en"]\n[tools.mail]\nrecipient_arg = "to"\nrecipients = ["*@a.example"]\n'
)


def test_a_policy_without_these_keys_has_the_hash_it_had_before_there_were_any() -> None:
    """So approvals that were given keep holding."""
    assert (
        policy_hash(parse_policy(BEFORE))
        == "sha256:a7440bdd97c095449a8b9c6b0c989292e31eb30a0389d76ef3e0e7a11b75ec8a"
    )


CHANGES = [
    "approval_new_recipient = true",
    "approval_below_confidence = 0.5",
    'approval_untrusted = "strict"',
    'approval_untrusted = "friendlier"',
    'approval_untrusted = "strict"\ndestination_args = ["to"]',
    "trusted = true",
    'trusted_fields = ["a"]',
]


@pytest.mark.parametrize("lines", CHANGES)
def test_each_key_changes_the_hash_and_its_default_does_not(lines: str) -> None:
    assert policy_hash(parse_policy(BEFORE + lines)) != policy_hash(parse_policy(BEFORE))
    assert policy_hash(parse_policy(BEFORE + 'approval_untrusted = "off"\ntrusted = false')) == policy_hash(
        parse_policy(BEFORE)
    )


@pytest.mark.parametrize("lines", CHANGES[:4])
def test_such_rules_are_known_only_where_the_run_is(lines: str) -> None:
    assert asks_by_run(parse_policy(BEFORE + lines).tools["mail"])
    assert not asks_by_run(parse_policy(BEFORE).tools["mail"])
