"""The keys of the schema watch: what they change of a policy's hash and of its scope document."""

import pytest

from airworthy.policy import Policy, ToolRule, policy_hash
from airworthy.policy.document import Bullets
from airworthy.policy.errors import PolicyError
from airworthy.policy.load import parse_policy
from airworthy.policy.scope_tools import tool_blocks


def of(rule: ToolRule) -> str:
    return policy_hash(Policy(agent="a", purpose="p", tools={"look": rule}))


def test_what_says_as_before_keeps_every_approval() -> None:
    assert of(ToolRule()) == of(ToolRule(schema_watch=True, schema_learn=50))


@pytest.mark.parametrize("rule", [ToolRule(schema_watch=False), ToolRule(schema_learn=20)])
def test_what_says_otherwise_is_another_policy(rule: ToolRule) -> None:
    assert of(rule) != of(ToolRule())


@pytest.mark.parametrize(("watch", "told"), [(True, False), (False, True)])
def test_an_approver_sees_that_nobody_watches(watch: bool, told: bool) -> None:
    blocks = tool_blocks({"look": ToolRule(schema_watch=watch)}, [])
    lines = [str(line) for block in blocks if isinstance(block, Bullets) for line in block.lines]

    assert any("Nobody is told if its results change their form." in line for line in lines) is told


@pytest.mark.parametrize("number", [0, 4, 10_001])
def test_the_number_of_results_to_learn_from_has_bounds(number: int) -> None:
    with pytest.raises(PolicyError):
        parse_policy(f'agent = "a"\npurpose = "p"\n[tools.look]\nschema_learn = {number}\n')
