"""What checks of text and redaction cost, and how often they stop benign text; prints one JSON line last.

Run `python -m benchmarks.checks`. Benign text comes from recorded data beside the project (`--data`, one
gzipped file of JSON lines a set); where it is absent its figures are null.
"""

import argparse
import asyncio
import gzip
import json
import random
import statistics
import string
import timeit
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from airworthy.checks import BUILTIN, CheckContext, Settings, run_checks
from airworthy.checks.garbled import sign_of_garble
from airworthy.checks.injection import hints
from airworthy.checks.language import guess, is_foreign
from airworthy.core.redact import Redactor, find

DATA = Path("/work/shared/data")
ENGLISH = ("en",)
CONTEXT = CheckContext("bench", "task_1", settings=Settings(languages=ENGLISH))

CLEAN = (
    b'{"role":"user","content":"Hi, I need to change my flight from JFK to SFO on the 12th, and my luggage '
    b'is not with me right now. Can you help me with my booking?","order":8812,"items":["a","b"],"sum":12.5}'
)
WITH_ID = (
    b'{"id":"2f1c1f8e-9a0b-4d6e-8c1a-5f0e9d8c7b6a","order":{"order_id":8812,"status":"delivered","usd":129.5,'
    b'"items":[{"sku":"A-1","quantity":2}]},"n":812,"m":90,"city":"London","note":"leave it at the door"}'
)

