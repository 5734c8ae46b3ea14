"""Judges and confidence against human labels: agreement, bias, reliability, and the threshold that holds."""

from airworthy.evals.calibrate.agreement import Agreement, agreement, among_people
from airworthy.evals.calibrate.bias import Length, Position, length, position
from airworthy.evals.calibrate.calibration import Calibration, calibrate, calibration_document
from airworthy.evals.calibrate.labels import Label, label_of, parse_labels, read_labels
from airworthy.evals.calibrate.reliability import Bin, Reliability, reliability, svg
from airworthy.evals.calibrate.threshold import Threshold, threshold

__all__ = [
    "Agreement",
    "Bin",
    "Calibration",
    "Label",
    "Length",
    "Position",
    "Reliability",
    "Threshold",
    "agreement",
    "among_people",
    "calibrate",
    "calibration_document",
    "label_of",
    "length",
    "parse_labels",
    "position",
    "read_labels",
    "reliability",
    "svg",
    "threshold",
]
