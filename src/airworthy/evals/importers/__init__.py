"""Attacks that other tools found, as adversarial cases. Their texts are data: nothing in them is run or believed."""

from airworthy.evals.importers.attack import Attack, Imported, NoAttacks, Shape, cases_of
from airworthy.evals.importers.read import FORMATS, imported

__all__ = ["FORMATS", "Attack", "Imported", "NoAttacks", "Shape", "cases_of", "imported"]
