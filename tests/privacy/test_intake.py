"""Personal data in what other programs send is out before it is written, and its sender is still one person."""

import httpx
import orjson

from airworthy.app import privacy
from airworthy.app.intake_settings import IntakeRule
from airworthy.app.otlp import otlp_of
from airworthy.app.recorder_settings import RecorderSettings
from airworthy.app.redact_settings import RedactRule
from airworthy.recorder.traces.read import spans_of
from tests.console.kit import api
from tests.recorder.traces.kit import entries

TRACE = "5b8efff798038103d269b633813fc60c"


def request() -> bytes:
    said = {
        "user.id": "ada@example.org",
        "gen_ai.operation.name": "chat",
        "input.value": "I am ada@example.org",
    }
    span = {
        "traceId": TRACE, "spanId": f"{1:016x}", "name": "chat", "startTimeUnixNano": "1763999990000000000",
        "endTimeUnixNano": "1763999991000000000",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in said.items()],
    }  # fmt: skip
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


async def test_an_address_that_another_program_sends_is_never_written() -> None:
    made = api()
    rule = RedactRule(email="pseudonym")
    door = otlp_of(made.app, IntakeRule(), lambda: made.people[0], rule)
    headers = {"content-type": "application/json", "authorization": f"Bearer {made.keys['submitter']}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://otlp") as client:
        answer = await client.post("/v1/traces", content=request(), headers=headers)
    await door.aclose()

    ((user, name),) = made.app.database.read_now(lambda tx: tx.rows("SELECT user_id, name FROM traces"))
    (span,) = made.app.database.read_now(lambda tx: spans_of(tx, TRACE)).spans
    forms = privacy.forms_of(made.app, RecorderSettings(redact=rule), "ada@example.org")
    assert answer.status_code == 200
    assert user == forms[1]
    assert name == "chat"
    assert span.payload is not None
    assert b"ada@example.org" not in span.payload
    assert forms[1].encode() in span.payload
    assert entries(made.app.database, "example") == []
