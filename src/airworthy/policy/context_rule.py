"""How much of a model's window a conversation may take, and what is left out of one that takes more."""

from typing import Annotated, Literal

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import Section, Share
from airworthy.policy.model_rule import ModelName

Strategy = Literal["drop_results", "keep_selected", "summarise", "none"]


class ContextRule(Section):
    """How long conversations are kept short in time; without this section they grow until no model takes them."""

    share: Share = Field(
        default=0.5,
        description="How much of the model's window a conversation may take. "
        "Broken: before the call, parts of it are left out as `strategy` says.",
    )
    strategy: Strategy = Field(
        default="drop_results",
        description="What goes, the oldest first: results of tools (drop_results), whole turns (keep_selected), "
        "whole turns with a summary in their place (summarise), or nothing (none). "
        "Broken: what is too long even so is refused before the call.",
    )
    keep_turns: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=2,
        description="The newest turns, which always stay whole: a model's message with the results of its calls. "
        "Broken: if they alone are too long, the call is refused.",
    )
    keep_acts: bool = Field(
        default=True,
        description="Whether calls of tools that act always stay, with their results, so that the agent knows "
        "what it has done. Broken: switched off, they go like any other.",
    )
    summary_model: ModelName | None = Field(
        default=None,
        description="The model of this policy that writes summaries; left out: the one that is asked. "
        "Broken: a name that is not among the models is an error at load; where it fails, no summary is made.",
    )

    def contradictions(self) -> list[Flaw]:
        if self.summary_model is None or self.strategy == "summarise":
            return []
        says = f"has no meaning for strategy = {self.strategy!r}."
        return [Flaw(("summary_model",), says, 'Delete it, or set strategy = "summarise".')]
