"""One answered request -> an OpenTelemetry span with a child a stage, sent to a collector; names no file, no person.

Opened only where HILUM_TRACES_URL names a collector (OTLP over HTTP); names follow the semantic conventions for HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What is told of a request: method, the route's pattern, status, when it began and ended (ns since 1970).

    stages: milliseconds by stage, in their order. parent: the caller's `traceparent` header, or "".
    """

    method: str
    route: str
    status: int
    began: int
    ended: int
    stages: Mapping[str, float] = field(default_factory=dict)
    parent: str = ""


class Traces:
    """Sends spans in batches, in the background."""

    def __init__(self, url: str, version: str) -> None:
        """`url`: the collector's address for traces, as http://127.0.0.1:4318/v1/traces."""
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "hilum", "service.version": version}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=5)))
        self._tracer = self._provider.get_tracer("hilum")
        self._callers = TraceContextTextMapPropagator()

    def request(self, told: Request) -> None:
        """One span for a request and one for each stage; the stages end when the answer does."""
        context = self._callers.extract({"traceparent": told.parent}) if told.parent else None
        attributes: dict[str, str | int] = {
            "http.request.method": told.method,
            "http.route": told.route,
            "http.response.status_code": told.status,
        }
        name = f"{told.method} {told.route}"
        span = self._tracer.start_span(name, context, SpanKind.SERVER, attributes, start_time=told.began)
        inside = set_span_in_context(span)
        start = told.ended - int(sum(told.stages.values()) * NANO / 1000)
        for stage, took in told.stages.items():
            end = start + int(took * NANO / 1000)
            self._tracer.start_span(stage, inside, start_time=start).end(end)
            start = end
        if told.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(told.ended)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()
