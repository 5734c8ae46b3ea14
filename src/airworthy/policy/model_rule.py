"""One model the agent may call, by its exact version; knows no provider's wire format."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Count, Seconds, Section, Tokens, UsdOrZero
from airworthy.policy.pins import Floating, pin_of

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$")]
# No "@", "?" or "#": credentials and options do not belong in an address that traces show.
BaseUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.\[\]:_-]{1,253}(/[A-Za-z0-9._~/%-]{0,200})?$")]
EnvironmentName = Annotated[str, Field(pattern=r"^([A-Z_][A-Z0-9_]{0,127})?$")]


class ModelRule(Section):
    """The first `[[models]]` entry is the agent's model, the others are its fallbacks in their order."""

    name: ModelName = Field(
        description="The model's exact name with its date or version. "
        "Broken: a name without one loads, and cannot go live."
    )
    provider: Literal["openai"] = Field(
        default="openai",
        description="The protocol the server speaks. Broken: any other word is an error at load.",
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description="The server's address without credentials; left out: the provider's own. "
        "Broken: an address with a password or a query is an error at load.",
    )
    api_key_env: EnvironmentName = Field(
        default="OPENAI_API_KEY",
        description='The environment variable that holds the key, never the key itself; "" where none is '
        "needed. Broken: anything but a variable's name is an error at load that does not repeat it.",
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
