"""The gateway's own description in OpenAPI 3.1, made from its table of paths; bodies are those of the protocols."""

from collections.abc import Mapping
from typing import Final

import orjson

from airworthy.gateway.server.routes import CALLS, MODELS, PAGES

Json = dict[str, object]
_SUMMARIES: Final[Mapping[str, str]] = {
    "chat": "A chat completion, in OpenAI's protocol.",
    "responses": "A response, in OpenAI's newer protocol.",
    "embeddings": "Embeddings, in OpenAI's protocol.",
    "messages": "A message, in Anthropic's protocol.",
    "count_tokens": "The tokens of a message, in Anthropic's protocol.",
    "livez": "Whether the process answers.",
    "readyz": "Whether calls can be taken, and what is missing if not.",
    "metrics": "Counters for Prometheus.",
    "openapi": "This document.",
}
_ERRORS: Final[Mapping[str, str]] = {
    "400": "The request cannot be understood.",
    "401": "No valid key came with it.",
    "402": "A budget or limit is used up; never worth a retry.",
    "403": "The key may not do this.",
    "413": "The request is too large.",
    "429": "The model's limits are reached; see retry-after.",
    "502": "No model gave a usable answer.",
    "503": "Not now; see retry-after.",
    "504": "No model answered in time.",
}
_RUN: Final[Json] = {
    "name": "run", "in": "path", "required": True, "description": "The task that the call belongs to.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
}  # fmt: skip
_HEADERS: Final[Mapping[str, str]] = {
    "x-airworthy-call": "The call's id in the record.",
    "x-airworthy-model": "The model that answered, by its pin.",
    "x-airworthy-cost-usd": "What it cost, where that is known when the answer begins.",
    "x-request-id": "The same id, where OpenAI's SDKs look for it.",
    "request-id": "The same id, where Anthropic's SDKs look for it.",
}


def document(version: str) -> bytes:
    paths: dict[str, Json] = {}
    for prefix, parameters in (("/v1", []), ("/run/{run}/v1", [_RUN])):
        for path, dialect in CALLS.items():
            paths[prefix + path] = {"post": _call(dialect, parameters)}
        models = MODELS.removeprefix("/v1")
        paths[prefix + models] = {"get": _read("The models that the key may use.", parameters)}
        one: Json = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
        paths[f"{prefix}{models}/{{model}}"] = {"get": _read("One of them.", [*parameters, one])}
    for path, page in PAGES.items():
        answers: Json = {"200": {"description": "Yes."}}
        if page == "readyz":
            answers["503"] = {"description": "No; the body says why."}
        paths[path] = {"get": {"summary": _SUMMARIES[page], "security": [], "responses": answers}}
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "airworthy gateway", "version": version},
            "security": [{"bearer": []}, {"header": []}],
            "paths": paths,
            "components": {
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, or KEY.RUN."},
                    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                }
            },
        },
        option=orjson.OPT_INDENT_2,
    )


def _call(dialect: str, parameters: list[Json]) -> Json:
    named: list[Json] = [
        {
            "name": f"x-airworthy-{word}", "in": "header", "required": False,
            "description": f"The {word} it is done for; budgets and records go by it.", "schema": _RUN["schema"],
        }
        for word in ("user", "feature", "session")
    ]  # fmt: skip
    media: Json = {"application/json": {"schema": {"type": "object"}}}
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    answers: Json = {
        "200": {
            "description": "As in the protocol; with `stream`, server-sent events.",
            "headers": headers,
            "content": {**media, "text/event-stream": {"schema": {"type": "string"}}},
        },
        **{status: {"description": text, "content": media} for status, text in _ERRORS.items()},
    }
    return {
        "summary": _SUMMARIES[dialect], "operationId": dialect + ("_of_run" if parameters else ""),
        "parameters": [*parameters, *named], "requestBody": {"required": True, "content": media},
        "responses": answers,
    }  # fmt: skip


def _read(summary: str, parameters: list[Json]) -> Json:
    media: Json = {"application/json": {"schema": {"type": "object"}}}
    answers: Json = {"200": {"description": "They are listed.", "content": media}}
    answers["401"] = {"description": _ERRORS["401"], "content": media}
    return {"summary": summary, "parameters": parameters, "responses": answers}
