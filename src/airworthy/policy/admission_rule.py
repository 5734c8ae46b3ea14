"""How many tasks of an agent may be under way, begin and wait; what waits longer goes on later, and nothing fails."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from airworthy.policy.flaws import Flaw
from airworthy.policy.kinds import ENTRIES_MAX, Count, RateText, Section

FeatureName = Annotated[str, Field(min_length=1, max_length=128)]
Priority = Annotated[int, Field(ge=-1000, le=1000)]


class AdmissionRule(Section):
    """Which tasks begin when, over all workers; without this section tasks begin as they come."""

    concurrency: Count | None = Field(
        default=None,
        description="Tasks under way at once, over all workers; those that wait for a time or a person do not count. "
        "Broken: further ones wait in the queue.",
    )
    rate: RateText | None = Field(
        default=None,
        description="Tasks that begin per s, min, h or day, over all workers. "
        "Broken: further ones wait in the queue.",
    )
    user_concurrency: Count | None = Field(
        default=None,
        description="The same as `concurrency` for each user. "
        "Broken: the user's further tasks wait; those of others go on.",
    )
    user_rate: RateText | None = Field(
        default=None,
        description="The same as `rate` for each user. "
        "Broken: the user's further tasks wait; those of others go on.",
    )
    feature_concurrency: Count | None = Field(
        default=None,
        description="The same as `concurrency` for each feature. "
        "Broken: the feature's further tasks wait; those of others go on.",
    )
    feature_rate: RateText | None = Field(
        default=None,
        description="The same as `rate` for each feature. "
        "Broken: the feature's further tasks wait; those of others go on.",
    )
    queue_max: Count = Field(
        default=10_000,
        description="Tasks that may wait for their beginning. "
        "Broken: a further one is refused, with the time after which to send it again, and nothing of it is stored.",
    )
    user_queue_max: Count | None = Field(
        default=None,
        description="The same for each user. Broken: as `queue_max`.",
    )
    priorities: Annotated[Mapping[FeatureName, Priority], Field(max_length=ENTRIES_MAX)] = Field(
        default={},
        description="Priority by feature, from -1000 to 1000, of tasks whose sender names none. "
        "Broken: a feature that is not listed has 0.",
    )

    def contradictions(self) -> list[Flaw]:
        flaws = []
        for key, whole in (
            ("user_concurrency", self.concurrency),
            ("feature_concurrency", self.concurrency),
            ("user_queue_max", self.queue_max),
        ):
            part: int | None = getattr(self, key)
            if part is not None and whole is not None and part > whole:
                name = "queue_max" if key == "user_queue_max" else "concurrency"
                flaws.append(
                    Flaw(
                        (key,), f"can never be reached with {name} = {whole}.", f"Lower it, or raise {name}."
                    )
                )
        for key in ("user_rate", "feature_rate"):
            rate = getattr(self, key)
            if (
                rate is not None
                and self.rate is not None
                and rate.calls / rate.per_s > self.rate.calls / self.rate.per_s
            ):
                flaws.append(
                    Flaw(
                        (key,),
                        f"allows more ({rate}) than the whole agent has ({self.rate}).",
                        "Lower it, or raise rate.",
                    )
                )
        return flaws
