"""Circuit breakers and rates that all processes with one store share; knows no model and no tool."""

from airworthy.resilience.shared.circuit import SharedCircuit
from airworthy.resilience.shared.circuits import TICK_S, Circuits
from airworthy.resilience.shared.rates import Allowance, Rates
from airworthy.resilience.shared.rows import (
    AmbiguousBreaker,
    BreakerRow,
    Hand,
    UnknownBreaker,
    alike,
    decide,
    listing,
)
from airworthy.resilience.shared.tables import MIGRATIONS

__all__ = [
    "MIGRATIONS",
    "TICK_S",
    "Allowance",
    "AmbiguousBreaker",
    "BreakerRow",
    "Circuits",
    "Hand",
    "Rates",
    "SharedCircuit",
    "UnknownBreaker",
    "alike",
    "decide",
    "listing",
]
