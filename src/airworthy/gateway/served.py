"""What one agent's policy makes of the door: which places answer to which name. Decides before anything is asked."""

from collections.abc import Mapping, Sequence

from airworthy.gateway.budget import ScopeBook
from airworthy.gateway.errors import ModelNotAllowed
from airworthy.gateway.place import Place, place_of
from airworthy.policy import ModelRule, Policy, pin_of
from airworthy.policy.pins import ALIASES, Floating


class Served:
    """One agent. `places` by `place_of` their rule."""

    def __init__(self, policy: Policy, places: Mapping[str, Place]) -> None:
        self.policy = policy
        self.scopes = ScopeBook(policy)
        self._routes: dict[str, tuple[Place, ...]] = {}
        for position, rule in enumerate(policy.models):
            route = tuple(places[place_of(each)] for each in (rule, *_fallbacks(policy, position)))
            for name in (rule.name, *rule.aliases):
                self._routes.setdefault(name, route)
        for rule in policy.models:
            # A caller may go on asking for the alias of what the policy has pinned.
            self._routes.setdefault(_undated(rule), self._routes[rule.name])

    def places_for(self, asked: str) -> Sequence[Place]:
        """The place that is asked, then its fallbacks. Raises: ModelNotAllowed."""
        route = self._routes.get(asked)
        if route is None:
            names = ", ".join(rule.name for rule in self.policy.models)
            pin = pin_of(asked)
            hint = (
                f" {pin.suggestion} is its dated version."
                if isinstance(pin, Floating) and pin.suggestion
                else ""
            )
            raise ModelNotAllowed(
                f"Model {asked!r} is not in the policy of {self.policy.agent!r}.{hint}",
                mend=f"Add it under [[models]], or ask for one of: {names}.",
            )
        return route


def _fallbacks(policy: Policy, position: int) -> Sequence[ModelRule]:
    rule = policy.models[position]
    if rule.fallback is None:
        return policy.models[1:] if position == 0 else ()
    by_name = {each.name: each for each in reversed(policy.models)}
    return [by_name[name] for name in rule.fallback]


def _undated(rule: ModelRule) -> str:
    return next((alias for alias, dated in ALIASES.items() if dated == rule.name), rule.name)
