"""A program of its own: agents instrumented by libraries that others publish send what they did to a receiver.

Each part is one emitter with a provider and a service name of its own, so that its requests can be told apart. Models
are the simulator's, over HTTP on loopback. `python -m tests.recorder.otel.emitters SIMULATOR COLLECTOR`.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "")
os.environ.setdefault("TRACELOOP_TRACE_CONTENT", "true")

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

QUESTION = "Where is order 8812?"
NUMBER = {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]}
TOOLS = [
    {
        "type": "function",
        "function": {"name": "find_order", "description": "Looks an order up.", "parameters": NUMBER},
    }
]


def provider_of(name: str, collector: str) -> TracerProvider:
    resource = Resource.create({"service.name": name, "service.version": "3.1.4"})
    made = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(f"{collector}/v1/traces", compression=Compression.Gzip)
    made.add_span_processor(BatchSpanProcessor(exporter))
    return made


def ask_openai(simulator: str) -> dict[str, int]:
    import openai

    client = openai.OpenAI(base_url=f"{simulator}/v1", api_key="none", max_retries=0)
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    tools: Any = TOOLS
    usage = client.chat.completions.create(model="sim-small", messages=messages, tools=tools).usage
    assert usage is not None
    return {"in": usage.prompt_tokens, "out": usage.completion_tokens}


def ask_anthropic(simulator: str) -> dict[str, int]:
    import anthropic

    client = anthropic.Anthropic(base_url=simulator, api_key="none", max_retries=0)
    messages: Any = [{"role": "user", "content": QUESTION}]
    tools: Any = [{"name": "find_order", "description": "Looks an order up.", "input_schema": NUMBER}]
    usage = client.messages.create(model="sim-small", max_tokens=200, messages=messages, tools=tools).usage
    return {"in": usage.input_tokens, "out": usage.output_tokens}


def pydantic_ai(simulator: str, provider: TracerProvider, *, version: int | None = None) -> dict[str, int]:
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    known: dict[str, Any] = {} if version is None else {"version": version}
    settings = InstrumentationSettings(tracer_provider=provider, **known)
    model = OpenAIChatModel("sim-small", provider=OpenAIProvider(base_url=f"{simulator}/v1", api_key="none"))
    agent = Agent(model, name="orders", system_prompt="Be brief.")
    agent.instrument = settings

    @agent.tool_plain
    def find_order(number: str) -> str:
        return f"Order {number} is in Bremen."

    result = agent.run_sync(QUESTION, conversation_id="conversation-7")
    usage = result.usage
    return {"in": usage.input_tokens, "out": usage.output_tokens}


def pydantic(simulator: str, collector: str) -> dict[str, int]:
    provider = provider_of("pydantic-ai", collector)
    used = pydantic_ai(simulator, provider)
    provider.shutdown()
    return used


def instrumented(
    name: str, instrumentor: Any, ask: Callable[[], dict[str, int]], collector: str, **more: Any
) -> dict[str, int]:
    provider = provider_of(name, collector)
    instrumentor.instrument(tracer_provider=provider, **more)
    try:
        return ask()
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


def inference_openai(simulator: str, collector: str) -> dict[str, int]:
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.openai import OpenAIInstrumentor

    def ask() -> dict[str, int]:
        with using_attributes(session_id="session-9", user_id="user-4"):
            return ask_openai(simulator)

    return instrumented("openinference-openai", OpenAIInstrumentor(), ask, collector)


def inference_anthropic(simulator: str, collector: str) -> dict[str, int]:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    return instrumented(
        "openinference-anthropic", AnthropicInstrumentor(), lambda: ask_anthropic(simulator), collector
    )


def loop_openai(simulator: str, collector: str) -> dict[str, int]:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return instrumented("traceloop-openai", OpenAIInstrumentor(), lambda: ask_openai(simulator), collector)


def loop_anthropic(simulator: str, collector: str) -> dict[str, int]:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    return instrumented(
        "traceloop-anthropic", AnthropicInstrumentor(), lambda: ask_anthropic(simulator), collector
    )


def wrapped(simulator: str, collector: str) -> dict[str, int]:
    """Two libraries that each report the same calls: the agent's own spans, and those of the client beneath."""
    from openinference.instrumentation.openai import OpenAIInstrumentor

    provider = provider_of("twice", collector)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    try:
        return pydantic_ai(simulator, provider)
    finally:
        OpenAIInstrumentor().uninstrument()
        provider.shutdown()


EMITTERS: dict[str, Callable[[str, str], dict[str, int]]] = {
    "pydantic-ai": pydantic,
    "twice": wrapped,  # before traceloop's, which leaves the client wrapped
    "openinference-openai": inference_openai,
    "openinference-anthropic": inference_anthropic,
    "traceloop-openai": loop_openai,
    "traceloop-anthropic": loop_anthropic,
}


def main(simulator: str, collector: str) -> None:
    """One line of JSON: what each emitter's client says it used, or why it could not run."""
    used: dict[str, Any] = {}
    for name, run in EMITTERS.items():
        try:
            used[name] = run(simulator, collector)
        except Exception as error:
            used[name] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(used))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
