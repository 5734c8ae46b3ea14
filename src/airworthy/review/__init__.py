"""The human queue: what waits for a person, who that is, what was decided, and how they are told."""

from typing import TYPE_CHECKING

from airworthy.core.late import late

if TYPE_CHECKING:
    from airworthy.review.commanding import Command
    from airworthy.review.item import ACTS, Act, Item, Kind, Record, Status
    from airworthy.review.items import ItemQuery, NoSuchItem
    from airworthy.review.may import NotAllowed
    from airworthy.review.notices import Notice, enqueue
    from airworthy.review.people import HoursRule, People, PersonRule, TeamRule
    from airworthy.review.questions import Question

__getattr__ = late(
    __name__,
    {
        "commanding": "Command",
        "item": "ACTS Act Item Kind Record Status",
        "items": "ItemQuery NoSuchItem",
        "may": "NotAllowed",
        "notices": "Notice enqueue",
        "people": "HoursRule People PersonRule TeamRule",
        "questions": "Question",
    },
)

__all__ = [
    "ACTS",
    "Act",
    "Command",
    "HoursRule",
    "Item",
    "ItemQuery",
    "Kind",
    "NoSuchItem",
    "NotAllowed",
    "Notice",
    "People",
    "PersonRule",
    "Question",
    "Record",
    "Status",
    "TeamRule",
    "enqueue",
]
