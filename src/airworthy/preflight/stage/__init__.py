"""Where trials are run: the real runtime, guards and gateway, around stand-ins for the world."""

from airworthy.preflight.stage.recording import Recording
from airworthy.preflight.stage.script import Placed, Script

__all__ = ["Placed", "Recording", "Script"]
