"""What a person must have thought of before others depend on the agent; what no program can find out by itself."""

from pydantic import Field

from airworthy.policy.kinds import Count, Section, Sentence, ToolName


class Readiness(Section):
    """Answers to the readiness checklist that stand nowhere else, and whether the checklist binds."""

    required: bool = Field(
        default=True,
        description="Whether a live agent starts only when every item of the checklist is answered or waived; false "
        "lets its owner go without. "
        "Broken: an unanswered item is a gap, and the agent does not start in a live stage.",
    )
    rollback: Sentence | None = Field(
        default=None,
        description="How the agent is taken back to its last good release, and by whom. "
        "Broken: the checklist's item `rollback` is unanswered.",
    )
    by_hand: Sentence | None = Field(
        default=None,
        description="Who does the tasks while the agent cannot, and how. "
        "Broken: the checklist's item `manual` is unanswered.",
    )
    grounding_check: ToolName | None = Field(
        default=None,
        description="An output check of your own that finds claims which no tool or document supports. "
        "Broken: a name that no output check has leaves the item `hallucination` unanswered.",
    )
    cases: Count = Field(
        default=100,
        description="How many cases the checklist asks for. Broken: the item `cases` is unanswered.",
    )
