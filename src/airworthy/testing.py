"""What a test of an agent needs, without a disk, a network or a wait; each fake passes the suite of the real part."""

from airworthy.core.clock import ManualClock
from airworthy.gateway.simulator import FaultPlan, Rules, SimulatedModel, Simulator, serving, serving_async
from airworthy.store import MemoryDatabase

__all__ = [
    "FaultPlan",
    "ManualClock",
    "MemoryDatabase",
    "Rules",
    "SimulatedModel",
    "Simulator",
    "serving",
    "serving_async",
]
