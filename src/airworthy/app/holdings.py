"""All tables of the database, each with what it holds of people: what the rooms declare, put together."""

from typing import Final

from airworthy.console.holdings import CONSOLE
from airworthy.gateway.holdings import GATEWAY
from airworthy.recorder.holdings import RECORDER
from airworthy.review.holdings import REVIEW
from airworthy.runtime.holdings import RUNTIME
from airworthy.tools.holdings import TOOLS

# Tasks last: the row of the task is what says that there is more of it, should the work be cut short.
HOLDINGS: Final = (*GATEWAY, *REVIEW, *TOOLS, *RECORDER, *CONSOLE, *RUNTIME)
