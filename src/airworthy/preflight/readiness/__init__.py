"""The readiness checklist: each question answered from what is on record, or waived by name until a day."""

from airworthy.preflight.readiness.checklist import checklist, gaps_of
from airworthy.preflight.readiness.evidence import Evidence, Waiver
from airworthy.preflight.readiness.questions import QUESTIONS

__all__ = ["QUESTIONS", "Evidence", "Waiver", "checklist", "gaps_of"]
