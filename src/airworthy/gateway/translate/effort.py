"""OpenAI's effort of reasoning against Anthropic's budget of thinking, as shares of the output's bound.

Both count thoughts into the bound on output, so a share of that bound is the one measure they have in common.
"""

BUDGET_TOKENS_MIN = 1024  # Anthropic refuses less.
_SHARE_PCT = {"low": 20, "medium": 50, "high": 80, "xhigh": 90, "max": 95}
NONE = frozenset({"none", "minimal"})


def budget_tokens(effort: str, output_tokens_max: int) -> int | None:
    """None: the bound is too low for the least budget, or the effort is none."""
    share_pct = _SHARE_PCT.get(effort)
    if share_pct is None or output_tokens_max <= BUDGET_TOKENS_MIN:
        return None
    return max(BUDGET_TOKENS_MIN, output_tokens_max * share_pct // 100)


def known(effort: str) -> bool:
    return effort in NONE or effort in _SHARE_PCT


def effort_of(budget: int, output_tokens_max: int) -> str:
    """The nearest of low, medium and high; the rungs above are not known to every model."""
    share_pct = 100 * budget // max(output_tokens_max, 1)
    return "low" if share_pct < 35 else "medium" if share_pct < 65 else "high"
