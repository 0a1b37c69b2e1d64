"""What a file says about itself, against the task."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.gate.metadata import check_metadata
from tests.gate import made

BLANK = np.zeros((8, 8))


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ({}, []),
        ({"modality": "MR", "body_part": "KNEE"}, []),
        ({"modality": "mr ", "body_part": "L KNEE"}, []),
        ({"modality": "OT"}, []),
        ({"modality": "SC", "body_part": "UNKNOWN"}, []),
        ({"modality": "unknown", "body_part": " 12 "}, []),
        ({"modality": "CT"}, ["wrong_modality"]),
        ({"modality": "MR", "body_part": "CHEST"}, ["wrong_body_part"]),
        ({"modality": "CR", "body_part": "CHEST"}, ["wrong_modality", "wrong_body_part"]),
        ({"modality": "", "body_part": ""}, []),
    ],
)
def test_tags_are_held_against_the_task(said: dict[str, str], codes: list[str]) -> None:
    reasons = check_metadata(made.image(BLANK, **said).metadata, made.task())
    assert [reason.code for reason in reasons] == codes


def test_the_sentence_uses_the_words_of_the_task() -> None:
    (reason,) = check_metadata(made.image(BLANK, modality="CT").metadata, made.task())
    assert "a sagittal knee MR slice" in reason.text
    assert "CT" in reason.text


def test_a_task_that_names_nothing_accepts_every_tag() -> None:
    task = made.task(**{'modalities = ["MR"]': "modalities = []", 'body_parts = ["KNEE"]': "body_parts = []"})
    assert check_metadata(made.image(BLANK, modality="US", body_part="FETUS").metadata, task) == ()


def test_signs_and_spaces_in_a_body_part_count_for_nothing() -> None:
    task = made.task(**{'["KNEE"]': '["L SPINE"]'})
    for said, codes in (("L-SPINE", []), ("lspine", []), ("C-SPINE", ["wrong_body_part"])):
        reasons = check_metadata(made.image(BLANK, body_part=said).metadata, task)
        assert [reason.code for reason in reasons] == codes
