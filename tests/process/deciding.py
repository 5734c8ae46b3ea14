"""A process that decides on one item at a given moment, and says what it was told.

`python -m tests.process.deciding DATABASE ITEM SEAL BY approve|reject AT_NS`
"""

import sys
import time

from airworthy.app.build import assembled
from airworthy.core.errors import AirworthyError
from tests.database import opened


def main(path: str, item: str, seal: str, by: str, act: str, at_ns: int) -> None:
    database = opened(path)
    queue = assembled(database).reviews
    while time.monotonic_ns() < at_ns:
        pass
    try:
        if act == "approve":
            queue.approve(item, by, seen=seal)
        else:
            queue.reject(item, by, seen=seal, note="no")
        sys.stdout.write("decided\n")
    except AirworthyError as error:
        sys.stdout.write(f"{error.code}: {error.message}\n")
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5], int(sys.argv[6]))
