"""What the official SDKs make of streams that broke: the bytes are handed to them as if they came over the wire."""

import functools
import importlib
from typing import Any

import pytest

from airworthy.gateway.restart import MARK
from tests.gateway.door.kit import FIRST, SECOND, Say, ask, house, rule, streamed
from tests.gateway.door.test_streams import BREAKS

openai = pytest.importorskip("openai")
anthropic = pytest.importorskip("anthropic")
# The SDKs bring their client along, under a name that differs between their versions.
httpx = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])

FAILURES: tuple[type[Exception], ...] = (openai.APIError, anthropic.APIError)
HELLO = [{"role": "user", "content": "hello"}]


class _Wire:
    body = b""

    def __call__(self, request: Any) -> Any:
        return httpx.Response(
            200, content=self.body, headers={"content-type": "text/event-stream; charset=utf-8"}
        )


WIRE = _Wire()


@functools.cache
def _openai() -> Any:
    return openai.OpenAI(
        api_key="k", max_retries=0, http_client=httpx.Client(transport=httpx.MockTransport(WIRE))
    )


@functools.cache
def _anthropic() -> Any:
    return anthropic.Anthropic(
        api_key="k", max_retries=0, http_client=httpx.Client(transport=httpx.MockTransport(WIRE))
    )


def text_by_sdk(dialect: str, body: bytes) -> str:
    """The text of the final answer as the SDK puts it together. Raises: FAILURES when it sees an error."""
    # The SDK puts together only what says what it is; the small streams of these tests do not.
    WIRE.body = body.replace(b'{"id":"c1",', b'{"id":"c1","object":"chat.completion.chunk",')
    match dialect:
        case "chat":
            with _openai().chat.completions.stream(model="m", messages=HELLO) as events:
                return str(events.get_final_completion().choices[0].message.content)
        case "responses":
            found = _openai().responses.create(model="m", input="hello", stream=True)
            return "".join(each.delta for each in found if each.type == "response.output_text.delta")
    with _anthropic().messages.stream(model="m", max_tokens=9, messages=HELLO) as events:
        return "".join(block.text for block in events.get_final_message().content)


@pytest.mark.parametrize("wants_usage", [True, False])
@pytest.mark.parametrize(("dialect", "provider", "theirs", "say"), BREAKS)
async def test_a_stream_that_breaks_is_an_error_of_the_sdk(
    dialect: str, provider: str, theirs: str, say: Say, wants_usage: bool
) -> None:
    options: dict[str, Any] = (
        {"stream_options": {"include_usage": True}} if wants_usage and dialect == "chat" else {}
    )
    async with house({FIRST: say}, models=[rule(FIRST, provider=provider)]) as made:
        _, body = await made.said(dialect, ask(dialect, stream=True, **options))

    with pytest.raises(FAILURES):
        text_by_sdk(dialect, body)


@pytest.mark.parametrize(
    ("dialect", "provider", "theirs", "say"), [each for each in BREAKS if each.values[0] != "responses"]
)
@pytest.mark.parametrize("second", ["openai", "anthropic"])
async def test_a_stream_that_begins_anew_is_one_answer_to_the_sdk(
    dialect: str, provider: str, theirs: str, say: Say, second: str
) -> None:
    models = [rule(FIRST, provider=provider, broken_stream="restart"), rule(SECOND, provider=second)]
    last = streamed("messages" if second == "anthropic" else "chat", "t|wo")
    async with house({FIRST: say, SECOND: last}, models=models) as made:
        _, body = await made.said(dialect, ask(dialect, stream=True))

    first, mark, rest = text_by_sdk(dialect, body).partition(MARK)
    assert first in ("o", "on")
    assert mark
    assert rest == "two"
