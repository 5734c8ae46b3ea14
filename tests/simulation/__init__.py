"""Whole worlds in virtual time: random agents, faults, people and crashes, and what must hold at the end."""
