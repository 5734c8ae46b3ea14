"""What the console's tables hold of people, and what becomes of it. They know staff, who are no users of an agent."""

from typing import Final

from airworthy.recorder.holdings import Holding, Kept

CONSOLE: Final = (Holding("access_keys", Kept.STATE, "Keys to the API, as digests."),)
