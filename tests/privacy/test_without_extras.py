"""What an extra is needed for says so when it is missing."""

import sys

import pytest

from airworthy.app import privacy
from airworthy.app.recorder_settings import RecorderSettings
from airworthy.app.redact_settings import RedactRule
from airworthy.app.retention_settings import RetentionRule
from airworthy.core.errors import ConfigError


@pytest.mark.parametrize(("module", "settings", "extra"), [
    ("pyarrow", RecorderSettings(retention=RetentionRule(seal=True)), "parquet"),
    ("presidio_analyzer", RecorderSettings(redact=RedactRule(presidio=("US_SSN",))), "presidio"),
])  # fmt: skip
def test_a_worker_that_lacks_an_extra_is_told_when_it_starts(
    module: str, settings: RecorderSettings, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # As if it were not installed.

    with pytest.raises(ConfigError) as refused:
        privacy.check_extras(settings)

    assert f"airworthy[{extra}]" in refused.value.mend
