"""What the caller of a translation knows of the model that the request goes to."""

from dataclasses import dataclass
from typing import Literal

from airworthy.gateway.translate.findings import Findings


@dataclass(frozen=True, slots=True)
class Target:
    """`output_tokens_max` is the most that may be asked for: a caller's own bound is lowered to it.

    `thinking`: how the model is told how hard to think: `given`, in the protocol's first way (a budget at Anthropic,
    an effort at OpenAI); `adaptive`, as Anthropic's newer models want it, which refuse a budget; `none`, not at all,
    for models that refuse the setting. `chat_limit`: OpenAI's own models want `max_completion_tokens`; many other
    servers know only `max_tokens`.
    """

    model: str
    output_tokens_max: int
    thinking: Literal["given", "adaptive", "none"] = "given"
    chat_limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"

    def bounded(self, wanted: int | None, findings: Findings) -> int | None:
        if wanted is None or wanted <= self.output_tokens_max:
            return wanted
        findings.note(
            "the bound on output",
            f"lowered from {wanted} to {self.output_tokens_max}, the most that may be asked for",
        )
        return self.output_tokens_max
