"""One model the agent may call, by its exact version; knows no provider's wire format."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Count, Seconds, Section, Tokens, UsdOrZero
from airworthy.policy.pins import Floating, pin_of

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$")]
# No "@", "?" or "#": credentials and options do not belong in an address that traces show.
BaseUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.\[\]:_-]{1,253}(/[A-Za-z0-9._~/%-]{0,200})?$")]
EnvironmentName = Annotated[str, Field(pattern=r"^([A-Z_][A-Z0-9_]{0,127})?$")]
KeyFile = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,1000}$")]
Provider = Literal[
    "openai", "anthropic", "gemini", "azure", "mistral", "groq", "ollama", "vllm", "openrouter", "compatible"
]
Why = Literal["outage", "timeout", "rate_limit", "overflow", "filter", "malformed", "refused_key"]
WHYS: Final[tuple[Why, ...]] = get_args(Why)


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """What need not be said of a known provider. `header` is how its key travels."""

    protocol: Literal["openai", "anthropic"]
    base_url: str | None
    api_key_env: str
    header: Literal["bearer", "x-api-key", "api-key"] = "bearer"


PROVIDERS: Final[Mapping[Provider, ProviderFacts]] = MappingProxyType(
    {
        "openai": ProviderFacts("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        "anthropic": ProviderFacts(
            "anthropic", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "x-api-key"
        ),
        # Gemini's own door in the OpenAI protocol.
        "gemini": ProviderFacts(
            "openai", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"
        ),
        # https://NAME.openai.azure.com/openai/v1; the model's name is the deployment's.
        "azure": ProviderFacts("openai", None, "AZURE_OPENAI_API_KEY", "api-key"),
        "mistral": ProviderFacts("openai", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        "groq": ProviderFacts("openai", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        "openrouter": ProviderFacts("openai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        "ollama": ProviderFacts("openai", "http://127.0.0.1:11434/v1", ""),
        "vllm": ProviderFacts("openai", "http://127.0.0.1:8000/v1", ""),
        "compatible": ProviderFacts("openai", None, ""),
    }
)


class ModelRule(Section):
    """The first `[[models]]` entry is the agent's model, the others are its fallbacks in their order."""

    name: ModelName = Field(
        description="The model's exact name with its date or version. "
        "Broken: a name without one loads, and cannot go live."
    )
    aliases: Annotated[tuple[ModelName, ...], Field(strict=False, max_length=20)] = Field(
        default=(),
        description="Other names under which callers of the gateway may ask for it. "
        "Broken: a name that two models answer to is an error at load.",
    )
    provider: Provider = Field(
        default="openai",
        description='Who serves it; "compatible": any other server with OpenAI\'s protocol. '
        "Broken: an unknown word is an error at load.",
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description="The server's address without credentials; left out: the provider's own. "
        "Broken: an address with a password or a query is an error at load.",
    )
    api_key_env: EnvironmentName | None = Field(
        default=None,
        description='The environment variable that holds the key, never the key itself; "" where none is '
        "needed; left out: the provider's usual one. "
        "Broken: anything but a variable's name is an error at load that does not repeat it.",
    )
    api_key_file: KeyFile | None = Field(
        default=None,
        description="A file that holds the key, instead of a variable; read anew when it changes. "
        "Broken: a file that cannot be read counts as a refused key.",
    )
    window: Tokens = Field(
        default=128_000,
        description="Tokens of input and output the model holds at once. "
        "Broken: a call that cannot fit is not sent.",
    )
    output_tokens_max: Tokens = Field(
        default=1_024,
        description="The longest answer, in tokens, that one call may ask for. "
        "Broken: a call that asks for more is cut to this.",
    )
    timeout_s: Seconds = Field(
        default=30.0,
        description="How long one attempt may take. Broken: the attempt ends, and counts as a failure.",
    )
    attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        default=3,
        description="Tries for one call, the first included. Broken: the next model is asked.",
    )
    concurrency: Count = Field(
        default=64,
        description="Calls in flight at once in one process. Broken: further calls wait for their turn.",
    )
    input_usd_per_mtok: UsdOrZero | None = Field(
        default=None,
        description="Price of a million input tokens; 0.0 for a model of one's own. "
        "Broken: without it the worker does not start.",
    )
    cached_input_usd_per_mtok: UsdOrZero | None = Field(
        default=None,
        description="Price of a million input tokens read from the provider's cache. "
        "Broken: left out, they count at the full input price.",
    )
    output_usd_per_mtok: UsdOrZero | None = Field(
        default=None,
        description="Price of a million output tokens. Broken: without it the worker does not start.",
    )
    cache_write_usd_per_mtok: UsdOrZero | None = Field(
        default=None,
        description="Price of a million input tokens written to the provider's cache. "
        "Broken: left out, they count at the full input price.",
    )
    audio_input_usd_per_mtok: UsdOrZero | None = Field(
        default=None,
        description="Price of a million audio input tokens. "
        "Broken: left out, they count at the full input price.",
    )
    audio_output_usd_per_mtok: UsdOrZero | None = Field(
        default=None,
        description="Price of a million audio output tokens. "
        "Broken: left out, they count at the full output price.",
    )
    requests_per_min: Count | None = Field(
        default=None,
        description="Calls per minute that the provider allows, where its answers do not say so. "
        "Broken: further calls wait for their turn.",
    )
    tokens_per_min: Tokens | None = Field(
        default=None,
        description="Tokens per minute that the provider allows, where its answers do not say so. "
        "Broken: further calls wait for their turn.",
    )
    fallback: Annotated[tuple[ModelName, ...], Field(strict=False, max_length=20)] | None = Field(
        default=None,
        description="Models asked in this order when this one fails. Left out: for the first entry all the others, "
        "for any other entry none. Broken: a name that no entry has is an error at load.",
    )
    fallback_on: Annotated[tuple[Why, ...], Field(strict=False, max_length=7)] = Field(
        default=WHYS,
        description="The failures after which its fallbacks are asked. "
        "Broken: after any other failure the caller gets the error.",
    )
    broken_stream: Literal["error", "restart"] = Field(
        default="error",
        description="What follows when a stream breaks after it has begun: an error at its end, or a marker and the "
        "fallback's whole answer. Broken: any other word is an error at load.",
    )
    hedge_after_s: Seconds | None = Field(
        default=None,
        description="Asks the first fallback too when no answer has begun after this time; the first to answer "
        "counts, and both may be billed. Broken: left out, nobody is asked twice at once.",
    )
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(
        default=None,
        description="Sampling temperature, 0 to 2; left out: the agent's or the provider's. "
        "Broken: a value outside is an error at load.",
    )
    end_of_life: date | None = Field(
        default=None,
        description="The day the provider retires this version. "
        "Broken: the scope document shows it, so that a successor is tested in time.",
    )
    pinned: bool = Field(
        default=False,
        description="Says that a self-hosted name never changes its weights although it carries no date. "
        "Broken: for a known alias or a `-latest` name it is an error at load.",
    )

    @property
    def served(self) -> ProviderFacts:
        return PROVIDERS[self.provider]

    @property
    def address(self) -> str:
        """The base URL without a slash at its end."""
        return (self.base_url or self.served.base_url or "").rstrip("/")

    @property
    def key_variable(self) -> str:
        """The environment variable of the key; empty: none."""
        if self.api_key_file is not None:
            return ""
        return self.served.api_key_env if self.api_key_env is None else self.api_key_env

    @property
    def priced(self) -> bool:
        return self.input_usd_per_mtok is not None and self.output_usd_per_mtok is not None

    def contradictions(self) -> list[Flaw]:
        flaws = []
        if self.output_tokens_max >= self.window:
            flaws.append(
                Flaw(
                    ("output_tokens_max",) if self.says("output_tokens_max") else ("window",),
                    f"leaves no room for input: {self.output_tokens_max} of {self.window} tokens are output.",
                    "Set output_tokens_max well below window.",
                )
            )
        if not self.address:
            flaws.append(
                Flaw(
                    ("provider",),
                    f"is {self.provider!r}, which has no address of its own.",
                    "Set base_url, up to and with its /v1.",
                )
            )
        if self.api_key_file is not None and self.api_key_env:
            flaws.append(
                Flaw(("api_key_file",), "stands beside api_key_env.", "Keep the one that holds the key.")
            )
        prices = {
            "input_usd_per_mtok": self.input_usd_per_mtok,
            "output_usd_per_mtok": self.output_usd_per_mtok,
        }
        for key, price in prices.items():
            if price is None and not self.priced and any(other is not None for other in prices.values()):
                flaws.append(
                    Flaw((key,), "is missing beside the other price.", "Set both prices, or neither.")
                )
        cached = self.cached_input_usd_per_mtok
        if cached is not None and not self.priced:
            flaws.append(
                Flaw(
                    ("cached_input_usd_per_mtok",),
                    "stands without the full prices.",
                    "Set input_usd_per_mtok and output_usd_per_mtok too.",
                )
            )
        elif cached is not None and self.input_usd_per_mtok is not None and cached > self.input_usd_per_mtok:
            flaws.append(
                Flaw(
                    ("cached_input_usd_per_mtok",),
                    f"is above input_usd_per_mtok ({self.input_usd_per_mtok:g}).",
                    "Check both prices: cached input is never dearer.",
                )
            )
        pin = pin_of(self.name)
        if self.pinned and isinstance(pin, Floating) and (pin.suggestion or self.name.endswith("latest")):
            flaws.append(
                Flaw(
                    ("pinned",),
                    f"cannot be said of {self.name!r}, whose provider moves it.",
                    f"Name the exact version{f': {pin.suggestion}' if pin.suggestion else ''}.",
                )
            )
        return flaws
