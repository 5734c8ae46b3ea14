"""The documented examples of secrets: each is found under its name, each counterexample stays as it is."""

import pytest

from airworthy.core import redact
from airworthy.core.redact import Redactor
from airworthy.core.secret_examples import SecretExamples, secret_examples

EXAMPLES = secret_examples()


@pytest.mark.parametrize("each", EXAMPLES, ids=lambda each: each.kind)
def test_a_kind_of_secret_is_found_in_its_examples_and_not_in_its_counterexamples(
    each: SecretExamples,
) -> None:
    for hit in each.hits:
        assert {found.kind for found in redact.find(f"It is {hit} now.")} == {each.kind}, each.kind
    for miss in each.misses:
        assert Redactor().redact_text(f"It is {miss} now.") == f"It is {miss} now."


def test_every_kind_that_is_looked_for_has_examples() -> None:
    looked_for = {shape.kind for shape in redact._SHAPES} | {kind for kind, _, _ in redact._WORDS}

    assert {each.kind for each in EXAMPLES} == looked_for | {"url_password", "private_key"}
