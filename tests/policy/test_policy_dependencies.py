"""Dependencies, fallbacks and preconditions in a policy: what contradicts, what an approver reads, what hashes."""

import pytest

from airworthy.policy import PolicyError, Preconditions, parse_policy, policy_hash, scope_markdown

BASE = 'agent = "support"\npurpose = "Answers mail."\n'
CRM = """
[dependencies.crm]
base_url = "https://crm.example/api"
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (CRM + 'fallback = "last_good"', "no meaning for a critical dependency"),
        ('[tools.look]\ncritical = true\nfallback = "nothing"', "no meaning for a critical tool"),
        ('[tools.look]\neffect = "write"\nfallback = "nothing"', "no meaning for a tool that acts"),
        ('[tools.look]\nfallback = "other"', "fallback"),
        ('[tools.look]\nfallback = "tool:"', "fallback"),
        ('[preconditions]\ndependencies = ["crm"]', "no dependency of this policy"),
        (CRM + '[preconditions]\ndependencies = ["crm"]\notherwise = "hope"', "otherwise"),
        (CRM + '[[dependencies.crm.outages]]\nbegin = "02:00"\nend = "02:00"', "no length"),
        (
            CRM + '[[dependencies.crm.outages]]\nbegin = "02:00"\nend = "03:00"\nzone = "Europe/Atlantis"',
            "no time zone",
        ),
        (CRM + '[[dependencies.crm.outages]]\nbegin = "2:00"\nend = "03:00"', "begin"),
    ],
)
def test_what_cannot_be_is_an_error_at_load(text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        parse_policy(BASE + text)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_known_zones_are_known(zone: str) -> None:
    parse_policy(f'{BASE}{CRM}[[dependencies.crm.outages]]\nbegin = "02:00"\nend = "03:00"\nzone = "{zone}"')


def test_a_policy_that_says_nothing_new_has_the_hash_it_had() -> None:
    """An approval given before there were such keys holds."""
    text = BASE + "[tools.find]\nattempts = 2\n"

    assert policy_hash(parse_policy(text)) == (
        "sha256:40b653a68eaf604910ef09f90f081bd957e175afbde0e01bbd19963818f12e22"
    )
    assert parse_policy(text).preconditions == Preconditions()


@pytest.mark.parametrize(
    "more",
    [
        'fallback = "nothing"',
        'last_good_age_s_max = "2 h"',
        'last_good_for = "anyone"',
        CRM,
        CRM + '[preconditions]\ndependencies = ["crm"]',
    ],
)
def test_what_is_new_ends_an_approval(more: str) -> None:
    text = BASE + "[tools.find]\ncritical = false\n"

    assert policy_hash(parse_policy(text + more)) != policy_hash(parse_policy(text))


def test_an_approver_reads_what_the_agent_does_without_its_dependencies() -> None:
    policy = parse_policy(
        BASE
        + """
[tools.find]
critical = false
fallback = "tool:archive"
[dependencies.crm]
base_url = "https://crm.example/api"
internal = true
rate = "50/s"
concurrency = 4
[dependencies.rates]
critical = false
fallback = "last_good"
last_good_age_s_max = "2 h"
[dependencies.mail]
critical = false
[[dependencies.crm.outages]]
days = ["sat", "sun"]
begin = "22:00"
end = "02:00"
note = "Backup."
[preconditions]
dependencies = ["crm", "rates"]
"""
    )

    said = scope_markdown(policy, ()).replace("\\\\", "")

    for sentence in (
        "If it fails, `archive` is used instead.",
        "At `https://crm.example/api`; it may be inside our own network.",
        "Without it a task **waits** and is tried again.",
        "At most 4 calls at once in one process.",
        "At most 50 per second in one process; further calls wait.",
        "Known to be away on Sat and Sun from 22:00 to 02:00 (UTC). Backup.",
        "Without it the agent goes on with the last result, if it is not older than 2 hours; the task's outcome",
        "Without it the agent is told of it and goes on without it; the task's outcome says so.",
        "Before a task begins, these must be well: `crm`; otherwise the task waits, for up to 1 hour",
        "A task begins whether or not these are well: `rates`.",
    ):
        assert sentence in said, sentence
