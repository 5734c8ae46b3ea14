"""`python -m tests.tools.canceller DATABASE`: cancels each effect named on stdin, and says what came of it."""

import sys
from functools import partial
from pathlib import Path

from airworthy.store import SQLiteDatabase
from airworthy.tools import EffectState, TransitionRefused, outbox


def main(path: str) -> None:
    database = SQLiteDatabase(Path(path))
    by = (("decided_by", "dana"),)
    print("ready", flush=True)
    for line in sys.stdin:
        cancel = partial(outbox.decide, effect_id=line.strip(), to=EffectState.CANCELLED, sets=by)
        try:
            database.write_now(cancel)
            print("cancelled", flush=True)
        except TransitionRefused as refused:
            print(refused.message, flush=True)
    database.close()


if __name__ == "__main__":
    main(sys.argv[1])
