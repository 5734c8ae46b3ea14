"""Writes prices.json from the data of the genai-prices package, without running any of it and without a network.

    python -m airworthy.gateway.prices.refresh WHEEL_OR_DATA [--date DAY] [--output FILE]

WHEEL_OR_DATA is the package's wheel or its `data.py`; it is read as text, so no code of it runs. DAY is that of the
list; left out, it is the newest day on which the data changes a price and that has come.
"""

import argparse
import ast
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from airworthy.core.clock import US_PER_S, SystemClock
from airworthy.core.errors import ConfigError

PROVIDERS = (
    "openai", "anthropic", "google", "azure", "mistral", "groq", "deepseek", "x-ai", "cohere", "moonshotai", "cerebras",
    "fireworks", "together", "openrouter",
)  # fmt: skip
KEYS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "audio_in",
    "cache_audio_read_mtok": "cached_audio",
    "output_audio_mtok": "audio_out",
    "output_reasoning_mtok": "reasoning",
}
# Charged only for what a caller asks of the provider besides tokens; the tokens' prices hold all the same.
BESIDE = {"web_searches_kcount", "storage_searches_kcount"}
SERVICE_KEYS = ("service_tier", "processing", "speed")
DATA_FILE = "genai_prices/data.py"

Node = dict[str, Any]  # A call in the data: its name under "_", its arguments beside it.


class UnreadableData(ConfigError):
    """The data does not look as expected: the package changed its form."""

    code = "unreadable_prices"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m airworthy.gateway.prices.refresh", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("data", type=Path, metavar="WHEEL_OR_DATA")
    parser.add_argument("--date", type=date.fromisoformat, default=None, metavar="DAY")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "prices.json", metavar="FILE")
    asked = parser.parse_args(arguments)
    today = datetime.fromtimestamp(SystemClock().now_us() / US_PER_S, UTC).date()
    document = snapshot(read_data(asked.data), asked.data.name, asked.date, today)
    asked.output.write_text(as_text(document), encoding="utf-8")
    models = sum(len(provider["models"]) for provider in document["providers"].values())
    sys.stdout.write(f"{asked.output}: {models} models, prices of {document['date']}\n")
    return 0


