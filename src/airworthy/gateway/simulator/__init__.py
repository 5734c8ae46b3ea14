"""A provider without a model behind it, so that agents and gateways can be tested offline."""

from airworthy.gateway.simulator.answer import Answer, Chunk
from airworthy.gateway.simulator.faults import KINDS, Fault, FaultPlan
from airworthy.gateway.simulator.in_process import SimulatedModel
from airworthy.gateway.simulator.limits import RateLimits
from airworthy.gateway.simulator.rules import Rules
from airworthy.gateway.simulator.server import MODELS, Simulator
from airworthy.gateway.simulator.serving import PortInUse, serving, serving_async

__all__ = [
    "KINDS",
    "MODELS",
    "Answer",
    "Chunk",
    "Fault",
    "FaultPlan",
    "PortInUse",
    "RateLimits",
    "Rules",
    "SimulatedModel",
    "Simulator",
    "serving",
    "serving_async",
]
