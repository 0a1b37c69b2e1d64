"""The admission network on made anatomy: it learns the kind, stores its thresholds, and runs the same in ONNX."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hilum.errors import DataError
from hilum.gate.admission import Admission, Thresholds, preparation_of
from hilum.gate.gate import before
from hilum.image.prepare import Preparation
from hilum.learn import admission
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


class Lamp(torch.nn.Module):
    """Of a picture that is bright to a share x: log-odds of 10x against inverted, 5x against rotated, 10x - 2 else."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        share = pixels.mean(dim=(1, 2, 3)) / 255
        return torch.stack([10 * share, 0 * share, 5 * share, 0 * share + 2], dim=1)


def bright(columns: int) -> np.ndarray:
    return np.where(np.arange(FRAME) < columns, 255, 0).astype(np.uint8)[None].repeat(FRAME, axis=0)


def half_as_bright(picture: np.ndarray, preparation: Preparation, *_: object) -> np.ndarray:
    return plain(bright(int((picture[0] > 0).sum()) // 2), preparation)


CENTRAL = {'geometry = "foreground"': 'geometry = "central"'}
EITHER_WAY_UP = {'geometry = "foreground"': 'geometry = "central"\nflip_vertical = true'}


def thresholds(settings: AdmissionSettings, text: dict[str, str]) -> Thresholds:
    """Of two machines with sixty pictures each, bright in 66 to 125 columns of 128 and in 6 to 65."""
    columns, numbers = np.concatenate([np.arange(66, 126), np.arange(6, 66)]), np.arange(120)
    good = np.stack([bright(each) for each in columns])
    material = Material(good, numbers, numbers // 60, np.zeros((0, FRAME, FRAME), dtype=np.uint8))
    return admission._thresholds(Lamp(), material, numbers, made.task(**text), settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("budget", "stressed", "columns"),
    [(0.1, 1.0, 11), (0.1, 0.25, 10), (0.2, 0.5, 17), (0.0, 1.0, 6)],  # of 60 good ones 5, of 60 disturbed ones 14
)
def test_no_machine_loses_more_than_the_budget_to_any_fault_nor_more_disturbed_views_than_theirs(
    budget: float, stressed: float, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "view", half_as_bright)
    found = thresholds(AdmissionSettings(views=1, budget=budget, stressed=stressed, strictest=99.0), CENTRAL)
    share = columns / FRAME
    assert found.as_array() == pytest.approx([10 * share, 5 * share, 10 * share - 2], abs=0.02)


def test_no_threshold_is_stricter_than_even_odds_and_where_images_stand_on_their_heads_nobody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "view", half_as_bright)
    found = thresholds(AdmissionSettings(views=1), CENTRAL)
    assert (found.inverted, found.rotated) == (0.0, 0.0)
    assert found.other == pytest.approx(10 * 3 / FRAME - 2, abs=0.02)
    either = thresholds(AdmissionSettings(views=1), EITHER_WAY_UP)
    assert (either.inverted, either.rotated, either.other) == (0.0, -np.inf, found.other)


@pytest.mark.parametrize(("groups", "share", "aside"), [(50, 0.2, 10), (100, 0.3, 30), (40, 0.1, 8)])
def test_images_of_one_group_all_teach_or_are_all_set_aside(groups: int, share: float, aside: int) -> None:
    of = np.random.default_rng(0).permutation(np.repeat(np.arange(groups), 3))
    empty = np.zeros((len(of), FRAME, FRAME), dtype=np.uint8)
    material = Material(empty, of, of * 0, empty[:0])
    learn, kept = admission._apart(material, AdmissionSettings(aside=share), np.random.default_rng(1))
    assert sorted([*learn, *kept]) == list(range(len(of)))
    assert not set(of[learn]) & set(of[kept])
    assert len(set(of[kept])) == aside


def test_machines_are_shown_alike_and_groups_by_the_root_of_their_size() -> None:
    """One machine with a group of four and a group of one, another with a single image."""
    found = admission._shares(np.array([0, 0, 0, 0, 1, 2]), np.array([0, 0, 0, 0, 0, 1]))
    assert found == pytest.approx([1 / 12, 1 / 12, 1 / 12, 1 / 12, 1 / 6, 1 / 2])


def test_the_targets_drawn_are_what_the_task_asks_for() -> None:
    """Good, inverted, rotated, other; of images that may stand on their heads none is rotated."""
    good = _good(8)
    material = Material(good, np.arange(8), np.zeros(8, int), good[:0])
    for text, expected in ((CENTRAL, {0, 1, 2, 3}), (EITHER_WAY_UP, {0, 1, 3})):
        settings, generator = AdmissionSettings(batch=100, pool=12), np.random.default_rng(0)
        draw = admission._Draw(material, np.arange(8), made.task(**text), settings, generator)
        pixels, targets = draw()
        assert set(targets.tolist()) == expected
        assert tuple(pixels.shape) == (100, 1, 64, 64)
        brightness = pixels.float().mean(dim=(1, 2, 3))
        assert brightness[targets == 1].mean() > 255 - 1.5 * brightness[targets == 0].mean()
