"""One way in which a trial did not meet what was expected of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind`: a stable word (see `scoring.KINDS`), for counting. `text`: a sentence for a person who has not seen the
    trial, with the expected and the actual value. `seq`: the step it is about; 0: the whole.
    """

    kind: str
    text: str
    seq: int = 0
