"""One service of the demo as a process: the shop, or the simulated provider. Ends when its standard input does."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airworthy.core.errors import AirworthyError
from airworthy.demo.faults import NO_FAULTS, FaultPlan
from airworthy.demo.service import ShopService
from airworthy.gateway.simulator.faults import FaultPlan as ModelFaults
from airworthy.gateway.simulator.rules import Rules
from airworthy.gateway.simulator.server import Simulator
from airworthy.gateway.simulator.serving import serving

if TYPE_CHECKING:
    from airworthy.core.asgi import Application

# A few in a hundred of each: two hundred letters meet every kind, and most letters meet none.
MODEL_FAULTS: Final = (
    "http_500=0.02,http_429=0.01:0.3,slow=0.02:1.0,truncated=0.01,wrong_tool_arguments=0.006,made_up_facts=0.03,"
    "loop=0.02"
)


def main(argv: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="python -m airworthy.demo.serve")
    options.add_argument("what", choices=("shop", "provider"))
    options.add_argument("file", type=Path, help="the shop's database, or the provider's rules")
    options.add_argument("--seed", type=int, required=True)
    options.add_argument("--faults", action="store_true")
    arguments = options.parse_args(argv)
    try:
        with serving(_application(arguments)) as url:
            sys.stdout.write(f"{url}\n")
            sys.stdout.flush()
            sys.stdin.buffer.read()
    except AirworthyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _application(arguments: argparse.Namespace) -> "Application":
    if arguments.what == "shop":
        return ShopService(arguments.file, FaultPlan(arguments.seed) if arguments.faults else NO_FAULTS)
    faults = ModelFaults.parse(MODEL_FAULTS if arguments.faults else "")
    return Simulator(seed=arguments.seed, rules=Rules.load(arguments.file), faults=faults)


if __name__ == "__main__":
    sys.exit(main())
