"""What is counted stands in the Prometheus text as it was counted."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from hilum.monitor.meters import Meters


@dataclass(frozen=True)
class Told:
    task: str | None = None
    model: str | None = None
    label: str | None = None


def values(meters: Meters) -> dict[str, float]:
    """Name and labels -> value, of what is ours and not zero."""
    return {
        " ".join(
            (sample.name.removeprefix("hilum_"), *(sample.labels[name] for name in sorted(sample.labels)))
        ): sample.value
        for family in text_string_to_metric_families(meters.text().decode())
        for sample in family.samples
        if sample.name.startswith("hilum_") and sample.value
    }


def test_requests_answers_and_what_was_turned_away_are_counted_by_what_they_were() -> None:
    meters = Meters()
    for status in (200, 200, 503):
        meters.request("/predict", status, 0.05)
    meters.answer(Told("chest", "c@1", "pneumonia"), (), {})
    meters.answer(Told("chest", "c@1"), ("blank", "tiny"), {})
    meters.answer(Told(), ("unreadable",), {})
    for found in (True, True, False):
        meters.cached(found)
    meters.away("quota")
    meters.gauge("hilum_waiting", "who waits", lambda: 7.0)
    found = values(meters)
    assert {name: value for name, value in found.items() if "bucket" not in name and "seconds" not in name} == {
        "requests_total /predict 200": 2, "requests_total /predict 503": 1,
        "predictions_total pneumonia c@1 chest": 1, "predictions_total refused c@1 chest": 1,
        "predictions_total refused none none": 1,
        "refusals_total blank chest": 1, "refusals_total tiny chest": 1, "refusals_total unreadable none": 1,
        "cache_total hit": 2, "cache_total miss": 1, "turned_away_total quota": 1, "waiting": 7,
    }  # fmt: skip


def test_a_histogram_counts_what_is_at_a_bound_below_it_and_what_is_beyond_all_at_the_end() -> None:
    meters = Meters()
    for seconds in (0.05, 0.06, 99.0):
        meters.request("/predict", 200, seconds)
    meters.answer(Told(), (), {"decode": 250.0, "no such stage": 1.0})  # milliseconds
    meters.stage("record", 0.001)
    for size in (4, 5):
        meters.batch(size)
    found = values(meters)
    request = [found.get(f"request_seconds_bucket {le} /predict", 0) for le in ("0.025", "0.05", "0.1", "10.0", "+Inf")]
    assert request == [0, 1, 2, 2, 3]
    assert (found["request_seconds_sum /predict"], found["request_seconds_count /predict"]) == (0.05 + 0.06 + 99.0, 3)
    decode = [found.get(f"stage_seconds_bucket {le} decode", 0) for le in ("0.1", "0.25", "+Inf")]
    assert (decode, found["stage_seconds_sum decode"]) == ([0, 1, 1], 0.25)
    assert (found["stage_seconds_count record"], found["stage_seconds_sum record"]) == (1, 0.001)
    assert [found.get(f"batch_requests_bucket {le}", 0) for le in ("2", "4", "8")] == [0, 1, 2]
