"""The API asked what its document allows and what it does not: nothing makes it fail, and errors are as it says."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from airworthy.console.api import api as made_of
from airworthy.review.people import People
from tests.console.kit import api
from tests.database import lasting

with lasting():
    HOUSE = api()
HOUSE.people[0] = People()
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", made_of(HOUSE.parts))
# What the document allows, drawn at random; every boundary by turn would take minutes.
SCHEMA.config.phases.update(phases=["fuzzing"])
KEY = {"Authorization": f"Bearer {HOUSE.keys['admin']}"}


@pytest.mark.slow
@SCHEMA.include(path_regex="^/api/v1/|^/feedback/|^/metrics").parametrize()
@settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
def test_nothing_that_is_sent_makes_it_fail(case: "schemathesis.Case[Any]") -> None:
    """Slow: some hundred requests. The examples are the same each time."""
    answer = case.call(headers=KEY)
    case.validate_response(answer, checks=[not_a_server_error])

    if answer.status_code >= 400 and case.path.startswith("/api/v1/"):
        assert answer.headers["content-type"] == ["application/problem+json"]
