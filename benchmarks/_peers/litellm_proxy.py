"""Keys, budgets and records for LiteLLM's proxy without PostgreSQL; it is named by the configuration and loaded by it.

A key lives in this file instead of its table, with a budget that LiteLLM reserves from before each call and settles
afterwards; a record is one line in a file instead of a row.
"""

import json
import os
from typing import Any

from fastapi import Request
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth, hash_token

_RECORDS = open(os.environ["AIRWORTHY_BENCH_RECORDS"], "a", buffering=1)  # noqa: SIM115, PTH123  # open as long as the proxy
_HASH = hash_token(os.environ["AIRWORTHY_BENCH_KEY"])
_BUDGET_USD = float(os.environ["AIRWORTHY_BENCH_BUDGET_USD"])


async def user_api_key_auth(request: Request, api_key: str) -> UserAPIKeyAuth:
    hashed = hash_token(api_key)
    if hashed != _HASH:
        raise ValueError("unknown key")
    return UserAPIKeyAuth(api_key=api_key, token=hashed, max_budget=_BUDGET_USD)


class Recorder(CustomLogger):  # type: ignore[misc]  # It has no types here.
    """One line for each call, with what it cost by LiteLLM's own price list."""

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        usage = getattr(response_obj, "usage", None)
        line = {
            "call": kwargs.get("litellm_call_id"),
            "model": kwargs.get("model"),
            "cost_usd": kwargs.get("response_cost"),
            "tokens_in": getattr(usage, "prompt_tokens", None),
            "tokens_out": getattr(usage, "completion_tokens", None),
            "start": start_time.timestamp(),
            "end": end_time.timestamp(),
        }
        _RECORDS.write(json.dumps(line) + "\n")


recorder = Recorder()
