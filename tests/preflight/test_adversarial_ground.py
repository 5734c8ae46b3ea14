"""What adversarial cases are made from, read out of whatever inputs people's cases hold."""

import time

from airworthy.core.outcome import Outcome
from airworthy.evals import Case, Trial
from airworthy.preflight.adversarial.ground import Base
from airworthy.preflight.stage import Played, Recording


def test_a_picture_in_an_input_takes_no_long_time_to_look_through() -> None:
    case = Case(id="picture", input={"text": "From ada@x.example", "image": "A" * 300_000}, user="ann")
    played = Played(Trial("picture", Outcome.ANSWERED), Recording("picture", ()))
    begun = time.process_time()

    assert Base(case, (played,)).own == {"ann", "ada@x.example"}
    assert time.process_time() - begun < 5
