"""The admission network on made anatomy: it learns the kind, stores its thresholds, and runs the same in ONNX."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hilum.errors import DataError
from hilum.gate.admission import Admission, Thresholds, preparation_of
from hilum.gate.gate import before
from hilum.learn.admission import FRAME, AdmissionSettings, Material, frame, train_admission
from hilum.learn.admission_network import AdmissionNetwork, to_onnx
from hilum.learn.outliers import MADE
from hilum.learn.spoiled import SPOILED
from hilum.learn.views import MILD, plain, view
from tests.gate import made

QUICK = AdmissionSettings(steps=60, batch=48, pool=200, views=1)


def _good(count: int) -> np.ndarray:
    return np.stack([frame(made.image(made.phantom(seed=seed)), made.task()) for seed in range(count)])


@pytest.fixture(scope="module")
def trained() -> Admission:
    torch.set_num_threads(1)
    numbers = np.arange(120)
    others = np.zeros((0, FRAME, FRAME), dtype=np.uint8)
    return Admission(train_admission(Material(_good(120), numbers, numbers * 0, others), made.task(), QUICK))


def test_new_images_of_the_kind_are_admitted_and_others_are_not(trained: Admission) -> None:
    task = made.task()
    fresh = [made.image(made.phantom(seed=seed)) for seed in range(500, 540)]
    assert np.mean([before(image, task, trained) == () for image in fresh]) > 0.9
    generator = np.random.default_rng(5)
    strange = [MADE[k % len(MADE)](_good(4), generator) / 255 for k in range(44)]
    assert np.mean([before(made.image(pixels), task, trained) != () for pixels in strange]) > 0.8
    inverted = [made.image(1 - image.pixels) for image in fresh]
    assert np.mean([before(image, task, trained) != () for image in inverted]) > 0.9


def test_torch_and_onnx_agree() -> None:
    torch.manual_seed(1)
    network = AdmissionNetwork()
    network(torch.randn(16, 1, 64, 64) * 60 + 90)  # moves the statistics of the normalisation
    network.eval()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 1, 64, 64), dtype=np.uint8)
    model = to_onnx(network, Thresholds(0.5, -np.inf, -1.25))
    with torch.inference_mode():
        expected = network(torch.from_numpy(pixels).float()).numpy()
    opened = Admission(model)
    assert np.abs(opened.logits(pixels) - expected).max() < 1e-4
    assert opened.thresholds == Thresholds(0.5, -np.inf, -1.25)
    assert len(model) < 500_000


def test_the_same_seed_gives_the_same_network() -> None:
    torch.set_num_threads(1)
    numbers = np.arange(50)
    material = Material(_good(50), numbers, numbers * 0, np.zeros((0, FRAME, FRAME), dtype=np.uint8))
    settings = AdmissionSettings(steps=21, batch=8, pool=10, views=1)
    heard: list[int] = []
    first = train_admission(material, made.task(), settings, heard.append)
    assert first == train_admission(material, made.task(), settings)
    assert heard == [10, 20]


def test_too_few_groups_are_refused() -> None:
    numbers = np.zeros(20, dtype=np.int64)
    material = Material(_good(20), numbers, numbers, np.zeros((0, FRAME, FRAME), dtype=np.uint8))
    with pytest.raises(DataError, match="too few"):
        train_admission(material, made.task(), QUICK)


@pytest.mark.parametrize("maker", [*dict.fromkeys((*MADE, *SPOILED))], ids=lambda maker: maker.__name__)
def test_every_outlier_is_a_picture_of_the_frames_size(maker) -> None:
    good = _good(3)
    for seed in range(4):
        picture = maker(good, np.random.default_rng(seed))
        assert picture.shape == (FRAME, FRAME)
        assert picture.dtype == np.uint8


def test_a_view_is_prepared_as_serving_prepares() -> None:
    image, preparation = made.image(made.phantom(FRAME)), preparation_of(made.task())
    shown = plain(frame(image, made.task()), preparation)
    assert shown.shape == (preparation.size, preparation.size)
    assert view(frame(image, made.task()), preparation, np.random.default_rng(0), MILD).shape == shown.shape


def test_a_frame_keeps_the_aspect_where_the_task_is_framed_by_its_foreground() -> None:
    tall = made.image(np.ones((200, 100)) * 0.5)
    assert (frame(tall, made.task())[:, :20] == 0).all()
    whole = made.task(**{'geometry = "foreground"': 'geometry = "central"'})
    assert (frame(tall, whole) > 0).all()
