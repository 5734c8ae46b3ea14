"""`[context]`: what it says by default, what it refuses, and that a policy without it means what it meant."""

import pytest

from airworthy.policy import ContextRule, PolicyError, parse_policy, policy_hash, scope_markdown

HEAD = 'agent = "support"\npurpose = "tests"\n'
MODEL = '[[models]]\nname = "a-2026-01-01"\naliases = ["a"]\n'


def test_left_out_nothing_is_cut_and_the_hash_stays() -> None:
    policy = parse_policy(HEAD + MODEL)

    assert policy.context is None
    assert policy_hash(policy) != policy_hash(parse_policy(HEAD + MODEL + "[context]\n"))
    assert "conversation" not in scope_markdown(policy, ())


def test_the_section_alone_drops_results_at_half_the_window() -> None:
    policy = parse_policy(HEAD + MODEL + "[context]\n")

    assert policy.context == ContextRule(share=0.5, strategy="drop_results", keep_turns=2, keep_acts=True)
    assert (
        "A conversation takes at most 50% of the model's window; beyond that, the oldest results of tools are left "
        "out. Instructions, the task itself, what it did with its tools and the newest 2 turns always stay."
    ) in scope_markdown(policy, ())


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("share = 0.0", "a share of nothing"),
        ("share = 1.5", "more than the window"),
        ('strategy = "forget"', "an unknown word"),
        ("keep_turns = 0", "the newest turn always stays"),
        ('strategy = "summarise"\nsummary_model = "b-2026-01-01"', "a model that the policy does not name"),
        ('summary_model = "a-2026-01-01"', "a writer of summaries that are not asked for"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_load(written: str, why: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(HEAD + MODEL + f"[context]\n{written}\n")

    assert "context." in str(refused.value), why


@pytest.mark.parametrize("name", ["a-2026-01-01", "a"])
def test_summaries_may_be_written_by_any_model_of_the_policy(name: str) -> None:
    policy = parse_policy(HEAD + MODEL + f'[context]\nstrategy = "summarise"\nsummary_model = "{name}"\n')

    assert policy.context is not None
    assert policy.context.summary_model == name
