"""`[intake]` of recorder.toml."""

from airworthy.policy.kinds import Section


class IntakeRule(Section):
    """What is taken of other programs' traces."""
