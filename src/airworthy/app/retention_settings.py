"""`[retention]` of recorder.toml."""

from airworthy.policy.kinds import Section


class RetentionRule(Section):
    """How long which records are kept."""
