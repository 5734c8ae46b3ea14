"""Adversarial cases for this very agent, made from its policy, tools and golden runs; judged by outcome and effects."""

from airworthy.preflight.adversarial.judging import judge, section
from airworthy.preflight.adversarial.planning import plan

__all__ = ["judge", "plan", "section"]
