"""Schemathesis over the whole OpenAPI schema: no 500, every error a problem, whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Response

from tests.interfaces.http.running import Running, running

PROBLEM = "application/problem+json"
ENDS_THE_SESSION = ("/logout", "/password")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("off"), UPLOAD_BYTES="1000000") as server:
        yield server


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("on"), AUTH="on", RATE="1000000/minute") as server:
        yield server


def fault(response: Response, told: Any) -> str | None:
    """What is wrong with an answer, in words; `told`: what the schema says of the operation's answers."""
    kind = "".join(response.headers.get("content-type", []))
    kinds = told.get(str(response.status_code), told.get("default", {})).get("content", {})
    if kind and kind.partition(";")[0] not in kinds:
        return f"{kind!r}, and the schema says {list(kinds)}"
    if response.status_code >= 500 and response.status_code not in (501, 503):
        return "a server error"
    if response.status_code >= 400 and response.request.method != "HEAD":
        if kind != PROBLEM:
            return f"an error as {kind!r}"
        said = response.json()
        if said["status"] != response.status_code or not said["detail"] or "Traceback" in response.text:
            return "a problem that is none"
    if response.status_code == 429 and not response.headers.get("retry-after"):
        return "429 without Retry-After"
    return None


def tried(server: Running, examples: int, headers: dict[str, str], skip: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """How many requests were made of the schema, and which answers were wrong."""
    base = f"http://127.0.0.1:{server.port}"
    schema = schemathesis.openapi.from_url(f"{base}/openapi.json", headers=headers)
    faults, count = dict[str, str](), 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in skip:
            continue

        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            nonlocal count
            count += 1
            response = case.call(base_url=base, headers=headers, timeout=120, allow_redirects=False)
            wrong = fault(response, case.operation.definition.raw["responses"])
            if wrong:
                label = f"{case.method} {case.path}: {response.status_code}, {wrong}"
                faults.setdefault(label, f"{label}: {case.as_curl_command()[:400]}")

        send()
    return count, list(faults.values())


def test_the_whole_schema_without_authentication(local: Running) -> None:
    count, faults = tried(local, 25, {})
    assert faults == []
    assert count > 400


def test_the_whole_schema_as_an_administrator(house: Running) -> None:
    session = house.sessions["admin"]
    headers = {"Cookie": f"hilum={session.token}", "X-CSRF-Token": session.csrf}
    count, faults = tried(house, 15, headers, ENDS_THE_SESSION)
    assert faults == []
    assert count > 200


@pytest.mark.slow
def test_ten_thousand_requests(local: Running) -> None:
    count, faults = tried(local, 600, {})
    assert faults == []
    assert count >= 10_000


def test_the_schema_tells_of_every_open_route(local: Running, tmp_path: Path) -> None:
    told = local.ask("GET", "/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    assert {"/predict", "/predictions", "/feedback", "/login", "/keys", "/users"} <= set(told["paths"])


def test_the_schema_says_how_errors_and_pages_come(local: Running) -> None:
    told = local.ask("GET", "/openapi.json").json()
    answers = {(path, how): one["responses"] for path, ways in told["paths"].items() for how, one in ways.items()}
    problem = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert all(one["default"]["content"] == problem for one in answers.values())
    assert not any(PROBLEM not in one["422"]["content"] for one in answers.values() if "422" in one)
    said = local.ask("GET", "/tasks/none").json()
    assert set(said) == set(told["components"]["schemas"]["Problem"]["properties"])
    kinds = {place: list(one["200"]["content"]) for place, one in answers.items() if "content" in one.get("200", {})}
    assert kinds["/metrics", "get"] == kinds["/livez", "get"] == ["text/plain"]
    assert kinds["/models/{reference}/card", "get"] == ["text/markdown"]
    assert kinds["/predictions/{name}/heatmap", "get"] == ["image/png"]
    assert kinds["/works/{identity}/report", "get"] == ["text/html"]
    assert kinds["/jobs/{identity}/results", "get"] == ["application/json", "text/csv"]
    assert ("/ping", "get") not in kinds


def test_the_schema_tells_of_sagemaker_and_of_what_an_audit_takes(local: Running) -> None:
    paths = local.ask("GET", "/openapi.json").json()["paths"]
    asked = paths["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert {"image", "instances"} <= set(asked)
    assert set(paths["/audits"]["post"]["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
