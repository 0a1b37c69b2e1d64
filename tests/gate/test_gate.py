"""The whole gate: order, silence where all is well, and the words of a refusal."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.gate.admission import Admission
from hilum.gate.gate import GATE_VERSION, before, before_all
from hilum.gate.reason import CODES, Reason, no_task
from tests.gate import made

ADMITS = Admission(made.network((5.0, 0.0, 0.0, 0.0)))
REFUSES = Admission(made.network((0.0, 0.0, 0.0, 5.0)))


def test_a_good_image_has_no_reason() -> None:
    assert before(made.image(made.phantom()), made.task(), ADMITS) == ()


def test_without_an_admission_network_the_rules_alone_decide() -> None:
    assert before(made.image(made.phantom()), made.task(), None) == ()
    assert before(made.image(np.zeros((99, 99))), made.task(), None)[0].code == "blank"


def test_the_network_is_asked_when_the_rules_are_silent() -> None:
    assert [r.code for r in before(made.image(made.phantom()), made.task(), REFUSES)] == ["not_this_kind_of_image"]


def test_tags_that_refuse_spare_the_network() -> None:
    reasons = before(made.image(made.phantom(), modality="CT"), made.task(), REFUSES)
    assert [reason.code for reason in reasons] == ["wrong_modality"]


def test_kind_and_quality_are_both_told() -> None:
    noise = made.image(np.random.default_rng(0).random((128, 128)))
    assert [r.code for r in before(noise, made.task(), REFUSES)] == ["not_this_kind_of_image", "low_quality"]


def test_a_reason_has_a_known_code() -> None:
    with pytest.raises(ValueError, match="no gate code"):
        Reason("because", "")
    assert no_task(("Pneumonia on a chest X-ray",)).code in CODES
    assert "Pneumonia on a chest X-ray" in no_task(("Pneumonia on a chest X-ray",)).text
    assert GATE_VERSION


def test_each_of_several_images_gets_its_own_reasons() -> None:
    noise = np.random.default_rng(0).random((128, 128))
    images = [
        made.image(made.phantom(), modality="CT"), made.image(made.phantom()), made.image(np.zeros((99, 99))),
        made.image(noise),
    ]  # fmt: skip
    for admission, kind in ((REFUSES, ["not_this_kind_of_image"]), (ADMITS, []), (None, [])):
        found = [[reason.code for reason in reasons] for reasons in before_all(images, made.task(), admission)]
        assert found == [["wrong_modality"], kind, ["blank"], [*kind, "low_quality"]]
