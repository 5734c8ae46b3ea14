"""What a caller is given: all operations, or those about their agents alone, and the queue as it knows them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from airworthy.console.access import ROLES, Caller
from airworthy.policy import Policy
from airworthy.review.people import People
from airworthy.runtime.within import AfterwardsWithin, ByHandWithin, OperationsWithin, ReviewsWithin

if TYPE_CHECKING:
    from airworthy.console.parts import Parts
    from airworthy.runtime.reviews import Reviews


def within(whole: "Parts", who: Caller) -> "Parts":
    """No route needs to ask which agents somebody may see: what is of others is not there."""
    people = _narrowed(whole.people, who)
    if not who.agents:
        if people is whole.people:
            return whole
        return replace(whole, people=people, reviews=lambda: whole.reviews().with_people(people()))

    def reviews() -> "Reviews":
        queue = whole.reviews()
        return ReviewsWithin(queue if people is whole.people else queue.with_people(people()), who.agents)

    return replace(
        whole,
        people=people,
        reviews=reviews,
        operations=OperationsWithin(whole.operations, who.agents),
        afterwards=AfterwardsWithin(whole.afterwards, who.agents),
        by_hand=ByHandWithin(whole.by_hand, whole.database, who.agents),
        policies=_only(whole.policies, who),
    )


def _only(found: Mapping[str, Policy], who: Caller) -> Mapping[str, Policy]:
    return {name: value for name, value in found.items() if who.sees(name)}


def _narrowed(people: Callable[[], People], who: Caller) -> Callable[[], People]:
    """A provider may let somebody have fewer roles than people.toml gives them; the queue must go by the fewer."""
    declared = people().people
    rule = declared.get(who.person)
    if rule is None or frozenset(rule.roles) == who.roles:
        return people
    roles = tuple(role for role in ROLES if role in who.roles)
    fewer = {**declared, who.person: rule.model_copy(update={"roles": roles})}
    return lambda: people().model_copy(update={"people": fewer})
