"""A report as people and machines read it: terminal, one HTML file, JUnit XML, JSON. Runs nothing, reads no store."""

from airworthy.preflight.reporting.html import html_text
from airworthy.preflight.reporting.json_ import from_document, json_text, report_from_json, to_document
from airworthy.preflight.reporting.junit import junit_text
from airworthy.preflight.reporting.replaying import replay_command
from airworthy.preflight.reporting.terminal import Line, terminal_lines

__all__ = [
    "Line",
    "from_document",
    "html_text",
    "json_text",
    "junit_text",
    "replay_command",
    "report_from_json",
    "terminal_lines",
    "to_document",
]
