"""A collector on loopback gets one span a request with its stages, and nothing that names a file."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.interfaces.http.forms import TYPE, form, sample
from tests.interfaces.http.running import running

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_request_and_its_stages_reach_the_collector(tmp_path: Path) -> None:
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    collector = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=collector.serve_forever)
    thread.start()
    try:
        with running(tmp_path, TRACES_URL=f"http://127.0.0.1:{collector.server_port}/v1/traces") as server:
            body = form([("Smith^John.png", sample("pneumonia-cxr").read_bytes())])
            assert server.ask("POST", "/predict", body, {**TYPE, "traceparent": PARENT}).status == 200
    finally:
        collector.shutdown()
        thread.join()
        collector.server_close()
    spans = [
        span
        for data in received
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    (whole,) = [span for span in spans if span.name == "POST /predict"]
    assert whole.trace_id.hex() in PARENT
    stages = {span.name for span in spans if span.parent_span_id == whole.span_id}
    assert stages >= {"decode", "gate", "prepare", "compute"}
    assert b"Smith" not in b"".join(received)
