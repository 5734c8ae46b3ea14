"""Traces out of files: our own documented lines, and lists of messages as models are sent them. Writes nothing."""

from airworthy.recorder.importing.convert import Defaults, spans_in
from airworthy.recorder.importing.lines import BadLine, Line, lines_of
from airworthy.recorder.importing.values import ImportSpan, ImportTrace

__all__ = ["BadLine", "Defaults", "ImportSpan", "ImportTrace", "Line", "lines_of", "spans_in"]
