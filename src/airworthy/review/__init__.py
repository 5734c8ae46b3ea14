"""The human queue: what waits for a person, who that is, what was decided, and how they are told."""

from airworthy.review.notices import Notice, enqueue
from airworthy.review.people import People, PersonRule, TeamRule

__all__ = ["Notice", "People", "PersonRule", "TeamRule", "enqueue"]
