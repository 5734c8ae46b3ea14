"""What the gateway counts, and how Prometheus reads it: plain integers, made into text only when somebody asks."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from airworthy.core.clock import US_PER_S
from airworthy.core.money import NANO_PER_USD
from airworthy.gateway.wire.facts import Usage

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
SERIES_MAX = 2_000  # Of one kind; what comes later is counted together under `other`.
OTHER: Final = "other"
# A model answers in something between a millisecond (from the cache) and ten minutes.
BOUNDS_S: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0,
)  # fmt: skip
_BOUNDS_US: Final = tuple(round(bound * US_PER_S) for bound in BOUNDS_S)
Labels = tuple[str, ...]


class _Tally:
    """Integers by labels, at most SERIES_MAX of them."""

    __slots__ = ("names", "values")

    def __init__(self, *names: str) -> None:
        self.names = names
        self.values: dict[Labels, int] = {}

    def add(self, labels: Labels, amount: int = 1) -> None:
        values = self.values
        if labels in values:
            values[labels] += amount
        elif len(values) < SERIES_MAX:
            values[labels] = amount
        else:
            values[(OTHER,) * len(labels)] = values.get((OTHER,) * len(labels), 0) + amount


class _Histogram:
    """How often it took how long."""

    __slots__ = ("counts", "sum_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_us = 0


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that somebody else keeps. `read` gives it by labels; called only when the page is asked for."""

    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[], Mapping[Labels, float]]


class Metrics:
    """One per process, used from one event loop."""

    def __init__(self, gauges: Iterable[Gauge] = ()) -> None:
        self.open_calls = 0
        self.open_streams = 0
        self._gauges = list(gauges)
        self._responses = _Tally("path", "status")
        self._calls = _Tally("agent", "model", "outcome")
        self._tokens = _Tally("agent", "model", "kind")
        self._cost_nano = _Tally("agent", "model")
        self._unpriced = _Tally("agent", "model")
        self._latency: dict[str, _Histogram] = {}

    def watch(self, gauge: Gauge) -> None:
        self._gauges.append(gauge)

    def responded(self, path: str, status: int, took_us: int) -> None:
        """A request was answered to its end. `path`: the operation, never the caller's text. 499: the caller left."""
        self._responses.add((path, str(status)))
        histogram = self._latency.get(path)
        if histogram is None:
            histogram = self._latency[path] = _Histogram()
        histogram.counts[bisect_left(_BOUNDS_US, took_us)] += 1
        histogram.sum_us += took_us

    def called(
        self, agent: str, model: str, outcome: str, usage: Usage | None = None, cost_nano: int | None = None
    ) -> None:
        """A model call ended. `model`: its pin. `outcome`: answered, cached, or the code of what failed."""
        self._calls.add((agent, model, outcome))
        if usage is not None and usage.known:
            for kind, count in (
                ("input", usage.tokens_in - usage.cached),
                ("cached", usage.cached),
                ("output", usage.tokens_out - usage.reasoning),
                ("reasoning", usage.reasoning),
            ):
                if count > 0:
                    self._tokens.add((agent, model, kind), count)
        if cost_nano is not None:
            self._cost_nano.add((agent, model), cost_nano)
        elif usage is not None:
            self._unpriced.add((agent, model))

    def text(self) -> bytes:
        return "".join(self._lines()).encode()

    def _lines(self) -> Iterator[str]:
        yield from _family(
            "responses", "Requests answered, by operation and status.", "counter", _rows(self._responses)
        )
        yield from _family("calls", "Model calls, by how they ended.", "counter", _rows(self._calls))
        yield from _family("tokens", "Tokens, each counted under one kind.", "counter", _rows(self._tokens))
        cost = ((labels, value / NANO_PER_USD) for labels, value in _rows(self._cost_nano))
        yield from _family("cost_usd", "What the calls cost.", "counter", cost)
        yield from _family("unpriced_calls", "Calls whose cost is unknown.", "counter", _rows(self._unpriced))
        yield from self._histograms()
        yield from _family("open_calls", "Calls under way.", "gauge", [("", self.open_calls)])
        yield from _family("open_streams", "Streams under way.", "gauge", [("", self.open_streams)])
        for gauge in self._gauges:
            rows = ((_shown(gauge.labels, labels), value) for labels, value in sorted(gauge.read().items()))
            yield from _family(gauge.name, gauge.help, "gauge", rows)

    def _histograms(self) -> Iterator[str]:
        name = "airworthy_gateway_response_seconds"
        yield f"# HELP {name} From the request's first byte to the answer's last.\n# TYPE {name} histogram\n"
        for path, histogram in sorted(self._latency.items()):
            total = 0
            for bound, count in zip((*map(_number, BOUNDS_S), "+Inf"), histogram.counts, strict=True):
                total += count
                yield f"{name}_bucket{_shown(('path', 'le'), (path, bound))} {total}\n"
            labels = _shown(("path",), (path,))
            yield f"{name}_sum{labels} {_number(histogram.sum_us / US_PER_S)}\n{name}_count{labels} {total}\n"


def _rows(tally: _Tally) -> Iterable[tuple[str, int]]:
    return [(_shown(tally.names, labels), value) for labels, value in sorted(tally.values.items())]


def _family(name: str, help_: str, kind: str, rows: Iterable[tuple[str, float]]) -> Iterator[str]:
    full = f"airworthy_gateway_{name}" + ("_total" if kind == "counter" else "")
    yield f"# HELP {full} {help_}\n# TYPE {full} {kind}\n"
    for labels, value in rows:
        yield f"{full}{labels} {_number(value)}\n"


def _shown(names: tuple[str, ...], labels: Labels) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in zip(names, labels, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return text.encode("utf-8", "replace").decode()  # Half a character would break the whole page.


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9f}".rstrip("0").rstrip(".")
