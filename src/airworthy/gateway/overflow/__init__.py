"""What happens to a conversation that fits no model: its oldest turns left out, or put into a summary."""

from airworthy.gateway.overflow.at_door import fitting_at_door
from airworthy.gateway.overflow.fitting import Fitting, Mode
from airworthy.gateway.overflow.shorten import Shortened, shortened
from airworthy.gateway.overflow.summary import Summaries, Summariser

__all__ = ["Fitting", "Mode", "Shortened", "Summaries", "Summariser", "fitting_at_door", "shortened"]
