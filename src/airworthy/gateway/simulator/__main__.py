"""The simulator from a shell: `python -m airworthy.gateway.simulator --port 8099 --seed 7`."""

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from airworthy.core.errors import AirworthyError
from airworthy.gateway.simulator.faults import KINDS, FaultPlan
from airworthy.gateway.simulator.limits import RateLimits
from airworthy.gateway.simulator.rules import Rules
from airworthy.gateway.simulator.server import MODELS, Simulator
from airworthy.gateway.simulator.serving import serving


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m airworthy.gateway.simulator",
        description="Serve a simulated model provider on 127.0.0.1 until interrupted.",
        epilog="Fault kinds: " + ", ".join(KINDS),
    )
    options.add_argument(
        "--port", type=int, default=8099, help="port to listen on; 0 takes any free one (%(default)s)"
    )
    options.add_argument(
        "--seed", type=int, default=7, help="same seed and request, same answer (%(default)s)"
    )
    options.add_argument(
        "--rules", type=Path, help="TOML file of rules; without it the generic brain decides alone"
    )
    options.add_argument(
        "--fault", action="append", default=[], help="kind=share[:detail], comma-separated; repeatable"
    )
    options.add_argument("--model", action="append", help="model name to serve; repeatable")
    options.add_argument("--api-key", help="key that requests must carry; without it any key is good")
    options.add_argument(
        "--requests-per-minute", type=int, help="enforced per model; without it there is no limit"
    )
    options.add_argument(
        "--tokens-per-minute", type=int, help="enforced per model; without it there is no limit"
    )
    return options


def application(arguments: argparse.Namespace) -> Simulator:
    """Raises: ConfigError."""
    requests, tokens = arguments.requests_per_minute, arguments.tokens_per_minute
    is_limited = requests is not None or tokens is not None
    return Simulator(
        seed=arguments.seed,
        rules=Rules.load(arguments.rules) if arguments.rules else None,
        faults=FaultPlan.parse(",".join(arguments.fault)),
        models=tuple(arguments.model) if arguments.model else MODELS,
        api_key=arguments.api_key,
        limits=RateLimits(requests=requests, tokens=tokens) if is_limited else None,
    )


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        with serving(application(arguments), port=arguments.port) as base_url:
            sys.stdout.write(f"{base_url}/v1\n")
            sys.stdout.flush()
            threading.Event().wait()
    except AirworthyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
