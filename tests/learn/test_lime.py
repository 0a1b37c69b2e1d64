"""LIME on a predicting function whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.image.image import Image, Metadata
from hilum.image.prepare import Preparation

lime = pytest.importorskip("hilum.learn.lime", reason="needs the extra 'learn'")


def test_lime_names_the_region_that_carries_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.full((64, 64), 0.3, dtype=np.float32)
    pixels[8:24, 8:24] = 1.0
    pixels[40:56, 40:56] = 0.9
    image = Image(pixels, Metadata("PNG", "L", 8, 64, 64))

    def predict(batch: np.ndarray) -> np.ndarray:
        share = (batch[:, 0, 8:24, 8:24] > 200).mean(axis=(1, 2))
        return np.stack([1 - share, share], axis=1)

    found = lime.Lime(predict, Preparation(size=64), regions=16, samples=150).explain(image, 1)
    assert found.heat.values.shape == (64, 64)
    assert found.heat.values[10:22, 10:22].mean() > 3 * found.heat.values[30:].mean()
    assert found.edges.any()
    assert capsys.readouterr().err == ""
