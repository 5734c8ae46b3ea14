"""Looks at everything an installation needs and says what is wrong, with its value and the mend; changes nothing."""

from airworthy.app.doctor.examine import Report, examined
from airworthy.app.doctor.finding import LEVELS, Finding, Level

__all__ = ["LEVELS", "Finding", "Level", "Report", "examined"]
