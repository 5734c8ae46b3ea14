"""Adversarial cases for this very agent, made from its policy, tools and golden runs; judged by outcome and effects."""

from airworthy.preflight.adversarial.judging import judge, section
from airworthy.preflight.adversarial.planning import find, plan

__all__ = ["find", "judge", "plan", "section"]
