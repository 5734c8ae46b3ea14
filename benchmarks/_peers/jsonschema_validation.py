"""Validation by jsonschema of the value that our watch looks at; run by the Python of jsonschema's own environment."""

import argparse
import json
import sys
import timeit
from importlib.metadata import version

from jsonschema import Draft202012Validator


def main() -> None:
    """Reads `{"schema": ..., "result": "..."}`; answers with the best time of one validation, JSON reading included."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--repeat", type=int, required=True)
    parser.add_argument("--input", required=True)
    said = parser.parse_args()
    with open(said.input, encoding="utf-8") as file:  # noqa: PTH123  # this file stands alone
        given = json.load(file)
    validator, text = Draft202012Validator(given["schema"]), given["result"]
    if not validator.is_valid(json.loads(text)):
        sys.exit("the result does not fit the schema")
    best = min(
        timeit.repeat(lambda: validator.is_valid(json.loads(text)), number=said.number, repeat=said.repeat)
    )
    print(json.dumps({"us": best / said.number * 1e6, "version": version("jsonschema")}))


if __name__ == "__main__":
    main()