# One short customer message a language, written for this file.
FOREIGN = {
    "de": "Guten Tag, mein Paket ist seit einer Woche unterwegs. Können Sie bitte nachsehen, wo es ist?",
    "fr": "Bonjour, je voudrais annuler ma commande et être remboursé. Que dois-je faire maintenant ?",
    "es": "Hola, todavía no he recibido mi pedido y necesito saber cuándo va a llegar a mi casa.",
    "it": "Buongiorno, vorrei cambiare l'indirizzo di consegna del mio ordine prima della spedizione.",
    "pt": "Olá, comprei um casaco na semana passada mas o tamanho está errado. Posso trocar?",
    "nl": "Goedemiddag, ik wil graag mijn bestelling terugsturen omdat het artikel beschadigd is.",
    "pl": "Dzień dobry, chciałbym zwrócić zamówienie, ponieważ produkt przyszedł uszkodzony.",
    "sv": "Hej, jag har inte fått min beställning än och undrar när den kommer fram.",
    "tr": "Merhaba, siparişim hâlâ gelmedi. Ne zaman teslim edileceğini öğrenebilir miyim?",
    "ru": "Здравствуйте, мой заказ до сих пор не пришёл. Подскажите, пожалуйста, где он находится?",
    "uk": "Добрий день, я хочу повернути товар, бо він прийшов пошкоджений.",
    "ar": "مرحبا، لم يصل طلبي حتى الآن. هل يمكنكم إخباري بموعد التسليم؟",
    "hi": "नमस्ते, मेरा ऑर्डर अभी तक नहीं आया है। कृपया बताइए कि वह कब पहुँचेगा।",
    "ja": "注文した商品がまだ届いていません。いつ届くか教えていただけますか。",
    "zh": "您好，我的订单还没有送到，请问什么时候可以收到？",
    "ko": "안녕하세요, 주문한 상품이 아직 도착하지 않았습니다. 언제 받을 수 있나요?",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--show", type=int, default=0, help="print this many false alarms of each set")
    options = parser.parse_args()
    results: dict[str, Any] = {
        "redact_clean_us": micros(lambda: Redactor().redact_bytes, CLEAN),
        "redact_with_id_us": micros(lambda: Redactor().redact_bytes, WITH_ID),
        "redact_clean_bytes": len(CLEAN),
        "input_checks_us": checks_micros(),
        "mashed": mashed(),
        "foreign": foreign(),
        "benign": {name: benign(texts, options.show) for name, texts in sets(options.data).items()} or None,
        "attacks_flagged": attacks(options.data),
    }
    if results["benign"] is None:
        results["notes"] = f"No data in {options.data}."
    else:
        for name in ("empty", "garbled", "injection"):
            stopped = sum(each[name] for each in results["benign"].values())
            results[f"benign_{name}"] = (
                f"{stopped}/{sum(each['texts'] for each in results['benign'].values())}"
            )
    for key, value in results.items():
        print(f"{key}: {json.dumps(value, indent=2, ensure_ascii=False)}")
    print(json.dumps(results, ensure_ascii=False))


def micros(build: Callable[[], Callable[[bytes], object]], payload: bytes) -> float:
    """The best of 50 rounds: the machine may be shared, and nothing can make the code faster than it is."""
    call = build()
    return round(min(timeit.repeat(lambda: call(payload), number=2_000, repeat=50)) / 2_000 * 1e6, 2)


def checks_micros() -> float:
    """Median time of the four input checks a policy runs that sets nothing, on one short message."""
    chosen = [BUILTIN[name] for name in ("empty", "too_long", "garbled", "language")]

    async def rounds() -> float:
        loop = asyncio.get_running_loop()
        seconds = []
        for _ in range(300):
            started = loop.time()
            await run_checks(chosen, "Where is my order 8812? It should have come on Monday.", CONTEXT)
            seconds.append(loop.time() - started)
        return statistics.median(seconds) * 1e6

    return round(asyncio.run(rounds()), 1)


def mashed() -> dict[str, str]:
    """How much unreadable text `garbled` stops. Made here, so it says nothing about real users."""
    chance = random.Random(8)
    rows = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

    def strokes() -> str:
        return "".join(chance.choice(chance.choice(rows[:2])) for _ in range(chance.randint(8, 14)))

    def roll() -> str:
        row = chance.choice(rows[:2])
        at = chance.randint(0, 4)
        return row[at : at + chance.randint(4, 5)] * chance.randint(2, 4)

    kinds: dict[str, Callable[[], str]] = {
        "random letters": lambda: " ".join(
            "".join(chance.choices(string.ascii_lowercase, k=chance.randint(6, 12))) for _ in range(4)
        ),
        "home row strokes": lambda: " ".join(strokes() for _ in range(3)),
        "rolled keys": roll,
        "one key held": lambda: chance.choice(string.ascii_letters) * chance.randint(12, 80),
        "random bytes": lambda: chance.randbytes(60).decode("utf-8", "replace"),
        "cyrillic read as windows-1252": lambda: FOREIGN["ru"].encode().decode("cp1252", "replace"),
    }
    return {
        name: rate([sign_of_garble(make()) is not None for _ in range(200)]) for name, make in kinds.items()
    }


def foreign() -> dict[str, Any]:
    """Messages in other languages that an English-only policy stops, and that `garbled` wrongly stops."""
    found = {code: guess(text, ENGLISH) for code, text in FOREIGN.items()}
    return {
        "stopped": rate([each is not None and is_foreign(each) for each in found.values()]),
        "garbled": rate([sign_of_garble(text) is not None for text in FOREIGN.values()]),
        "missed": [code for code, each in found.items() if each is None or not is_foreign(each)],
    }


def benign(texts: list[str], show: int) -> dict[str, Any]:
    tests: dict[str, Callable[[str], bool]] = {
        "empty": lambda text: BUILTIN["empty"](text, CONTEXT) is not None,
        "garbled": lambda text: sign_of_garble(text) is not None,
        "not_english": lambda text: (found := guess(text, ENGLISH)) is not None and is_foreign(found),
        "injection": lambda text: bool(hints(text)),
        "secrets": lambda text: bool(find(text)),
    }
    result: dict[str, Any] = {"texts": len(texts)}
    for name, test in tests.items():
        alarms = [text for text in texts if test(text)]
        result[name] = len(alarms)
        for text in alarms[:show]:
            print(
                f"  {name}: {text[:160]!r} {sign_of_garble(text) or ''} {[f.kind for f in find(text)] or ''}"
            )
    return result


def rate(stopped: list[bool]) -> str:
    return f"{sum(stopped)}/{len(stopped)}"


def sets(data: Path) -> dict[str, list[str]]:
    """Every set without repeats: customers and agents, and whatever is marked benign."""
    found: dict[str, dict[str, None]] = {}
    for row in rows(data, "tau_runs"):
        for message in row["messages"]:
            if message["role"] == "user" and isinstance(message["content"], str) and message["content"]:
                found.setdefault("tau_runs user messages", {})[message["content"]] = None
            if message["role"] == "assistant" and isinstance(message["content"], str) and message["content"]:
                found.setdefault("tau_runs answers", {})[message["content"]] = None
    for row in rows(data, "injection_text"):
        if row["label"] == 0:
            found.setdefault(f"benign {row['kind']}: {row['family']}", {})[row["text"]] = None
    for row in rows(data, "qa_correctness"):
        found.setdefault("qa_correctness questions", {})[row["question"]] = None
    for row in rows(data, "workbench_runs"):
        found.setdefault("workbench_runs queries", {})[row["query"]] = None
    return {name: list(texts) for name, texts in found.items()}


def attacks(data: Path) -> dict[str, str] | None:
    found: dict[str, list[bool]] = {}
    for row in rows(data, "injection_text"):
        if row["label"] == 1:
            found.setdefault(row["family"], []).append(bool(hints(row["text"])))
    return {name: rate(flags) for name, flags in sorted(found.items())} or None


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    path = data / f"{name}.jsonl.gz"
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


if __name__ == "__main__":
    main()
