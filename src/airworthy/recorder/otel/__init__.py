"""OTLP: what other programs send becomes spans and scores of ours, and our runs become spans for others."""

from airworthy.recorder.otel.bounds import Bounds
from airworthy.recorder.otel.decode import Decoded, decode_logs, decode_traces
from airworthy.recorder.otel.errors import Malformed, OtlpError, TooLarge, Unsupported
from airworthy.recorder.otel.nesting import Nesting
from airworthy.recorder.otel.normalise import Price, Reading
from airworthy.recorder.otel.words import text_of, text_of_parts

__all__ = [
    "Bounds",
    "Decoded",
    "Malformed",
    "Nesting",
    "OtlpError",
    "Price",
    "Reading",
    "TooLarge",
    "Unsupported",
    "decode_logs",
    "decode_traces",
    "text_of",
    "text_of_parts",
]
