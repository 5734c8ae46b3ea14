"""All tables of the database, each with what it holds of people: what the rooms declare, put together."""

from typing import Final

from airworthy.console.holdings import CONSOLE
from airworthy.gateway.holdings import GATEWAY
from airworthy.preflight.holdings import PREFLIGHT
from airworthy.recorder.holdings import RECORDER
from airworthy.review.holdings import REVIEW
from airworthy.runtime.holdings import RUNTIME
from airworthy.tools.holdings import TOOLS

# The resources of a task are found by its steps, so runtime's come before the recorder's.
HOLDINGS: Final = (*GATEWAY, *REVIEW, *TOOLS, *RUNTIME, *RECORDER, *CONSOLE, *PREFLIGHT)
