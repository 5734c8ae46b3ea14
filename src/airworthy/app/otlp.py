"""Puts the OTLP endpoints together: who may send, how it is read and priced, and where it is stored."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from airworthy.app.build import App
from airworthy.app.intake_settings import IntakeRule
from airworthy.app.people import PeopleFile
from airworthy.app.privacy import personal_of
from airworthy.app.project import Project
from airworthy.app.recorder_settings import load_recorder_settings
from airworthy.app.redact_settings import RedactRule
from airworthy.console.callers import Callers
from airworthy.console.otlp import OtlpDoor, OtlpRules
from airworthy.gateway.prices import PriceBook, cost_nano, price_list
from airworthy.gateway.wire.facts import TOKENS_MAX, Usage
from airworthy.recorder.otel import Price, Reading
from airworthy.recorder.personal_spans import clean
from airworthy.recorder.traces.intake import Intake, IntakeBounds
from airworthy.review.people import People

# Names of providers by OpenTelemetry and OpenInference -> the price list's.
_PROVIDERS = {
 "azure.ai.inference": "azure", "azure.ai.openai": "azure", "azure_openai": "azure",
    "gcp.gemini": "google", "gcp.gen_ai": "google", "gcp.vertex_ai": "google", "google_genai": "google",
    "google-gla": "google", "google-vertex": "google", "mistral_ai": "mistral", "mistralai": "mistral",
    "x_ai": "x-ai", "xai": "x-ai", "vertexai": "google",
}  # fmt: skip
# Some frameworks name themselves where the provider belongs, or nobody; then the model's name tells.
_FAMILIES = (
    ("gpt-", "openai"), ("o1", "openai"), ("o3", "openai"), ("o4", "openai"), ("text-embedding-", "openai"),
    ("claude-", "anthropic"), ("gemini-", "google"), ("mistral-", "mistral"), ("deepseek-", "deepseek"),
    ("grok-", "x-ai"),
)  # fmt: skip


def otlp_of(
    app: App,
    rule: IntakeRule,
    people: Callable[[], People] | None = None,
    redact: RedactRule | None = None,
) -> OtlpDoor:
    """The ASGI application for /v1/traces and /v1/logs; see `app.front`.

    `people`: left out, those of the app's folder. `redact`: personal data that is taken out. Raises: ConfigError, when
    that needs an extra that is missing.
    """
    personal = personal_of(redact, app.database) if redact is not None else None
    known = people if people is not None else PeopleFile(app.folder if app.folder is not None else Path())
    return OtlpDoor(
        Intake(app.database, app.clock, IntakeBounds(rule.spans_max, rule.bytes_max)),
        Callers(app.database, app.clock, known),
        Reading(app.payloads.redactor, rule.bounds(), price_by(price_list())),
        app.clock,
        OtlpRules(rule.body_max, clean=partial(clean, personal) if personal else None),
    )


def taking(project: Project) -> OtlpDoor | None:
    """As the folder's recorder.toml says; None where it says that nothing is taken. Raises: PolicyError."""
    settings = load_recorder_settings(project.config.folder)
    return otlp_of(project.app, settings.intake, redact=settings.redact) if settings.intake.enabled else None


def price_by(book: PriceBook) -> Price:
    """What a call cost by the list of today; None where it has no such model, or the tokens were not told."""

    def price(
        provider: str, model: str, tokens_in: int | None, tokens_out: int | None, cached: int | None
    ) -> int | None:
        if tokens_in is None and tokens_out is None:
            return None
        served_by = _PROVIDERS.get(provider, provider)
        if served_by not in book.providers:
            served_by = next((owner for start, owner in _FAMILIES if model.startswith(start)), "")
        found = book.find(served_by, model)
        if found is None:
            return None
        counts = [min(count or 0, TOKENS_MAX) for count in (tokens_in, tokens_out, cached)]
        return cost_nano(found, Usage(counts[0], counts[1], cached=counts[2]))

    return price
