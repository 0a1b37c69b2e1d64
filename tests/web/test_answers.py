"""What a page says of one answer."""

from __future__ import annotations

import pytest

from hilum.interfaces.web.answers import set_words
from hilum.task import shipped_task


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (["glioma"], "Nothing else: glioma alone is in the 95% set."),
        (["glioma", "meningioma"], "On this image meningioma cannot be ruled out (95% set)."),
        (
            ["meningioma", "glioma", "pituitary"],
            "On this image meningioma or pituitary tumour cannot be ruled out (95% set).",
        ),
        (["notumor"], "On this image no tumour cannot be ruled out (95% set; the answer itself is not in it)."),
        ([], ""),
    ],
)
def test_the_set_is_told_by_what_it_leaves_possible_beside_the_answer(inside: list[str], words: str) -> None:
    assert set_words(shipped_task("brain-tumor-mri"), inside, "glioma") == words
