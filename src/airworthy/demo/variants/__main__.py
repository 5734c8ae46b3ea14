"""The broken variants from a shell: `python -m airworthy.demo.variants NAME FOLDER`; without a name, a list of them."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from airworthy.core.errors import AirworthyError
from airworthy.demo.variants.variant import NAMES, broken_into, variants


def main(argv: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(
        prog="python -m airworthy.demo.variants",
        description="Break the agent of a demo's folder in one of eight ways, to see its preflight find it.",
    )
    options.add_argument("name", nargs="?", choices=NAMES, help="the way; left out, all are listed")
    options.add_argument("folder", nargs="?", type=Path, default=Path(), help="the demo's folder")
    arguments = options.parse_args(argv)
    if arguments.name is None:
        for each in variants():
            sys.stdout.write(f"{each.name}: {each.broken} Found in: {each.fails_in}.\n")
        return 0
    try:
        found = broken_into(arguments.folder, arguments.name)
    except AirworthyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{found.broken}\nNow: airworthy preflight -C {arguments.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
