"""Which attribute says what, in all conventions: OpenTelemetry GenAI old and new, OpenInference, traceloop, ours.

A table and no code: a key leads to the slot it fills and its rank there; of several that fill one slot, the lowest
rank counts. A key that is not here is kept with the span and says nothing to us.
"""

from typing import Final

from airworthy.recorder.traces.span import SpanKind

_SLOTS: Final[dict[str, tuple[str, ...]]] = {
    "operation": ("gen_ai.operation.name",),
    "step": ("airworthy.step.kind",),
    "inference": ("openinference.span.kind",),
    "loop": ("traceloop.span.kind",),
    "request": ("llm.request.type",),
    "method": ("mcp.method.name",),
    "agent": ("gen_ai.agent.name", "agent.name", "airworthy.agent"),
    "entity": ("traceloop.entity.name", "agent_name"),
    "release": ("airworthy.release", "gen_ai.agent.version", "agent.version"),
    "session": (
        "airworthy.session", "session.id", "gen_ai.conversation.id", "traceloop.association.properties.session_id",
        "langfuse.session.id",
    ),
    "user": (
        "user.id", "enduser.id", "enduser.pseudo.id", "traceloop.association.properties.user_id", "langfuse.user.id",
    ),
    "feature": ("airworthy.feature", "traceloop.association.properties.feature"),
    "outcome": ("airworthy.outcome",),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"),
    "model": (
        "gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "llm.response.model", "llm.request.model",
        "embedding.model_name", "reranker.model_name",
    ),
    "tool": ("gen_ai.tool.name", "tool.name"),
    "tokens_in": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens",
    ),
    "tokens_out": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion",
        "llm.usage.completion_tokens",
    ),
    "cached": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read", "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cached_tokens",
    ),
    "cost": ("airworthy.cost_usd", "llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.total_cost", "operation.cost"),
    "cost_in": ("llm.cost.prompt", "gen_ai.usage.input_cost"),
    "cost_out": ("llm.cost.completion", "gen_ai.usage.output_cost"),
    "error": ("error.type",),
    "input": (
        "gen_ai.input.messages", "gen_ai.tool.call.arguments", "tool_arguments", "gen_ai.retrieval.query.text",
        "pydantic_ai.all_messages", "traceloop.entity.input", "input.value", "tool.parameters", "gen_ai.prompt",
    ),
    "output": (
        "gen_ai.output.messages", "gen_ai.tool.call.result", "tool_response", "gen_ai.retrieval.documents",
        "final_result", "traceloop.entity.output", "output.value", "gen_ai.completion",
    ),
    "events": ("events", "all_messages_events"),
}  # fmt: skip
KEYS: Final = _SLOTS
PLACES: Final = {key: (slot, rank) for slot, keys in _SLOTS.items() for rank, key in enumerate(keys)}

# Families of keys with numbers in them, one value a key: what they are together, and how well they say it.
FAMILIES: Final = {
    "llm.input_messages": ("input", 0),
    "llm.output_messages": ("output", 0),
    "gen_ai.prompt": ("input", 1),
    "gen_ai.completion": ("output", 1),
    "llm.prompts": ("input", 2),
    "llm.completions": ("output", 2),
    "retrieval.documents": ("output", 3),
    "reranker.output_documents": ("output", 3),
    "embedding.embeddings": ("input", 3),
}
FAMILY_STARTS: Final = tuple(f"{name}." for name in FAMILIES)

# Attributes that are numbers; what is none of these goes past the redactor, key and all.
NUMBERS: Final = frozenset(
    {
        *(key for slot in ("tokens_in", "tokens_out", "cached", "cost", "cost_in", "cost_out") for key in _SLOTS[slot]),
        "gen_ai.request.max_tokens", "gen_ai.request.temperature", "gen_ai.request.top_p", "gen_ai.request.top_k",
        "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens", "gen_ai.usage.total_tokens",
        "gen_ai.aggregated_usage.input_tokens", "gen_ai.aggregated_usage.output_tokens", "llm.usage.total_tokens",
        "llm.token_count.total", "llm.token_count.prompt_details.cache_write",
        "llm.token_count.completion_details.reasoning", "server.port",
    }
)  # fmt: skip

OPERATIONS: Final = {
    "chat": SpanKind.MODEL,
    "text_completion": SpanKind.MODEL,
    "generate_content": SpanKind.MODEL,
    "completion": SpanKind.MODEL,
    "embeddings": SpanKind.EMBEDDING,
    "invoke_agent": SpanKind.AGENT,
    "execute_tool": SpanKind.TOOL,
    "retrieval": SpanKind.RETRIEVAL,
    "guardrail": SpanKind.CHECK,
    "check": SpanKind.CHECK,
    "evaluate": SpanKind.CHECK,
    "create_agent": SpanKind.STEP,
    "invoke_workflow": SpanKind.STEP,
    "plan": SpanKind.STEP,
    "step": SpanKind.STEP,
}
INFERENCE: Final = {
    "LLM": SpanKind.MODEL,
    "TOOL": SpanKind.TOOL,
    "AGENT": SpanKind.AGENT,
    "RETRIEVER": SpanKind.RETRIEVAL,
    "RERANKER": SpanKind.RETRIEVAL,
    "EMBEDDING": SpanKind.EMBEDDING,
    "GUARDRAIL": SpanKind.CHECK,
    "EVALUATOR": SpanKind.CHECK,
    "CHAIN": SpanKind.STEP,
    "PROMPT": SpanKind.STEP,
}
LOOP: Final = {
    "agent": SpanKind.AGENT,
    "tool": SpanKind.TOOL,
    "workflow": SpanKind.STEP,
    "task": SpanKind.STEP,
}
# A scope whose agents are told by a key of its own.
AGENT_KEYS: Final = {"pydantic-ai": "agent_name"}
STEPS: Final = {"check": SpanKind.CHECK, "step": SpanKind.STEP}
REQUESTS: Final = {
    "chat": SpanKind.MODEL,
    "completion": SpanKind.MODEL,
    "embedding": SpanKind.EMBEDDING,
    "rerank": SpanKind.RETRIEVAL,
}

# Events and log records that carry a message: who said it.
ASKED: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CHOICE: Final = "gen_ai.choice"
PROMPT_EVENT: Final = "gen_ai.content.prompt"
COMPLETION_EVENT: Final = "gen_ai.content.completion"
DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"
EVALUATION_EVENT: Final = "gen_ai.evaluation.result"
MESSAGE_EVENTS: Final = frozenset({*ASKED, CHOICE, PROMPT_EVENT, COMPLETION_EVENT, DETAILS_EVENT})
