"""Ten thousand different images at once: each gets its own answer, and batches answer as one image alone does."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from hilum.flows.predict import Desk, Options, predict
from hilum.flows.speaker import Speaker
from hilum.model.package import Trust, open_package
from hilum.registry.pins import pin
from hilum.settings import read_settings
from tests.flows.made import seal_spots
from tests.interfaces.http.running import Running, running

COUNT, CLIENTS = 10_000, 32


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("package")
    seal_spots(place / "models" / "spot", place / "run")
    return place / "models" / "spot"


@pytest.fixture(scope="module", params=["0", "2"], ids=["threads", "processes"])
def server(
    package: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    pin(read_settings({"HILUM_HOME": str(home)}), package, "test")
    with running(home, MODELS=str(package.parent), KEEP_IMAGES="no", SERVE_WORKERS=request.param) as server:
        yield server


def image(seed: int) -> bytes:
    """Noise with a spot of any brightness, another one for each seed."""
    rng = np.random.default_rng(seed)
    plane = cv2.GaussianBlur(rng.integers(0, 256, (72, 72), dtype=np.uint8), (7, 7), 2)
    plane[20:44, 20:44] = cv2.addWeighted(
        plane[20:44, 20:44], 0.5, np.full((24, 24), rng.integers(256), np.uint8), 0.5, 0
    )
    return cv2.imencode(".png", plane)[1].tobytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_answer_is_swapped_with_another(server: Running, package: Path) -> None:
    digest = json.loads((server.parts.settings.home / "pins.jsonl").read_text().splitlines()[0])["digest"]
    desk = Desk((Speaker(open_package(package, Trust({digest}))),))

    def some(first: int) -> tuple[int, float, int]:
        """Every CLIENTS-th image over one connection: how many, the largest difference, other verdicts of the gate."""
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        largest, strange = 0.0, 0
        numbers = range(first, COUNT, CLIENTS)
        for seed in numbers:
            data = image(seed)
            connection.request("POST", f"/predict?model={digest[:12]}", data, {"Content-Type": "image/png"})
            told = json.loads(connection.getresponse().read())
            alone = predict(data, "body", desk, Options())[0].prediction
            strange += told["probabilities"].keys() != alone.probabilities.keys()
            gaps = [abs(told["probabilities"][name] - share) for name, share in alone.probabilities.items()]
            largest = max([largest, *gaps])
        connection.close()
        return len(numbers), largest, strange

    with ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(some, range(CLIENTS)))
    assert sum(count for count, _, _ in done) == COUNT
    assert sum(strange for _, _, strange in done) == 0
    assert max(largest for _, largest, _ in done) <= 1e-5
    assert server.parts.meters.batches.sum > server.parts.meters.batches.counts[0]  # some were answered together
