"""Where trials are run: the real runtime, guards and gateway, around stand-ins for the world."""

from airworthy.preflight.stage.recording import Recording, ToolResult
from airworthy.preflight.stage.script import Placed, Played, Script, Stage

__all__ = ["Placed", "Played", "Recording", "Script", "Stage", "ToolResult"]
