"""`[redact]` of recorder.toml."""

from airworthy.policy.kinds import Section


class RedactRule(Section):
    """What is hidden before anything is written."""
