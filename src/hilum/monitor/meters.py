"""What the server does -> counters and histograms in the Prometheus text format; knows no patient, no file name.

Counting stands on the path of every request, so it is a list and a bisection here; prometheus-client writes them out.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH = (1, 2, 4, 8, 16)
STAGES = ("decode", "gate", "prepare", "queue", "compute", "calibrate", "record", "cache")


class About(Protocol):
    """What an answer was about."""

    @property
    def task(self) -> str | None: ...
    @property
    def model(self) -> str | None: ...
    @property
    def label(self) -> str | None: ...


class Buckets:
    """A histogram: how often a value fell below each bound."""

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulative(self) -> list[tuple[str, float]]:
        """(upper bound, values at or below it), the last +Inf."""
        total, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows


class Meters:
    """All that is counted since the start."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: dict[tuple[str, str], int] = defaultdict(int)
        self.answers: dict[tuple[str, str, str], int] = defaultdict(int)
        self.refusals: dict[tuple[str, str], int] = defaultdict(int)
        self.cache: dict[str, int] = defaultdict(int)
        self.turned_away: dict[str, int] = defaultdict(int)
        self.stages: dict[str, Buckets] = {stage: Buckets() for stage in STAGES}
        self.duration: dict[str, Buckets] = defaultdict(Buckets)
        self.batches = Buckets(BATCH)
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """One HTTP request was answered; `route` is the pattern, never the path."""
        with self._lock:
            self.requests[route, str(status)] += 1
            self.duration[route].add(seconds)

    def answer(self, about: About, reasons: Sequence[str], timings: Mapping[str, float]) -> None:
        """One image was answered or refused; timings in milliseconds by stage."""
        task = about.task or "none"
        with self._lock:
            self.answers[task, about.model or "none", about.label or "refused"] += 1
            for reason in reasons:
                self.refusals[task, reason] += 1
            for stage, took in timings.items():
                if stage in self.stages:
                    self.stages[stage].add(took / 1000)

    def stage(self, stage: str, seconds: float) -> None:
        """One stage took so long."""
        with self._lock:
            self.stages[stage].add(seconds)

    def batch(self, size: int) -> None:
        """So many requests were taken out of the line together."""
        with self._lock:
            self.batches.add(size)

    def cached(self, found: bool) -> None:
        """The cache was asked."""
        with self._lock:
            self.cache["hit" if found else "miss"] += 1

    def away(self, reason: str) -> None:
        """A request was turned away: quota, full or late."""
        with self._lock:
            self.turned_away[reason] += 1

    def gauge(self, name: str, help_text: str, read: Callable[[], float]) -> None:
        """Something that is read when asked for."""
        self.gauges[name] = (help_text, read)

    def text(self) -> bytes:
        """The exposition, Prometheus text format 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client asks a collector for."""
        with self._lock:
            yield _counter("hilum_requests", "HTTP requests", ("route", "status"), self.requests)
            yield _counter("hilum_predictions", "Images answered or refused", ("task", "model", "class"), self.answers)
            yield _counter("hilum_refusals", "Reasons for refusal", ("task", "reason"), self.refusals)
            yield _counter(
                "hilum_cache", "Questions to the cache", ("result",), {(k,): v for k, v in self.cache.items()}
            )
            away = {(k,): v for k, v in self.turned_away.items()}
            yield _counter("hilum_turned_away", "Requests turned away", ("reason",), away)
            stages = HistogramMetricFamily("hilum_stage_seconds", "Time an image spends in a stage", labels=("stage",))
            for stage, buckets in self.stages.items():
                stages.add_metric((stage,), buckets.cumulative(), buckets.sum)
            yield stages
            routes = HistogramMetricFamily("hilum_request_seconds", "Time of an HTTP request", labels=("route",))
            for route, buckets in self.duration.items():
                routes.add_metric((route,), buckets.cumulative(), buckets.sum)
            yield routes
            batches = HistogramMetricFamily("hilum_batch_requests", "Requests answered together")
            batches.add_metric((), self.batches.cumulative(), self.batches.sum)
            yield batches
        for name, (help_text, read) in self.gauges.items():
            yield GaugeMetricFamily(name, help_text, value=read())


def _counter(name: str, help_text: str, labels: tuple[str, ...], values: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
