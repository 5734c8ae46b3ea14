"""Suites: cases read from YAML, JSON, CSV or Python and held against each other before anything is run."""

from airworthy.evals.suites.load import load
from airworthy.evals.suites.reach import Reach
from airworthy.evals.suites.suite import Flaw, Notice, Suite, SuiteError
from airworthy.evals.suites.write import yaml_text

__all__ = ["Flaw", "Notice", "Reach", "Suite", "SuiteError", "load", "yaml_text"]
