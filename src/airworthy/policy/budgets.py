"""Budgets over many tasks: what one agent may use in a day or a month, in all, per user and per feature."""

from typing import Final

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Count, Section, Tokens, Usd

# A smaller budget above the larger one that holds it could never be reached.
_WITHIN: Final = (
    ("day_usd", "month_usd"),
    ("user_day_usd", "day_usd"),
    ("feature_day_usd", "day_usd"),
    ("user_day_usd", "month_usd"),
    ("feature_day_usd", "month_usd"),
    ("user_day_usd", "user_month_usd"),
    ("user_month_usd", "month_usd"),
    ("feature_day_usd", "feature_month_usd"),
    ("feature_month_usd", "month_usd"),
    ("calls_per_day", "calls_per_month"),
    ("user_calls_per_day", "calls_per_day"),
    ("feature_calls_per_day", "calls_per_day"),
    ("tokens_per_day", "tokens_per_month"),
    ("user_tokens_per_day", "tokens_per_day"),
    ("feature_tokens_per_day", "tokens_per_day"),
)


class Budgets(Section):
    """Bounds over many tasks, in UTC days and months; left out: no such budget."""

    day_usd: Usd | None = Field(
        default=None,
        description="Money per day. Broken: calls are refused until the next day.",
    )
    month_usd: Usd | None = Field(
        default=None,
        description="Money per month. Broken: calls are refused until the next month.",
    )
    user_day_usd: Usd | None = Field(
        default=None,
        description="Money per user and day. Broken: that user's calls are refused until the next day.",
    )
    feature_day_usd: Usd | None = Field(
        default=None,
        description="Money per feature and day. Broken: that feature's calls are refused until the next day.",
    )
    user_month_usd: Usd | None = Field(
        default=None,
        description="Money per user and month. Broken: that user's calls are refused until the next month.",
    )
    feature_month_usd: Usd | None = Field(
        default=None,
        description="Money per feature and month. Broken: that feature's calls are refused until the next month.",
    )
    calls_per_day: Count | None = Field(
        default=None,
        description="Model calls per day. Broken: calls are refused until the next day.",
    )
    calls_per_month: Count | None = Field(
        default=None,
        description="Model calls per month. Broken: calls are refused until the next month.",
    )
    user_calls_per_day: Count | None = Field(
        default=None,
        description="Model calls per user and day. Broken: that user's calls are refused until the next day.",
    )
    feature_calls_per_day: Count | None = Field(
        default=None,
        description="Model calls per feature and day. "
        "Broken: that feature's calls are refused until the next day.",
    )
    tokens_per_day: Tokens | None = Field(
        default=None,
        description="Input and output tokens per day. Broken: calls are refused until the next day.",
    )
    tokens_per_month: Tokens | None = Field(
        default=None,
        description="Input and output tokens per month. Broken: calls are refused until the next month.",
    )
    user_tokens_per_day: Tokens | None = Field(
        default=None,
        description="Tokens per user and day. Broken: that user's calls are refused until the next day.",
    )
    feature_tokens_per_day: Tokens | None = Field(
        default=None,
        description="Tokens per feature and day. Broken: that feature's calls are refused until the next day.",
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        for small, large in _WITHIN:
            below: float | None = getattr(self, small)
            above: float | None = getattr(self, large)
            if below is not None and above is not None and below > above:
                flaws.append(
                    Flaw((small,), f"is above {large} ({above:g}).", f"Lower it, or raise budgets.{large}.")
                )
        return flaws
