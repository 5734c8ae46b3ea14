"""What `recorder.toml` says of a working folder's records: what comes in and goes out, what is kept, what is hidden."""

from pathlib import Path
from typing import Final

from pydantic import Field

from airworthy.app.export_settings import ExportRule
from airworthy.app.intake_settings import IntakeRule
from airworthy.app.redact_settings import RedactRule
from airworthy.app.retention_settings import RetentionRule
from airworthy.policy.kinds import Section
from airworthy.policy.load import load_toml

RECORDER_FILE: Final = "recorder.toml"


class RecorderSettings(Section):
    """All of recorder.toml; without the file all is as by default."""

    intake: IntakeRule = Field(default=IntakeRule(), description="Traces of other programs, by OTLP.")
    export: ExportRule | None = Field(default=None, description="Our own runs, to a collector.")
    retention: RetentionRule = Field(default=RetentionRule(), description="How long what is kept.")
    redact: RedactRule = Field(default=RedactRule(), description="What is never written down.")


def load_recorder_settings(folder: Path) -> RecorderSettings:
    """Raises: PolicyError, with all problems of the file at once, each with its line."""
    path = folder / RECORDER_FILE
    return load_toml(path, RecorderSettings) if path.exists() else RecorderSettings()
