"""`[export]` of recorder.toml."""

from airworthy.policy.kinds import Section


class ExportRule(Section):
    """Where our own runs are sent to as spans."""