def read_data(path: Path) -> list[Node]:
    """The providers of the data, as plain values. Raises: UnreadableData."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            text = wheel.read(DATA_FILE).decode("utf-8")
    else:
        text = path.read_text(encoding="utf-8")
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "providers":
            assert statement.value is not None
            found = _value(statement.value)
            if isinstance(found, list):
                return found
    raise UnreadableData(
        f"{path} holds no list of providers.", mend="Look at what the package renamed, and follow it here."
    )


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.List() | ast.Tuple():
            return [_value(item) for item in node.elts]
        case ast.Dict():
            return {
                _value(key): _value(item)
                for key, item in zip(node.keys, node.values, strict=True)
                if key is not None
            }
        case ast.Call(func=ast.Name() | ast.Attribute(value=ast.Name(id="datetime"))) if _named(node):
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            positional = [_value(item) for item in node.args]
            if name == "Decimal":
                return Decimal(positional[0])
            if name == "date":
                return date(*positional)
            return {
                "_": name,
                "args": positional,
                **{k.arg: _value(k.value) for k in node.keywords if k.arg},
            }
        case ast.Name() | ast.Attribute():
            return ast.unparse(node)
    raise UnreadableData(
        f"The data holds {ast.unparse(node)[:80]!r}.", mend="Teach `_value` this kind of expression."
    )


def _named(call: ast.Call) -> bool:
    """Every argument by its name or in its place, none unpacked from something that is not there to read."""
    return all(keyword.arg is not None for keyword in call.keywords)


def snapshot(providers: list[Node], origin: str, day: date | None, today: date) -> Node:
    kept = {one["id"]: one for one in providers if one["id"] in PROVIDERS}
    missing = [name for name in PROVIDERS if name not in kept]
    if missing:
        raise UnreadableData(
            f"The data has no provider {missing[0]!r}.",
            mend="Take it out of PROVIDERS, or follow its new name.",
        )
    days = [found for found in _dates(list(kept.values())) if found <= today]
    return {
        "date": (day or max(days)).isoformat(),
        "source": origin.removesuffix("-py3-none-any.whl"),
        "providers": {name: _provider(kept[name]) for name in PROVIDERS},
    }


def _dates(value: Any) -> Iterator[date]:
    if isinstance(value, date):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _dates(item)
    elif isinstance(value, list):
        for item in value:
            yield from _dates(item)


def _provider(data: Node) -> Node:
    models = [kept for model in data["models"] if (kept := _model(model)) is not None]
    made: Node = {"address": data["api_pattern"], "models": models}
    beside = [name for name in data.get("fallback_model_providers") or [] if name in PROVIDERS]
    if beside:
        made["also"] = beside
    return made


def _model(data: Node) -> Node | None:
    """None where tokens are not all that is paid for, or nothing is said: such a model has no price here."""
    prices = data["prices"]
    conditional = prices if isinstance(prices, list) else [{"constraint": None, "prices": prices}]
    dated = _dated(conditional)
    if dated is None and data["id"].endswith(":free"):
        dated = [["", {"input": "0", "output": "0"}]]
    if dated is None or _hides_audio(data["id"], dated):
        return None
    if "claude" in data["id"]:
        for _, found in dated:
            _add_hour(found)
    made: Node = {"id": data["id"], "match": _match(data["match"]), "prices": dated}
    if data.get("context_window"):
        made["window"] = data["context_window"]
    services: dict[str, list[list[Any]]] = {}
    for variant in data.get("price_variants") or []:
        words = [variant["when"][key] for key in SERVICE_KEYS if key in variant["when"]]
        if len(words) != 1 or len(variant["when"]) != 1:
            continue
        found = _rates(variant["prices"])
        # One that says nothing says that this tier has no price of its own.
        if found is not None and words[0] != "default":
            services.setdefault(words[0], []).append([_start(variant), found])
    if services:
        made["services"] = {word: sorted(found, key=lambda one: one[0]) for word, found in services.items()}
    return made


def _hides_audio(name: str, dated: list[list[Any]]) -> bool:
    """A model for sound without a price for sound: it is many times that of text."""
    return "audio" in name and not any("audio_in" in found or "audio_out" in found for _, found in dated)


def _add_hour(found: Node) -> None:
    """Anthropic's writes for an hour cost 2 times the input, those for five minutes 1.25 times, wherever it is sold."""
    if "cache_write" in found and "cache_write_1h" not in found:
        five = found["cache_write"]
        parts = five if isinstance(five, list) else [five]
        hour = [part if isinstance(part, int) else format(Decimal(part) * 8 / 5, "f") for part in parts]
        found["cache_write_1h"] = hour if isinstance(five, list) else hour[0]


def _start(priced: Node) -> str:
    constraint = priced.get("constraint")
    return constraint["start_date"].isoformat() if constraint else ""


def _dated(conditional: list[Node]) -> list[list[Any]] | None:
    """Prices by the day they begin. Prices by the hour of the day become the dearest of them, for the whole day."""
    made: list[list[Any]] = []
    by_hour: list[Node] = []
    for priced in conditional:
        found = _rates(priced["prices"])
        if not found or "input" not in found:
            return None
        found.setdefault("output", "0")  # Embeddings: nothing comes out that is paid for.
        constraint = priced.get("constraint")
        if constraint and constraint["_"] == "TimeOfDateConstraint":
            by_hour.append(found)
        else:
            made.append([_start(priced), found])
    made.sort(key=lambda one: one[0])
    if by_hour:
        # Of the past only the newest is kept, because which hours were dear then is not told.
        made = [["", max([made[-1][1], *by_hour], key=lambda one: Decimal(_base(one["input"])))]]
    return made


