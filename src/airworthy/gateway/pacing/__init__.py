"""Calls to a provider at the pace it allows: learnt from its answers, fair between callers, held when it asks."""

from airworthy.gateway.pacing.limits import Limits
from airworthy.gateway.pacing.pacer import HOLD_S_MAX, Pacer
from airworthy.gateway.pacing.terms import PaceFull, PaceView, Pacing

__all__ = ["HOLD_S_MAX", "Limits", "PaceFull", "PaceView", "Pacer", "Pacing"]
