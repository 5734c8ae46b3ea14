"""How often a run has asked the very same thing; remembers lately used runs, and decides nothing."""

from collections import OrderedDict
from typing import Final

from airworthy.gateway.call import Call

RUNS_MAX: Final = 10_000
DIFFERENT_MAX: Final = 1_000  # Requests remembered of one run; limits.steps ends most runs long before.


class Repeats:
    """One per process: a run whose calls come through several is counted in each of them."""

    def __init__(self) -> None:
        self._runs: OrderedDict[tuple[str, str], dict[int, int]] = OrderedDict()

    def made(self, call: Call) -> int:
        """Counts the call; answers with how often the same was asked before."""
        place = (call.caller.agent, call.caller.run)
        run = self._runs.get(place)
        if run is None:
            run = self._runs[place] = {}
            if len(self._runs) > RUNS_MAX:
                self._runs.popitem(last=False)
        else:
            self._runs.move_to_end(place)
        asked = hash((call.dialect.name, call.raw))
        before = run.get(asked, 0)
        if before or len(run) < DIFFERENT_MAX:
            run[asked] = before + 1
        return before

    def withdrawn(self, call: Call) -> None:
        """It was not answered: asking again is no loop."""
        run = self._runs.get((call.caller.agent, call.caller.run), {})
        asked = hash((call.dialect.name, call.raw))
        if run.get(asked):
            run[asked] -= 1
