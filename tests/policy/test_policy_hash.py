"""The hash stands for what a policy means, so an approval ends with a change and survives a tidy-up."""

import pytest

from airworthy.policy import parse_policy, policy_hash

BASE = """
agent = "support"
purpose = "Answers mail."
[input]
bytes_max = "1 MiB"
languages = ["en", "de"]
[tools.mail]
delay_s = "5 min"
recipient_arg = "to"
recipients = ["*@a.example", "*@b.example"]
[tools.find]
[[models]]
name = "m1"
[[models]]
name = "m2"
"""


def test_the_hash_is_a_sha256_in_hex() -> None:
    value = policy_hash(parse_policy(BASE))

    assert value.startswith("sha256:")
    assert len(value) == 71


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"1 MiB"', "1048576", "spelling of a size"),
        ('"5 min"', "300", "spelling of a duration"),
        ('"5 min"', "300.0", "a float for a whole number"),
        ('bytes_max = "1 MiB"\n', "", "a default written out"),
        ('["en", "de"]', '["de", "en"]', "order of a set"),
        ('["*@a.example", "*@b.example"]', '["*@b.example", "*@a.example"]', "order of recipients"),
        (
            'delay_s = "5 min"\nrecipient_arg = "to"',
            'recipient_arg = "to"\ndelay_s = "5 min"',
            "order of keys",
        ),
        ("\nagent", "\n# a comment\nagent", "a comment"),
        ("Answers mail.", " Answers   mail. ", "spaces in a sentence"),
    ],
)
def test_spelling_does_not_change_the_hash(old: str, new: str, why: str) -> None:
    assert old in BASE

    assert policy_hash(parse_policy(BASE.replace(old, new))) == policy_hash(parse_policy(BASE)), why


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Answers mail.", "Answers mails."),
        ('"1 MiB"', "1048577"),
        ('"5 min"', "301"),
        ("[tools.find]", "[tools.find]\ndry_run = true"),
        ("[tools.find]\n", ""),
        ("\n[input]", '\nstage = "beta"\n[input]'),
        ('name = "m1"\n[[models]]\nname = "m2"', 'name = "m2"\n[[models]]\nname = "m1"'),
        ('"*@b.example"', '"*@c.example"'),
    ],
)
def test_a_change_of_meaning_changes_the_hash(old: str, new: str) -> None:
    assert old in BASE

    assert policy_hash(parse_policy(BASE.replace(old, new))) != policy_hash(parse_policy(BASE))


def test_the_hash_stays_the_same_between_versions_of_the_package() -> None:
    """A new optional key must not void approvals; whoever changes a default changes this on purpose."""
    value = policy_hash(parse_policy('agent = "support"\npurpose = "Answers mail."\n'))

    assert value == "sha256:63ca148ecf654739f855a4bc09f98415b0656353115b2fd985043dd1609e49bd"