def _rates(prices: Node) -> Node | None:
    """None where something else than tokens is charged that every call has: pictures, hours, pages, requests."""
    given = {key: value for key, value in prices.items() if key not in {"_", "args"} and value is not None}
    if any(key.startswith(("input_image", "input_video")) for key in given):
        given = _with_pictures(given)
    if any(key not in KEYS and key not in BESIDE for key in given):
        return None
    made = {ours: _tiered(given[theirs]) for theirs, ours in KEYS.items() if theirs in given}
    for write in ("cache_write", "cache_write_1h"):
        if write in made and "input" in made and Decimal(_base(made[write])) < Decimal(_base(made["input"])):
            # A price below that of plain input is one for keeping, paid on top of it.
            made[write] = _sum(made["input"], made[write])
    return made


def _with_pictures(given: Node) -> Node:
    """Usage does not tell pictures from words, so input costs whichever is dearer."""
    made = {key: value for key, value in given.items() if "image" not in key and "video" not in key}
    for kind, plain in (("input", "input_mtok"), ("cache", "cache_read_mtok")):
        found = [
            value
            for key, value in given.items()
            if key.startswith(kind) and ("image" in key or "video" in key) and isinstance(value, Decimal)
        ]
        if plain in made and isinstance(made[plain], Decimal):
            made[plain] = max(made[plain], *found, made[plain])
    made.update({key: value for key, value in given.items() if key.startswith("output_")})
    return made


def _tiered(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    steps = [[tier["start"], format(tier["price"], "f")] for tier in value["tiers"]]
    return [format(value["base"], "f"), *[part for step in sorted(steps) for part in step]]


def _base(value: Any) -> str:
    return str(value if isinstance(value, str) else value[0])


def _sum(first: Any, second: Any) -> Any:
    if isinstance(second, list):
        raise UnreadableData(f"A cache price by tiers below the input's: {second}.", mend="Add them up here.")
    if isinstance(first, str):
        return format(Decimal(first) + Decimal(second), "f")
    return [part if isinstance(part, int) else format(Decimal(part) + Decimal(second), "f") for part in first]


@dataclass(frozen=True, slots=True)
class _Sign:
    """How a clause of the data is written in the list: `=` equals, `^` begins, `$` ends, `*` contains, `~` regex."""

    sign: str
    key: str


_SIGNS = {
    "ClauseEquals": _Sign("=", "equals"),
    "ClauseStartsWith": _Sign("^", "starts_with"),
    "ClauseEndsWith": _Sign("$", "ends_with"),
    "ClauseContains": _Sign("*", "contains"),
    "ClauseRegex": _Sign("~", "regex"),
}


def _match(clause: Node) -> list[Any]:
    """One of these must hold; a list inside is clauses that must all hold."""
    name = clause["_"]
    if name == "ClauseOr":
        return [one for part in clause["or_"] for one in _match(part)]
    if name == "ClauseAnd":
        parts = [_match(part) for part in clause["and_"]]
        if any(len(part) != 1 or isinstance(part[0], list) for part in parts):
            raise UnreadableData("A clause nests deeper than the list can say.", mend="Extend `_match`.")
        return [[part[0] for part in parts]]
    sign = _SIGNS[name]
    return [sign.sign + clause[sign.key]]


def as_text(document: Node) -> str:
    """One model a line, so that a change of the list can be read."""
    return "".join(_lines(document))


def _lines(document: Node) -> Iterable[str]:
    yield "{\n"
    yield f'"date": {json.dumps(document["date"])},\n"source": {json.dumps(document["source"])},\n"providers": {{\n'
    last = list(document["providers"])[-1]
    for name, provider in document["providers"].items():
        head = {key: value for key, value in provider.items() if key != "models"}
        yield f'{json.dumps(name)}: {json.dumps(head)[:-1]}, "models": [\n'
        rows = [json.dumps(model, ensure_ascii=True, separators=(",", ":")) for model in provider["models"]]
        yield ",\n".join(rows)
        yield "\n]}" + ("" if name == last else ",") + "\n"
    yield "}\n}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
